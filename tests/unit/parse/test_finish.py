"""Rows of events: which times are believed, what is cut, and rows of several objects together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from ingest.contract import EVENTS
from ingest.parse.collector import Collector
from ingest.parse.fields.ids import event_id, event_ids, id_prefix
from ingest.parse.fields.times import micros_of
from ingest.parse.finish import Finisher
from ingest.parse.model import Identity
from ingest.parse.rows import EVENTS_SCHEMA, events_table
from ingest.parse.verdict import Event, EventArray
from ingest.settings import ParseSettings

SETTINGS = ParseSettings(format="access")
IDENTITY = Identity(
    source_file="a.log", batch_id="b" * 32, ingest_time=datetime(2024, 5, 1, 23, tzinfo=UTC)
)
LATEST = micros_of(IDENTITY.ingest_time + SETTINGS.future_limit)
EARLIEST = micros_of(SETTINGS.min_event_time)
DAYS = date(1970, 1, 1)


@pytest.mark.parametrize(
    ("time", "day", "codes"),
    [
        (LATEST, (IDENTITY.ingest_time + SETTINGS.future_limit).date(), None),
        (LATEST + 1, IDENTITY.ingest_time.date(), "future_timestamp"),
        (EARLIEST, SETTINGS.min_event_time.date(), None),
        (EARLIEST - 1, IDENTITY.ingest_time.date(), "stale_timestamp"),
        (None, IDENTITY.ingest_time.date(), None),
    ],
)
def test_the_limits_are_believed_and_no_microsecond_beyond(
    time: int | None, day: date, codes: str | None
) -> None:
    row = Finisher(IDENTITY, SETTINGS).row(Event(values={"event_time": time}), 7, 1)
    assert DAYS + timedelta(days=row["event_date"]) == day
    assert row["parse_warnings"] == codes
    assert row["parse_status"] == ("warn" if codes else "ok")


def test_texts_are_cut_to_their_columns_and_empty_ones_are_null() -> None:
    width = EVENTS.column("user_name").width or 0
    values = {"user_name": "é" * width, "cookie": "", "url_path": "/a"}
    row = Finisher(IDENTITY, SETTINGS).row(Event(values=values), 0, None)
    assert row["user_name"] == "é" * (width // 2)
    assert (row["cookie"], row["url_path"]) == (None, "/a")
    assert row["parse_warnings"] == "truncated_field"


def test_one_table_takes_rows_of_several_objects() -> None:
    other = replace(IDENTITY, source_file="b.log", batch_id="c" * 32)
    rows = [
        Finisher(of, SETTINGS).row(Event(values={"status_code": code}), 3, None)
        for of, code in ((IDENTITY, 200), (other, None))
    ]
    table = events_table(rows)
    assert table.schema.equals(EVENTS_SCHEMA)
    assert table["source_file"].to_pylist() == ["a.log", "b.log"]
    assert table["status_code"].to_pylist() == [200, None]
    assert table["ingest_time"].to_pylist() == [IDENTITY.ingest_time] * 2
    assert events_table([]).schema.equals(EVENTS_SCHEMA)


def test_an_id_alone_is_the_one_of_the_array() -> None:
    offsets = [0, 1, 65_535, 65_536, 2**47]
    array = event_ids("a.log", np.array(offsets, dtype=np.int64)).to_pylist()
    assert [event_id(id_prefix("a.log"), offset) for offset in offsets] == array


def test_elements_of_an_array_warn_for_themselves_and_their_line_once() -> None:
    collector = Collector(IDENTITY, SETTINGS)
    future, stale = (Event(values={"event_time": time}) for time in (LATEST + 1, EARLIEST - 1))
    collector.add(EventArray((future, stale, Event())), offset=5, line=2, raw=b"[...]")
    parsed = collector.parsed()
    assert [row["parse_warnings"] for row in parsed.rows] == [
        "future_timestamp,json_array",
        "json_array,stale_timestamp",
        "json_array",
    ]
    assert [row["source_offset"] for row in parsed.rows] == [5, 6, 7]
    assert (parsed.lines_ok, parsed.lines_warn) == (0, 1)
    assert parsed.counts == {"json_array": 1, "future_timestamp": 1, "stale_timestamp": 1}
