"""Rendering by columns compared with rendering row by row, with hostile text."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from support.documents import EXCLUDES, PRIVATE_KEYS, private_left, reference, tables

from ingest.contract import EVENTS
from ingest.errors import BooksError
from ingest.render import arrow_schema
from ingest.search.document import Rendering, bodies, render

SCHEMA = arrow_schema(EVENTS)
VERSION = 42
PLAIN = Rendering()


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


def rendered(
    rows: list[dict[str, Any]], version: int = VERSION, how: Rendering = PLAIN
) -> list[tuple[Any, Any]]:
    """Return action and document of each row as the server would read them."""
    found = []
    for text in render(batch(rows), how, version=version):
        action, document, rest = text.split("\n")
        assert rest == ""
        found.append((json.loads(action), json.loads(document)))
    return found


@settings(max_examples=20, deadline=None)
@given(tables(), EXCLUDES, PRIVATE_KEYS)
def test_columns_render_like_rows(
    rows: list[dict[str, Any]], exclude: set[str], private_keys: set[str]
) -> None:
    how = Rendering(exclude=exclude, private_keys=private_keys)
    for row, (action, document) in zip(rows, rendered(rows, how=how), strict=True):
        target = {"_id": row["event_id"], "version": VERSION, "version_type": "external_gte"}
        assert action == {"index": target}
        assert document == reference(row, exclude=exclude, private_keys=private_keys)
        extra = document["clickstream"].get("extra")
        assert not list(private_left(extra, private_keys))


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
    (text,) = render(rows, PLAIN, version=1)
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
        ('{"cookie":1,"_dropped":["b"],"a":"' + "x" * 24_576 + '"}', {"_dropped": ["a", "b"]}),
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


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        ("x_auth-id", '"X-Auth_ID"'),
        ("token", '"\\u0074oken"'),
        ("k", '"\u212a"'),
        ("a.b[c", '"A.b[c"'),
        ("a/b", '"a\\/b"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("name", '"name"'),
    ],
)
def test_a_private_key_is_left_out_however_json_spells_it(key: str, spelled: str) -> None:
    texts = [
        f'{{{spelled}:1,"b":2}}',
        f'{{"b":2,"c":[{{{spelled}:1}}]}}',
        f'{{"b":2,"c":[{{"name":{spelled},"v":1}}]}}',
        '{"ab":2,"\u017f":1}',
    ]
    how = Rendering(private_keys=[key])
    found = rendered([event(extra=text) for text in texts], how=how)
    *extras, other = (document["clickstream"]["extra"] for _, document in found)
    expected = [{"b": 2}, {"b": 2, "c": [{}]}, {"b": 2, "c": []}]
    assert (extras, other) == (expected, {"ab": 2, "\u017f": 1})


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
        render(batch([event(duration_ms=1.0), event(duration_ms=wrong)]), PLAIN, version=1)


@pytest.mark.parametrize("wrong", ["63C576D511CAB0CEBEF10000000120B8", "63c5", "", None])
def test_an_invalid_id_stops_the_export(wrong: str | None) -> None:
    with pytest.raises(BooksError, match="event_id"):
        render(batch([event(), event(event_id=wrong)]), PLAIN, version=1)


def test_a_year_beyond_four_digits_stops_the_export() -> None:
    rows = batch([event(), event()])
    beyond = pa.array([0, 253_402_300_800_000_000], pa.timestamp("us", "UTC"))
    index = rows.schema.get_field_index("event_time")
    with pytest.raises(BooksError, match="years 1 to 9999"):
        render(
            rows.set_column(index, "event_time", beyond.cast(SCHEMA.field(index).type)),
            PLAIN,
            version=1,
        )


def test_bodies_hold_the_rows_in_order_within_the_limit() -> None:
    ids = [f"{i:032x}" for i in range(100)]
    rows = batch([event(event_id=name, url_original="/" + "x" * i) for i, name in enumerate(ids)])
    found = list(bodies(rows, PLAIN, version=1, first_row=1_000, most_bytes=4_096))
    assert [row for body in found for row in body.rows] == list(range(1_000, 1_100))
    assert [name for body in found for name, _ in body.documents(range(len(body.rows)))] == ids
    assert all(len(body.data) <= 4_096 for body in found)
    assert len(found) > 5


def test_a_document_over_the_limit_goes_alone() -> None:
    rows = batch([event(), event(url_original="/" + "x" * 5_000), event()])
    found = list(bodies(rows, PLAIN, version=1, first_row=0, most_bytes=1_000))
    assert [list(body.rows) for body in found] == [[0], [1], [2]]
    assert [len(body.data) > 1_000 for body in found] == [False, True, False]


def test_no_rows_make_no_body() -> None:
    assert list(bodies(batch([]), PLAIN, version=1, first_row=0, most_bytes=1_000)) == []


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
