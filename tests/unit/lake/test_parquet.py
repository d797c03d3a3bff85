"""Lake files: what is in the file's own Parquet schema, and what comes back."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fixtures.storage import CountingStorage

from ingest.contract import EVENTS, FILES, REJECTS, TABLES, Table, Type
from ingest.errors import ObjectChanged, ObjectUnreadable
from ingest.lake import parquet
from ingest.lake.parquet import ParquetSink, Written, encoded_schema, open_parquet
from ingest.render import arrow_schema
from ingest.storage import Storage

KEY = "events/part/events.parquet"
FIRST = datetime(1, 1, 1, tzinfo=UTC)
BEFORE_EPOCH = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
PAST_NANOSECONDS = datetime(2262, 4, 12, 1, 2, 3, 4, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def rows(table: Table, *values: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(values), schema=arrow_schema(table))


def written(lake: Storage, *chunks: pa.Table, table: Table = EVENTS) -> Written:
    """Write `chunks` as the lake's file KEY."""
    with ParquetSink(lake.spool(KEY), table) as sink:
        for chunk in chunks:
            sink.write(chunk)
        facts = sink.close()
    lake.upload(facts.path, KEY)
    return facts


@pytest.mark.parametrize(
    ("column", "physical", "logical"),
    [
        ("event_id", "BYTE_ARRAY", "STRING"),
        ("batch_id", "BYTE_ARRAY", "STRING"),
        ("event_time", "INT96", "NONE"),
        ("event_date", "INT32", "DATE"),
        ("source_offset", "INT64", "NONE"),
        ("status_code", "INT32", "NONE"),
        ("duration_ms", "DOUBLE", "NONE"),
        ("extra", "BYTE_ARRAY", "STRING"),
    ],
)
def test_types_are_those_that_copy_matches(
    lake: Storage, column: str, physical: str, logical: str
) -> None:
    written(lake, rows(EVENTS, {"event_id": "a"}))
    schema = open_parquet(lake, KEY).schema
    found = schema.column(schema.names.index(column))
    assert (found.physical_type, found.logical_type.type) == (physical, logical)


@pytest.mark.parametrize("table", [EVENTS, REJECTS, FILES])
def test_every_column_is_optional_and_in_contract_order(lake: Storage, table: Table) -> None:
    written(lake, rows(table, {}), table=table)
    schema = open_parquet(lake, KEY).schema
    assert tuple(schema.names) == table.names
    assert {schema.column(i).max_definition_level for i in range(len(schema))} == {1}


def test_no_arrow_schema_is_stored_and_codec_is_snappy(lake: Storage) -> None:
    written(lake, rows(EVENTS, {"event_id": "a", "user_agent": "b"}))
    metadata = open_parquet(lake, KEY).metadata
    assert metadata.metadata is None
    group = metadata.row_group(0)
    assert {group.column(i).compression for i in range(group.num_columns)} == {"SNAPPY"}


def test_statistics_and_dictionaries_are_where_they_pay(lake: Storage) -> None:
    written(
        lake,
        rows(EVENTS, dict.fromkeys(EVENTS.names) | {"event_id": "a", "client_ip": "::"}),
    )
    group = open_parquet(lake, KEY).metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {name for name, column in columns.items() if column.is_stats_set} == {
        "event_date",
        "batch_id",
        "source_offset",
        "status_code",
        "client_ip",
        "session_id",
    }
    assert columns["client_ip"].has_dictionary_page
    assert not columns["event_id"].has_dictionary_page


def test_times_of_all_years_and_nulls_come_back(lake: Storage) -> None:
    times = [FIRST, None, BEFORE_EPOCH, PAST_NANOSECONDS, LAST]
    facts = written(lake, rows(EVENTS, *({"event_time": t} for t in times)))
    back = open_parquet(lake, KEY).read()
    # INT96 has no zone: its instants are UTC by our contract.
    assert back["event_time"].to_pylist() == [t and t.replace(tzinfo=None) for t in times]
    assert back["url_path"].null_count == len(times)
    assert (facts.min_event_time, facts.max_event_time) == (FIRST, LAST)


def test_values_come_back(lake: Storage) -> None:
    row = {
        "event_id": "63c576d511cab0cebef10000000120b8",
        "event_date": date(2024, 3, 3),
        "source_offset": 73912,
        "status_code": 0,
        "duration_ms": 0.25,
        "user_agent": "caf\u00e9",
    }
    facts = written(lake, rows(EVENTS, row))
    (back,) = open_parquet(lake, KEY).read().to_pylist()
    assert back == dict.fromkeys(EVENTS.names) | row
    assert (facts.rows, facts.min_event_time, facts.max_event_time) == (1, None, None)
    assert facts.bytes == lake.stat(KEY).size


def test_chunks_are_gathered_into_row_groups(
    lake: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 4)
    chunks = [rows(EVENTS, *({"source_offset": i} for i in range(*r))) for r in ((0, 3), (3, 12))]
    chunks.append(rows(EVENTS, {"source_offset": 12}, {"source_offset": 13}))
    facts = written(lake, *chunks)
    file = open_parquet(lake, KEY)
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [4, 4, 4, 2]
    assert facts.rows == 14
    assert file.read()["source_offset"].to_pylist() == list(range(14))


def test_wide_rows_do_not_wait_for_a_whole_row_group(
    lake: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP_BYTES", 100_000)
    wide = [
        rows(EVENTS, {"source_offset": number, "user_agent": "x" * 40_000}) for number in range(8)
    ]
    facts = written(lake, *wide)
    file = open_parquet(lake, KEY)
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [3, 3, 2]
    assert facts.rows == 8
    assert file.read()["source_offset"].to_pylist() == list(range(8))


def test_dictionaries_and_plain_texts_mix_and_end_as_plain_strings(lake: Storage) -> None:
    encoded = [
        rows(EVENTS, {"source_format": name, "user_agent": None}).cast(encoded_schema(EVENTS))
        for name in ("access", "alb")
    ]
    written(lake, *encoded, rows(EVENTS, {"source_format": "s3"}))
    file = open_parquet(lake, KEY)
    assert file.schema_arrow.field("source_format").type == pa.string()
    assert file.read()["source_format"].to_pylist() == ["access", "alb", "s3"]
    assert file.num_row_groups == 1


def test_texts_that_nearly_all_differ_get_no_common_dictionary(
    lake: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_MANY_TEXTS", 2)
    clients = [[f"192.0.2.{first + i}" for i in range(3)] for first in (0, 3)]
    chunks = [
        rows(EVENTS, *({"client_address": c, "user_agent": "curl"} for c in some)).cast(
            encoded_schema(EVENTS)
        )
        for some in clients
    ]
    joined = parquet._with_one_dictionary(pa.concat_tables(chunks))
    for name, sizes in (("client_address", [3, 3]), ("user_agent", [1, 1])):
        assert [len(chunk.dictionary) for chunk in joined[name].chunks] == sizes
    written(lake, *chunks)
    back = open_parquet(lake, KEY).read()["client_address"].to_pylist()
    assert back == [*clients[0], *clients[1]]


def test_texts_that_repeat_between_chunks_get_a_common_dictionary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet, "_MANY_TEXTS", 2)
    clients = [{"client_address": f"192.0.2.{i % 2}"} for i in range(4)]
    chunks = [rows(EVENTS, *some).cast(encoded_schema(EVENTS)) for some in (clients, clients[::-1])]
    one, other = parquet._with_one_dictionary(pa.concat_tables(chunks))["client_address"].chunks
    assert one.dictionary.equals(other.dictionary)


def test_columns_whose_texts_nearly_all_differ_have_no_dictionary(
    lake: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_SAMPLE_ROWS", 16)
    monkeypatch.setattr(parquet, "_MANY_TEXTS", 8)
    given = [
        {
            "extra": f"{i}",
            "client_address": f"{i}",
            "url_path": f"{i if i < 14 else 0}",
            "url_query": f"{i if i < 15 else 0}",
            "referrer": f"{i}" if i < 7 else None,
            "user_agent": "curl",
        }
        for i in range(16)
    ]
    written(lake, rows(EVENTS, *given).cast(encoded_schema(EVENTS)))
    file = open_parquet(lake, KEY)
    group = file.metadata.row_group(0)
    paged = {
        column.path_in_schema
        for column in map(group.column, range(group.num_columns))
        if column.has_dictionary_page
    }
    assert paged & given[0].keys() == {"url_path", "referrer", "user_agent"}
    assert file.read(list(given[0])).to_pylist() == given


@pytest.mark.parametrize(
    ("column", "is_dictionary"),
    [("user_agent", True), ("client_ip", True), ("event_id", False), ("url_original", False)],
)
def test_dictionary_columns_are_taken_as_dictionaries(column: str, is_dictionary: bool) -> None:
    kind = encoded_schema(EVENTS).field(column).type
    assert pa.types.is_dictionary(kind) is is_dictionary


def test_no_rows_make_a_readable_file(lake: Storage) -> None:
    facts = written(lake)
    assert facts.rows == 0
    assert open_parquet(lake, KEY).read().num_rows == 0


def test_flags_of_columns_that_are_never_set_together() -> None:
    for column in (column for table in TABLES for column in table.columns):
        assert not (column.dictionary and column.unique), column.name
        assert column.type is Type.STRING or not (column.dictionary or column.unique), column.name


def test_only_the_footer_is_read_to_count_rows(lake: Storage) -> None:
    ids = ({"event_id": os.urandom(16).hex()} for _ in range(20_000))
    size = written(lake, rows(EVENTS, *ids)).bytes
    counting = CountingStorage(lake)
    with open_parquet(counting, KEY) as file:
        assert file.metadata.num_rows == 20_000
    assert 0 < sum(end - start for start, end in counting.ranges) < size / 4


def test_what_is_not_parquet_or_gone_is_unreadable(lake: Storage) -> None:
    written(lake, rows(EVENTS, {"event_id": "a"}))
    whole = lake.read(KEY)
    for broken in (b"", b"PAR1", whole[:-10], whole[: len(whole) // 2] + bytes(900)):
        lake.put(KEY, broken)
        with pytest.raises(ObjectUnreadable, match=r"events\.parquet: not a Parquet file"):
            open_parquet(lake, KEY)
    lake.delete([KEY])
    with pytest.raises(ObjectUnreadable, match="gone"):
        open_parquet(lake, KEY)


def test_a_file_that_changes_while_it_is_read_is_noticed(lake: Storage) -> None:
    written(lake, rows(EVENTS, {"event_id": "a"}))
    with open_parquet(lake, KEY) as file:
        lake.put(KEY, lake.read(KEY) + b"x")
        with pytest.raises(ObjectChanged):
            file.read()


def test_an_interrupted_file_is_removed(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path / "t.parquet", EVENTS)
    with sink:
        sink.write(rows(EVENTS, {"event_id": "a"}))
    assert list(tmp_path.iterdir()) == []
