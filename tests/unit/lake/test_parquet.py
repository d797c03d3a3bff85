"""Lake files: what stands in the file's own Parquet schema, and what comes back."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.contract import EVENTS, FILES, REJECTS, Table
from ingest.lake import parquet
from ingest.lake.parquet import ParquetSink, Written, encoded_schema, open_parquet
from ingest.render import arrow_schema

FIRST = datetime(1, 1, 1, tzinfo=UTC)
BEFORE_EPOCH = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
PAST_NANOSECONDS = datetime(2262, 4, 12, 1, 2, 3, 4, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def rows(table: Table, *values: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(values), schema=arrow_schema(table))


def written(path: Path, *chunks: pa.Table, table: Table = EVENTS) -> Written:
    with ParquetSink(path, table) as sink:
        for chunk in chunks:
            sink.write(chunk)
        return sink.close()


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
    tmp_path: Path, column: str, physical: str, logical: str
) -> None:
    written(tmp_path / "events.parquet", rows(EVENTS, {"event_id": "a"}))
    schema = pq.ParquetFile(tmp_path / "events.parquet").schema
    found = schema.column(schema.names.index(column))
    assert (found.physical_type, found.logical_type.type) == (physical, logical)


@pytest.mark.parametrize("table", [EVENTS, REJECTS, FILES])
def test_every_column_is_optional_and_in_contract_order(tmp_path: Path, table: Table) -> None:
    written(tmp_path / "t.parquet", rows(table, {}), table=table)
    schema = pq.ParquetFile(tmp_path / "t.parquet").schema
    assert tuple(schema.names) == table.names
    assert {schema.column(i).max_definition_level for i in range(len(schema))} == {1}


def test_no_arrow_schema_is_stored_and_codec_is_snappy(tmp_path: Path) -> None:
    written(tmp_path / "t.parquet", rows(EVENTS, {"event_id": "a", "user_agent": "b"}))
    metadata = pq.ParquetFile(tmp_path / "t.parquet").metadata
    assert metadata.metadata is None
    group = metadata.row_group(0)
    assert {group.column(i).compression for i in range(group.num_columns)} == {"SNAPPY"}


def test_statistics_and_dictionaries_are_where_they_pay(tmp_path: Path) -> None:
    written(
        tmp_path / "t.parquet",
        rows(EVENTS, dict.fromkeys(EVENTS.names) | {"event_id": "a", "client_ip": "::"}),
    )
    group = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0)
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


def test_times_of_all_years_and_nulls_come_back(tmp_path: Path) -> None:
    times = [FIRST, None, BEFORE_EPOCH, PAST_NANOSECONDS, LAST]
    facts = written(tmp_path / "t.parquet", rows(EVENTS, *({"event_time": t} for t in times)))
    back = open_parquet(tmp_path / "t.parquet").read()
    # INT96 has no zone: its instants are UTC by our contract.
    assert back["event_time"].to_pylist() == [t and t.replace(tzinfo=None) for t in times]
    assert back["url_path"].null_count == len(times)
    assert (facts.min_event_time, facts.max_event_time) == (FIRST, LAST)


def test_values_come_back(tmp_path: Path) -> None:
    row = {
        "event_id": "63c576d511cab0cebef10000000120b8",
        "event_date": date(2024, 3, 3),
        "source_offset": 73912,
        "status_code": 0,
        "duration_ms": 0.25,
        "user_agent": "caf\u00e9",
    }
    facts = written(tmp_path / "t.parquet", rows(EVENTS, row))
    (back,) = open_parquet(tmp_path / "t.parquet").read().to_pylist()
    assert back == dict.fromkeys(EVENTS.names) | row
    assert (facts.rows, facts.min_event_time, facts.max_event_time) == (1, None, None)
    assert facts.bytes == (tmp_path / "t.parquet").stat().st_size


def test_chunks_are_gathered_into_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 4)
    chunks = [rows(EVENTS, *({"source_offset": i} for i in range(*r))) for r in ((0, 3), (3, 12))]
    chunks.append(rows(EVENTS, {"source_offset": 12}, {"source_offset": 13}))
    facts = written(tmp_path / "t.parquet", *chunks)
    file = open_parquet(tmp_path / "t.parquet")
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert groups == [4, 4, 4, 2]
    assert facts.rows == 14
    assert file.read()["source_offset"].to_pylist() == list(range(14))


def test_dictionaries_and_plain_texts_mix_and_end_as_plain_strings(tmp_path: Path) -> None:
    encoded = [
        rows(EVENTS, {"source_format": name, "user_agent": None}).cast(encoded_schema(EVENTS))
        for name in ("access", "alb")
    ]
    written(tmp_path / "t.parquet", *encoded, rows(EVENTS, {"source_format": "s3"}))
    file = open_parquet(tmp_path / "t.parquet")
    assert file.schema_arrow.field("source_format").type == pa.string()
    assert file.read()["source_format"].to_pylist() == ["access", "alb", "s3"]
    assert file.num_row_groups == 1


def test_no_rows_make_a_readable_file(tmp_path: Path) -> None:
    facts = written(tmp_path / "t.parquet")
    assert facts.rows == 0
    assert open_parquet(tmp_path / "t.parquet").read().num_rows == 0


def test_an_interrupted_file_is_removed(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path / "t.parquet", EVENTS)
    with sink:
        sink.write(rows(EVENTS, {"event_id": "a"}))
    assert list(tmp_path.iterdir()) == []
