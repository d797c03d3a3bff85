"""Says where a parser failed: no line may stop more than the reading of its own object."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ingest.errors import ClickstreamError, ParserBug
from ingest.parse.verdict import Refused

_What = TypeVar("_What")
_Verdict = TypeVar("_Verdict")
_OURS = Path(__file__).parents[1]


def guarded(
    parse: Callable[[_What], _Verdict], what: _What, *, offset: int, line: int | None
) -> _Verdict:
    """Return `parse(what)`; `what` lies at content `offset`, in `line` (None = unknown).

    Raises ParserBug for what no parser should raise; Refused, ClickstreamError and MemoryError as
    they are.
    """
    try:
        return parse(what)
    except (Refused, ClickstreamError, MemoryError):
        raise
    except Exception as error:
        number = "" if line is None else f" (line {line})"
        raise ParserBug(
            f"bug: the parser failed at byte {offset}{number} ({type(error).__name__} in"
            f" {_place(error)}): please report it together with that line"
        ) from error


def _place(error: Exception) -> str:
    """Return file and line of ours in which `error` arose.

    Not its text: that may quote the line, which must not get into logs and records.
    """
    frames = traceback.extract_tb(error.__traceback__)
    *_, last = (frame for frame in frames if Path(frame.filename).is_relative_to(_OURS))
    return f"{Path(last.filename).name}:{last.lineno}"
