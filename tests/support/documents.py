"""Events of hostile text, and the documents they must become, rendered row by row."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from ingest.contract import EVENTS, Column, Type

# Two columns have one name at most in the document, so the oracle needs no order.
NEVER_EXPORTED = {"event_date", "source_line", "cookie"}
PRIVATE = ("cookie", "set_cookie", "authorization", "proxy_authorization", "x_api_key")
_ALWAYS_SHOWN = {"event_id", "batch_id", "source_file", "source_offset"}
EXCLUDES = st.sets(
    st.sampled_from(
        [one.name for one in EVENTS.columns if one.search and one.name not in _ALWAYS_SHOWN]
    ),
    max_size=6,
)
# With what a pattern, JSON and a change of case may each take for something else.
_KEYS = ["token", "x_auth-id", "a.b", "a[b", "(?i)", "^s$", "a/b", 'a"b', "a\\b", "\\u006b", "k"]
_KEYS += ["name"]
PRIVATE_KEYS = st.sets(st.sampled_from(_KEYS))


def reference(
    row: dict[str, Any], *, exclude: Collection[str] = (), private_keys: Collection[str] = ()
) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for column in EVENTS.columns:
        value = row.get(column.name)
        if value is None or column.name in {*NEVER_EXPORTED, *exclude, "event_id"}:
            continue
        value = _reference_value(column, value, set(map(_folded, private_keys)))
        if value in ({}, None):
            continue
        assert column.search is not None
        *path, leaf = column.search.field.split(".")
        level = document
        for name in path:
            level = level.setdefault(name, {})
        level[leaf] = value
    return document


def _reference_value(column: Column, value: Any, keys: Collection[str]) -> Any:
    if column.name == "extra":
        return without_private(json.loads(value), keys)
    if column.name == "parse_warnings":
        return value.split(",")
    if column.name == "duration_ms":
        return int((Decimal(value * 1_000_000)).to_integral_value())
    if column.type is Type.TIMESTAMP:
        return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    return value


def without_private(value: Any, keys: Collection[str]) -> Any:
    if isinstance(value, list):
        return [
            without_private(v, keys)
            for v in value
            if not (isinstance(v, dict) and private(str(v.get("name")), keys))
        ]
    if isinstance(value, dict):
        return {
            k.replace("\x00", "\ufffd"): without_private(v, keys)
            for k, v in value.items()
            if not private(k, keys)
        }
    return value


def private(name: str, keys: Collection[str]) -> bool:
    name = _folded(name)
    if name == "cs_headers" or name in keys:
        return True
    for prefix in ("resp_header_", "header_"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    return name.startswith(PRIVATE)


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def private_left(value: Any, keys: Collection[str]) -> Iterator[str]:
    """Yield the keys at any depth, and the names of objects in lists, that `keys` name."""
    inner: Collection[Any] = value
    if isinstance(value, dict):
        yield from (name for name in value if _folded(name) in map(_folded, keys))
        inner = value.values()
    elif isinstance(value, list):
        names = (str(one["name"]) for one in value if isinstance(one, dict) and "name" in one)
        yield from (name for name in names if _folded(name) in map(_folded, keys))
    else:
        return
    for one in inner:
        yield from private_left(one, keys)


HOSTILE = ['"', "\\", "\n", "\r", "\x00", "\x1f", "\x7f", "\u2028", "😀", "é", ",", "{", "}", " "]
HOSTILE += ["\\u0000", '"}\n{"delete":{"_id":"x"}}\n', "null", "]", "\ufffd", "\ufeff"]
TEXT = st.lists(
    st.sampled_from(HOSTILE) | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8
).map("".join)
ODD_NAMES = [*PRIVATE, "Cookie2", "header_Set-Cookie", "resp-header-authorization", "X-Api-Key-Id"]
ODD_NAMES += ["cs_headers", "CS-Headers", "cs_headers2", "discookie", "header_x", "name", "port"]
_SPELLINGS = [("", ""), ("_", "-"), ("-", "_"), ("k", "K"), ("k", "\u212a"), ("s", "\u017f")]
SPELLED_KEYS = st.builds(
    lambda key, change: key.replace(*change), st.sampled_from(_KEYS), st.sampled_from(_SPELLINGS)
)
NAMES = TEXT | st.sampled_from(ODD_NAMES) | SPELLED_KEYS
LEAVES = st.booleans() | st.integers() | TEXT | st.floats(-1e300, 1e300) | NAMES
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"name": NAMES, "value": inner}), max_size=2)
    ),
    max_leaves=6,
)


def _with_escapes(text: str) -> str:
    """Return JSON that says the same, with escapes that it could do without."""
    spelled = re.sub('"([a-z])', lambda found: f'"\\u{ord(found[1]):04x}', text)
    return spelled.replace("/", "\\/")


EXTRAS = st.builds(
    lambda change, *parts, **options: change(json.dumps(*parts, **options)),
    st.sampled_from([str, str, _with_escapes, lambda text: text.replace("/", "\\/")]),
    st.dictionaries(NAMES, JSON, min_size=1, max_size=4),
    ensure_ascii=st.booleans(),
    sort_keys=st.just(True),
    separators=st.just((",", ":")),
)
FIRST = datetime(1, 1, 1, tzinfo=UTC)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of hostile values; most columns of a real chunk are constant or null, so here too."""
    texts = draw(st.lists(TEXT, min_size=3, max_size=3))
    extras = draw(st.lists(EXTRAS, min_size=2, max_size=2))
    chance = random.Random(draw(st.integers(0, 2**32)))  # noqa: S311
    rows: list[dict[str, Any]] = [{} for _ in range(chance.randint(1, 5))]
    for column in EVENTS.columns:
        values = [chosen(column, texts, extras, chance) for _ in rows]
        if chance.random() < 0.3:
            values = values[:1] * len(rows)
        for row, value in zip(rows, values, strict=True):
            row[column.name] = value
    return rows


def chosen(column: Column, texts: list[str], extras: list[str], chance: random.Random) -> Any:
    if column.nullable and chance.random() < 0.3:
        return None
    if column.name == "event_id":
        return f"{chance.getrandbits(128):032x}"
    if column.name == "client_ip":  # the parser lets no other text through
        return chance.choice(["203.0.113.7", "2001:db8::a1"])
    if column.name == "extra":
        return chance.choice(extras)
    if column.name == "parse_warnings":
        return chance.choice(["nul_byte", "bad_request_line,no_timezone"])
    match column.type:
        case Type.STRING:
            return chance.choice(texts)
        case Type.TIMESTAMP:
            return FIRST + timedelta(microseconds=chance.randrange(315_537_897_600_000_000))
        case Type.DOUBLE:
            return chance.choice([0.0, 0.0000005, 1.5, chance.random() * 1e9])
        case Type.DATE:
            return date(2026, 1, 2)
        case _:
            return chance.choice([0, 2**31 - 1, chance.getrandbits(20)])
