"""The column `extra`: everything that was logged and has no column (section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase, digits
from typing import Any

import orjson

from ingest.contract import EVENTS
from ingest.parse.fields.text import cut

WIDTH = EVENTS.column("extra").width or 0
# Fields of a line that nothing names, of which each is read: no line has as many but to do harm,
# and none that kernels read. Those behind them are one text, so that a line takes no longer.
MOST_SURPLUS = 2048
# Bytes of the names in a header, many times those of any log: each line costs what its header does.
MOST_NAMES = 16_384
# Of a key; all other bytes are blanks.
_OF_KEYS = bytes(byte if chr(byte) in ascii_lowercase + digits else ord(" ") for byte in range(256))
# Names of dropped keys are for people; both caps keep `_dropped` itself within the width.
_NAME_BYTES = 255
_NAMES_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Number:
    """A number of JSON, as it was sent: an integer that is too long for Arrow and orjson."""

    text: str


def key_of(field: str) -> str:
    """Return the key of a field of a text log: lower-case, other characters as one `_`."""
    words = field.lower().encode(errors="replace").translate(_OF_KEYS).split()
    return b"_".join(words).decode()


def encode_extra(extra: dict[str, Any], warnings: set[str]) -> str | None:
    """Return `extra` as JSON with sorted keys, None when it is empty.

    When it is too wide, whole keys are dropped, biggest value first, and `truncated_field` is
    added to `warnings`.
    """
    if not extra:
        return None
    written = encoded(extra)
    if len(written) > WIDTH:
        warnings.add("truncated_field")
        written = encoded(_fitting(extra, len(written)))
    return written.decode()


def encoded(value: Any) -> bytes:
    """Return `value` as JSON with sorted keys."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    return orjson.dumps(value, default=_as_sent, option=options)


def _bytes(value: Any) -> int:
    return len(encoded(value))


def _as_sent(number: Number) -> orjson.Fragment:
    return orjson.Fragment(number.text.encode())


def _fitting(extra: dict[str, Any], size: int) -> dict[str, Any]:
    """Return what of `extra`, which takes `size` bytes, fits; names of the rest are `_dropped`.

    A key costs its name, its value, a colon and a comma; a name in the list, itself and a comma.
    """
    sizes = {key: _bytes(value) for key, value in extra.items()}
    total = size + len('"_dropped":[],')
    kept = dict(extra)
    names: list[str] = []
    room = _NAMES_BYTES
    for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
        if total <= WIDTH:
            break
        del kept[key]
        name = cut(key, _NAME_BYTES)
        cost = _bytes(name) + 1
        total -= _bytes(key) + sizes[key] + 2
        if cost <= room:
            names.append(name)
            room -= cost
            total += cost
    return kept | {"_dropped": names}
