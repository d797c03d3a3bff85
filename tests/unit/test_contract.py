"""The contract and what is rendered from it, against facts typed here by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from ingest.contract import BATCHES, EVENTS, FILES, REJECTS, TABLES, Type
from ingest.render import (
    arrow_schema,
    as_text,
    dbt_sources,
    elasticsearch_properties,
    generated_files,
    spark_columns,
    stale_files,
)


def test_fifty_columns_in_their_order() -> None:
    names = EVENTS.names
    assert len(names) == 50
    assert (names[0], names[2], names[14], names[28], names[49]) == (
        "event_id", "event_time", "client_ip", "status_code", "extra",
    )  # fmt: skip
    assert [len(table.columns) for table in (REJECTS, FILES, BATCHES)] == [12, 16, 21]


def test_every_text_has_a_width_and_every_column_a_sentence() -> None:
    for table in TABLES:
        assert table.description.startswith("One row per ")
        assert len(set(table.names)) == len(table.names)
        for column in table.columns:
            assert (column.width is None) == (column.type is not Type.STRING), column.name
            assert column.description.endswith("."), column.name


def test_never_null_columns_of_events() -> None:
    assert {column.name for column in EVENTS.columns if not column.nullable} == {
        "event_id", "batch_id", "event_date", "ingest_time", "source_format", "source_file",
        "source_offset", "parse_status", "event_type",
    }  # fmt: skip


def test_arrow() -> None:
    schema = arrow_schema(EVENTS)
    assert schema.field("event_time").type == pa.timestamp("us", tz="UTC")
    assert schema.field("event_date").type == pa.date32()
    assert schema.field("status_code").type == pa.int32()
    assert all(field.nullable for field in schema)


def test_spark_leaves_folders_out_of_the_columns() -> None:
    assert not any(line.startswith("batch_id ") for line in spark_columns(EVENTS))
    assert spark_columns(BATCHES)[0].startswith("batch_id string COMMENT ")
    assert "status_code int COMMENT 'HTTP status; 0 when no response was sent.'" in as_text("spark")


def test_search_mapping() -> None:
    properties = elasticsearch_properties()

    def leaves(level: dict[str, Any]) -> int:
        return sum(
            leaves(entry["properties"]) if "properties" in entry else 1 for entry in level.values()
        )

    assert leaves(properties) == 46
    assert properties["@timestamp"] == {"type": "date"}
    assert properties["source"]["properties"]["ip"] == {"type": "ip", "ignore_malformed": True}
    assert properties["url"]["properties"]["path"] == {"type": "keyword", "ignore_above": 2048}
    assert "cookie" not in json.dumps(properties)


def test_dbt_sources_are_yaml_with_every_column_described() -> None:
    (source,) = yaml.safe_load(dbt_sources())["sources"]
    assert [table["name"] for table in source["tables"]] == [
        "events", "rejects", "files", "batches",
    ]  # fmt: skip
    for table in source["tables"]:
        assert all(column["description"] for column in table["columns"])
    events = source["tables"][0]
    assert events["columns"][-1]["name"] == "part"
    assert len(events["columns"]) == 51


def test_drift_of_a_generated_file_is_found(tmp_path: Path) -> None:
    files = generated_files(tmp_path)
    assert stale_files(tmp_path) == list(files)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert stale_files(tmp_path) == []
    path, text = next(iter(files.items()))
    path.write_text(text.replace("event_id", "event_key"), encoding="utf-8")
    assert stale_files(tmp_path) == [path]


def test_the_committed_files_say_what_the_contract_says() -> None:
    assert stale_files(Path(__file__).resolve().parents[2]) == []


def test_unknown_form() -> None:
    with pytest.raises(ValueError, match="csv"):
        as_text("csv")
