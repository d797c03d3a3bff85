"""The column `extra`: everything that was logged and has no column (section 2.2)."""

from __future__ import annotations

import json
import re
from typing import Any

from ingest.contract import EVENTS
from ingest.parse.fields.text import cut, is_wider

WIDTH = EVENTS.column("extra").width or 0
_OTHER = re.compile(r"[^a-z0-9]+")
# Names of dropped keys are for people; both caps keep `_dropped` itself within the width.
_NAME_BYTES = 255
_NAMES_BYTES = 8192


def key_of(field: str) -> str:
    """Return the key of a field of a text log: lower-case, other characters as one `_`."""
    return _OTHER.sub("_", field.lower()).strip("_")


def encode_extra(extra: dict[str, Any], warnings: set[str]) -> str | None:
    """Return `extra` as JSON with sorted keys, None when it is empty.

    When it is too wide, whole keys are dropped, biggest value first, and `truncated_field` is
    added to `warnings`.
    """
    if not extra:
        return None
    text = _encode(extra)
    if not is_wider(text, WIDTH):
        return text
    warnings.add("truncated_field")
    return _encode(_fitting(extra))


def _encode(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _bytes(value: Any) -> int:
    return len(_encode(value).encode())


def _fitting(extra: dict[str, Any]) -> dict[str, Any]:
    """Return what of `extra` fits, with the names of the rest under `_dropped`.

    A key costs its name, its value, a colon and a comma; a name in the list, itself and a comma.
    """
    sizes = {key: _bytes(value) for key, value in extra.items()}
    total = sum(_bytes(key) + size + 2 for key, size in sizes.items()) + len('{"_dropped":[]}')
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
