"""What in `extra` may become searchable: never cookies and credentials, at any depth.

Nearly all values pass as the text that the lake holds; only the few odd ones are parsed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from typing import Any

# The server refuses terms over 32,766 bytes; the term of a leaf is its path and its value.
LONGEST_BYTES = 24_576
_NAMES = ("cookie", "set_cookie", "authorization", "proxy_authorization", "x_api_key")
_PRIVATE = re.compile(rf"(?:(?:resp_)?header_)?(?:{'|'.join(_NAMES)})")
_PRIVATE_WHOLE = "cs_headers"
# Valid in Rust and in Python. It finds too much rather than too little: also values, since a WAF
# header is an object whose `name` is private; escapes that could spell a name, or the NUL that the
# server refuses in one; line breaks.
_ANY = "|".join((*_NAMES, _PRIVATE_WHOLE)).replace("_", "[-_]")
_ODD = rf'(?i)"(?:(?:resp[-_])?header[-_])?(?:{_ANY})|\\u(?:0000|00[2-7]|212a)|[\x00-\x1f]'
# For a text that is not a JSON object: the mark says that something is missing.
_ALL_DROPPED = '{"_dropped":["*"]}'
_LONGEST_NUMBER = 308


def odd_pattern(private_keys: Collection[str]) -> str:
    """Return the pattern of a JSON text that `clean` must look at."""
    more = "|".join(map(_as_json, private_keys))
    return f'{_ODD}|"(?:{more})"' if more else _ODD


def _as_json(key: str) -> str:
    """Return the pattern of `key` in a JSON text; _ODD finds what is spelled with \\u escapes."""
    text = re.escape(json.dumps(plain(key))[1:-1])
    return text.replace("/", r"\\?/").replace("_", "[-_]")


def clean(text: str, private_keys: Collection[str] = ()) -> str | None:
    """Return the JSON object `text` as it may be exported, keys sorted; None when all is private.

    `private_keys` are left out too. Leaves too long for the server are left out; `_dropped` lists
    the top-level names that held them. Numbers that do not fit a double become text, a NUL in a key
    becomes U+FFFD.
    """
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_float, parse_constant=str)
        if not isinstance(value, dict):
            return _ALL_DROPPED
        kept = _without_private(value, frozenset(map(plain, private_keys)))
        dropped = [name for name in kept if _drop_long(kept, name, len(name.encode()))]
        kept = _without_none(kept)
        if dropped:
            kept["_dropped"] = sorted({*dropped, *_listed(value.get("_dropped"))})
        return _dump(kept) if kept else None
    except (ValueError, RecursionError):
        return _ALL_DROPPED


def plain(key: str) -> str:
    """Return `key` as it is compared: in lower case, `-` read as `_`."""
    return key.lower().replace("-", "_")


def _is_private(name: str, private_keys: Collection[str]) -> bool:
    """Return whether a key of this name, or a header of it, is never exported."""
    key = plain(name)
    return key == _PRIVATE_WHOLE or key in private_keys or _PRIVATE.match(key) is not None


def _without_private(value: Any, keys: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {
            name.replace("\0", "\ufffd"): _without_private(inner, keys)
            for name, inner in value.items()
            if not _is_private(name, keys)
        }
    if isinstance(value, list):
        return [_without_private(one, keys) for one in value if not _is_private_header(one, keys)]
    return value


def _is_private_header(value: Any, keys: Collection[str]) -> bool:
    name = value.get("name") if isinstance(value, dict) else None
    return isinstance(name, str) and _is_private(name, keys)


def _drop_long(holder: Any, place: Any, path_bytes: int) -> bool:
    """Remove what is too long at and below `holder[place]`; return whether there was any."""
    value = holder[place]
    if isinstance(value, dict):
        places = [(name, path_bytes + 1 + len(name.encode())) for name in value]
    elif isinstance(value, list):
        places = [(i, path_bytes) for i in range(len(value))]
    else:
        too_long = path_bytes + len(_text(value).encode()) > LONGEST_BYTES
        if too_long:
            holder[place] = None
        return too_long
    found = [_drop_long(value, inner, size) for inner, size in places]
    holder[place] = _without_none(value)
    return any(found)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: inner for name, inner in value.items() if inner is not None}
    return [inner for inner in value if inner is not None]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _listed(value: Any) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
