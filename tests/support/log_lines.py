"""Lines of an access log that are functions of what an event says of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_TIME = "%d/%b/%Y:%H:%M:%S %z"
_WHOLE = re.compile(r'\S+ - - \[([^\]]+)\] "GET /[ne]\d+\?p=x* HTTP/1\.1" 200 \d+ "-" "fake/1"')


def log_line(number: int, at: datetime, *, pad: int = 0, edited: bool = False) -> str:
    """Return line `number` in the combined format, without its line end.

    No two numbers give the same line, and a test can rebuild it from the event: `pad` is the
    length of the query's value, `edited` tells whether the path begins with e instead of n.
    """
    target = f"/{'e' if edited else 'n'}{number}?p={'x' * pad}"
    client = f"203.0.113.{number % 250}"
    return f'{client} - - [{at:{_TIME}}] "GET {target} HTTP/1.1" 200 {number} "-" "fake/1"'


@lru_cache(maxsize=1 << 14)
def line_time(line: str) -> datetime | None:
    """Return the time of `line` in UTC, None when it is but a part of a line."""
    match = _WHOLE.fullmatch(line)
    return datetime.strptime(match[1], _TIME).astimezone(UTC) if match else None


def split_lines(content: bytes) -> list[str]:
    """Return the lines of `content` without the NULs of a hole; what is behind the last LF too."""
    lines = (line.lstrip(b"\0").decode() for line in content.split(b"\n"))
    return [line for line in lines if line]
