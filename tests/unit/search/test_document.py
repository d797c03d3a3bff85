"""Rendering by columns compared with rendering row by row, with hostile text."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.contract import EVENTS, Column, Type
from ingest.errors import BooksError
from ingest.render import arrow_schema
from ingest.search.document import bodies, render

SCHEMA = arrow_schema(EVENTS)
VERSION = 42
# Two columns have one name at most in the document, so the oracle needs no order.
NEVER_EXPORTED = {"event_date", "source_line", "cookie"}
PRIVATE = ("cookie", "set_cookie", "authorization", "proxy_authorization", "x_api_key")


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    full = [{name: row.get(name) for name in SCHEMA.names} for row in rows]
    return pa.RecordBatch.from_pylist(full, schema=SCHEMA)


def event(**columns: Any) -> dict[str, Any]:
    return {
        "event_id": "63c576d511cab0cebef10000000120b8",
        "batch_id": "b7c9",
        "event_date": date(2026, 1, 2),
        "ingest_time": datetime(2026, 2, 1, tzinfo=UTC),
        "source_format": "access",
        "source_file": "web/access.log",
        "source_offset": 73912,
        "parse_status": "ok",
        "event_type": "request",
    } | columns


def rendered(rows: list[dict[str, Any]], version: int = VERSION) -> list[tuple[Any, Any]]:
    """Return action and document of each row as the server would read them."""
    found = []
    for text in render(batch(rows), version=version):
        action, document, rest = text.split("\n")
        assert rest == ""
        found.append((json.loads(action), json.loads(document)))
    return found


# --------------------------------------------------------------------------------- the oracle


def reference(row: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for column in EVENTS.columns:
        value = row.get(column.name)
        if value is None or column.name in NEVER_EXPORTED or column.name == "event_id":
            continue
        value = reference_value(column, value)
        if value in ({}, None):
            continue
        assert column.search is not None
        *path, leaf = column.search.field.split(".")
        level = document
        for name in path:
            level = level.setdefault(name, {})
        level[leaf] = value
    return document


def reference_value(column: Column, value: Any) -> Any:
    if column.name == "extra":
        return without_private(json.loads(value))
    if column.name == "parse_warnings":
        return value.split(",")
    if column.name == "duration_ms":
        return int((Decimal(value * 1_000_000)).to_integral_value())
    if column.type is Type.TIMESTAMP:
        return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    return value


def without_private(value: Any) -> Any:
    if isinstance(value, list):
        return [
            without_private(v)
            for v in value
            if not (isinstance(v, dict) and private(str(v.get("name"))))
        ]
    if isinstance(value, dict):
        return {
            k.replace("\x00", "\ufffd"): without_private(v)
            for k, v in value.items()
            if not private(k)
        }
    return value


def private(name: str) -> bool:
    name = name.lower().replace("-", "_")
    if name == "cs_headers":
        return True
    for prefix in ("resp_header_", "header_"):
        if name.startswith(prefix):
            name = name[len(prefix) :]
            break
    return name.startswith(PRIVATE)


# ------------------------------------------------------------------------------ the strategies

HOSTILE = ['"', "\\", "\n", "\r", "\x00", "\x1f", "\x7f", "\u2028", "😀", "é", ",", "{", "}", " "]
HOSTILE += ["\\u0000", '"}\n{"delete":{"_id":"x"}}\n', "null", "]", "\ufffd", "\ufeff"]
TEXT = st.lists(
    st.sampled_from(HOSTILE) | st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8
).map("".join)
ODD_NAMES = [*PRIVATE, "Cookie2", "header_Set-Cookie", "resp-header-authorization", "X-Api-Key-Id"]
ODD_NAMES += ["cs_headers", "CS-Headers", "cs_headers2", "discookie", "header_x", "name", "port"]
NAMES = TEXT | st.sampled_from(ODD_NAMES)
LEAVES = st.booleans() | st.integers() | TEXT | st.floats(-1e300, 1e300) | NAMES
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
EXTRAS = st.builds(
    json.dumps,
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


@settings(max_examples=20, deadline=None)
@given(tables())
def test_columns_render_like_rows(rows: list[dict[str, Any]]) -> None:
    for row, (action, document) in zip(rows, rendered(rows), strict=True):
        target = {"_id": row["event_id"], "version": VERSION, "version_type": "external_gte"}
        assert action == {"index": target}
        assert document == reference(row)


# -------------------------------------------------------------------------------- by hand


def test_a_document_as_a_person_would_write_it() -> None:
    row = event(
        event_time=datetime(2026, 1, 2, 22, 58, 3, 648008, tzinfo=UTC),
        parse_status="warn",
        parse_warnings="bad_request_line,no_timezone",
        client_ip="203.0.113.7",
        duration_ms=28.3474775,
        view_count=1,
        cookie="secret=1",
        source_line=7,
        extra='{"client_port":443}',
    )
    ((action, document),) = rendered([row], version=7)
    assert action == {
        "index": {
            "_id": "63c576d511cab0cebef10000000120b8",
            "version": 7,
            "version_type": "external_gte",
        }
    }
    assert document == {
        "@timestamp": "2026-01-02T22:58:03.648008Z",
        "event": {
            "ingested": "2026-02-01T00:00:00.000000Z",
            "dataset": "access",
            "action": "request",
            "duration": 28_347_478,  # ...477.5 rounds to the even neighbour
        },
        "log": {"file": {"path": "web/access.log"}, "offset": 73912},
        "source": {"ip": "203.0.113.7"},
        "clickstream": {
            "batch_id": "b7c9",
            "parse_status": "warn",
            "warnings": ["bad_request_line", "no_timezone"],
            "views": 1,
            "extra": {"client_port": 443},
        },
    }


def test_columns_of_an_older_contract_are_left_out() -> None:
    rows = batch([event(brand="x")]).drop_columns(["brand", "extra", "parse_warnings"])
    (text,) = render(rows, version=1)
    assert "product" not in json.loads(text.split("\n")[1])


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ('{"cookie":"a"}', None),
        ('{"a":{"Set-Cookie":"a"},"b":1}', {"a": {}, "b": 1}),
        ('{"\\u0063ookie":"a","b":1}', {"b": 1}),
        ('{"coo\\u212aie":"a","b":1}', {"b": 1}),
        ('{"h":[{"name":"Cookie","value":"a"},{"name":"Host"}]}', {"h": [{"name": "Host"}]}),
        ('{"cs_headers":"a","cs_header_count":2}', {"cs_header_count": 2}),
        ('{"cookie":1,"n":1e999,"m":-1e999}', {"n": "1e999", "m": "-1e999"}),
        ('{"b":1,\n"a":2}', {"a": 2, "b": 1}),
        ('{"a\\u0000":{"\\u0000":"\\u0000"}}', {"a\ufffd": {"\ufffd": "\0"}}),
        ('{"cut off', {"_dropped": ["*"]}),
        ("[1]", {"_dropped": ["*"]}),
        ("{}", None),
        ('{"long":"' + "x" * 24_573 + '","a":1}', {"a": 1, "_dropped": ["long"]}),
        (
            '{"a":{"long":["' + "x" * 24_571 + '",2]},"b":1}',
            {"a": {"long": [2]}, "_dropped": ["a"], "b": 1},
        ),
        (
            '{"a":"' + "x" * 20_000 + '","b":"' + "y" * 20_000 + '"}',
            {"a": "x" * 20_000, "b": "y" * 20_000},
        ),
    ],
)  # fmt: skip
def test_odd_extra(extra: str, expected: dict[str, Any] | None) -> None:
    ((_, document),) = rendered([event(extra=extra)])
    assert document["clickstream"].get("extra") == expected


def test_a_number_that_only_the_text_holds_passes_unharmed() -> None:
    ((_, document),) = rendered([event(extra='{"id":12345678901234567890}')])
    assert document["clickstream"]["extra"] == {"id": 12345678901234567890}


def test_a_duration_beyond_a_long_is_left_to_the_server_to_refuse() -> None:
    found = [doc["event"].get("duration") for _, doc in rendered([
        event(duration_ms=1e15), event(duration_ms=1.5), event(duration_ms=None)
    ])]  # fmt: skip
    assert found == [10**21, 1_500_000, None]


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_an_invalid_duration_stops_the_export(wrong: float) -> None:
    with pytest.raises(BooksError, match="duration"):
        render(batch([event(duration_ms=1.0), event(duration_ms=wrong)]), version=1)


@pytest.mark.parametrize("wrong", ["63C576D511CAB0CEBEF10000000120B8", "63c5", "", None])
def test_an_invalid_id_stops_the_export(wrong: str | None) -> None:
    with pytest.raises(BooksError, match="event_id"):
        render(batch([event(), event(event_id=wrong)]), version=1)


def test_a_year_beyond_four_digits_stops_the_export() -> None:
    rows = batch([event(), event()])
    beyond = pa.array([0, 253_402_300_800_000_000], pa.timestamp("us", "UTC"))
    index = rows.schema.get_field_index("event_time")
    with pytest.raises(BooksError, match="years 1 to 9999"):
        render(
            rows.set_column(index, "event_time", beyond.cast(SCHEMA.field(index).type)), version=1
        )


def test_bodies_hold_the_rows_in_order_within_the_limit() -> None:
    ids = [f"{i:032x}" for i in range(100)]
    rows = batch([event(event_id=name, url_original="/" + "x" * i) for i, name in enumerate(ids)])
    found = list(bodies(rows, version=1, first_row=1_000, most_bytes=4_096))
    assert [row for body in found for row in body.rows] == list(range(1_000, 1_100))
    assert [name for body in found for name, _ in body.documents(range(len(body.rows)))] == ids
    assert all(len(body.data) <= 4_096 for body in found)
    assert len(found) > 5


def test_a_document_over_the_limit_goes_alone() -> None:
    rows = batch([event(), event(url_original="/" + "x" * 5_000), event()])
    found = list(bodies(rows, version=1, first_row=0, most_bytes=1_000))
    assert [list(body.rows) for body in found] == [[0], [1], [2]] or [
        list(body.rows) for body in found
    ] == [[0, 1], [2]]
    assert [len(body.data) > 1_000 for body in found].count(True) == 1


def test_no_rows_make_no_body() -> None:
    assert list(bodies(batch([]), version=1, first_row=0, most_bytes=1_000)) == []


def test_times_keep_microseconds_at_both_ends() -> None:
    first = datetime(1, 1, 1, tzinfo=UTC)
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    found = [doc["@timestamp"] for _, doc in rendered([
        event(event_time=first), event(event_time=last), event(event_time=first + timedelta(days=1))
    ])]  # fmt: skip
    assert found == [
        "0001-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-02T00:00:00.000000Z",
    ]
