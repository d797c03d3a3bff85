"""The contract and what is rendered from it, against facts typed here by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from ingest import cli
from ingest.cli.contract import FORMS as CHOICES
from ingest.contract import BATCHES, EVENTS, FILES, REJECTS, TABLES, Type
from ingest.errors import SettingsError
from ingest.render import (
    COLUMN_DOCS,
    FORMS,
    INDEX_FIELDS,
    SOURCES_YAML,
    STAGING_YAML,
    arrow_schema,
    dbt_sources,
    elasticsearch_properties,
    generated_files,
    index_fields,
    spark_ddl,
    staged_columns,
    staging_models,
    stale_files,
)

ROOT = Path(__file__).resolve().parents[2]
GENERATED = (SOURCES_YAML, COLUMN_DOCS, INDEX_FIELDS, STAGING_YAML)


def test_fifty_columns_in_their_order() -> None:
    names = EVENTS.names
    assert len(names) == 50
    assert (names[0], names[2], names[14], names[28], names[49]) == (
        "event_id", "event_time", "client_ip", "status_code", "extra",
    )  # fmt: skip
    assert [len(table.columns) for table in (REJECTS, FILES, BATCHES)] == [12, 19, 21]


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
    columns, partitions = spark_ddl(EVENTS).split("USING parquet")
    assert "batch_id" not in columns
    assert "PARTITIONED BY (batch_id string, part string)" in partitions
    assert "status_code int COMMENT 'HTTP status; 0 when no response was sent.'" in columns
    assert "batch_id string COMMENT" in spark_ddl(BATCHES)
    assert "PARTITIONED" not in spark_ddl(BATCHES)


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


def test_the_page_of_the_fields_has_a_row_for_each() -> None:
    rows = [line for line in index_fields().splitlines() if line.startswith("| `")]
    assert len(rows) == 47  # and _id
    assert all(row.count(" | ") == 3 for row in rows)
    assert not any("`cookie`" in row for row in rows)
    assert (
        "| `event.duration` | long | `duration_ms` | Total time of the request in milliseconds. "
        "Null when not logged. In documents: whole nanoseconds. |"
    ) in rows
    assert (
        "| `http.request.referrer` | keyword, ignore_above 2048 | `referrer` | Referring URL as "
        "sent. Null when none was sent. |"
    ) in rows


def test_dbt_sources_are_yaml_with_every_column_described() -> None:
    (source,) = yaml.safe_load(dbt_sources())["sources"]
    assert [table["name"] for table in source["tables"]] == [
        "events", "rejects", "files", "batches",
    ]  # fmt: skip
    for table in source["tables"]:
        assert all(column["description"] for column in table["columns"])
    events = source["tables"][0]
    assert [column["name"] for column in events["columns"]] == [*EVENTS.names, "part"]


def test_staging_passes_on_all_columns_but_two() -> None:
    assert set(EVENTS.names) - set(staged_columns(EVENTS)) == {"cookie", "extra"}
    assert staged_columns(BATCHES) == BATCHES.names


STAGING = """
models:
  - name: stg_landing__events # by hand
    columns:
      # begin of the columns of events, rendered by `clickstream contract render`
      - name: of_old
      # end of the columns of events
      - name: is_bot
""" + "".join(
    f"""
  - name: stg_landing__{name}
    columns:
      # begin of the columns of {name}, rendered by `clickstream contract render`
      # end of the columns of {name}
"""
    for name in ("rejects", "files", "batches")
)


def test_only_the_blocks_of_the_staging_yaml_are_rendered() -> None:
    text = staging_models(STAGING)

    events, *others = yaml.safe_load(text)["models"]
    names = [column["name"] for column in events["columns"]]
    assert names == [*(n for n in EVENTS.names if n not in ("cookie", "extra")), "is_bot"]
    assert events["columns"][0]["description"] == "{{ doc('events__event_id') }}"
    assert [len(model["columns"]) for model in others] == [12, 19, 21]
    assert "  - name: stg_landing__events # by hand\n" in text
    assert staging_models(text) == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# begin of the columns of files,", "#"),
        ("# end of the columns of files", "#"),
        ("columns of files", "columns of filles"),
        ("columns of files", "columns of events"),
    ],
)
def test_a_block_without_its_marks_is_not_lost(old: str, new: str) -> None:
    with pytest.raises(SettingsError, match=r"needs one block .* it has "):
        staging_models(STAGING.replace(old, new))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with nothing but the generated files, copied from this one."""
    for path in GENERATED:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


@pytest.mark.parametrize("path", GENERATED)
def test_drift_of_a_generated_file_is_found(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    monkeypatch.setattr("ingest.settings.project_root", lambda: project)
    drifted = project / path
    text = drifted.read_text(encoding="utf-8")
    drifted.write_text(text.replace("user_name", "x"), encoding="utf-8")

    assert stale_files(project) == [drifted]
    assert cli.run(["contract", "check"]) == 1
    assert capsys.readouterr().err == (
        f"error: out of date: {path}; regenerate with: clickstream contract render\n"
    )
    assert cli.run(["contract", "render"]) == 0
    assert drifted.read_text(encoding="utf-8") == text


def test_a_generated_file_that_is_missing_is_out_of_date(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.settings.project_root", lambda: project)
    shutil.rmtree((project / INDEX_FIELDS).parent)

    assert stale_files(project) == [project / INDEX_FIELDS]
    assert cli.run(["contract", "render"]) == 0
    assert stale_files(project) == []


def test_what_is_written_by_hand_cannot_be_rendered(project: Path) -> None:
    (project / STAGING_YAML).unlink()

    with pytest.raises(SettingsError, match=r"_staging__models\.yml cannot be read"):
        generated_files(project)


def test_the_committed_files_say_what_the_contract_says() -> None:
    assert stale_files(ROOT) == []


@pytest.mark.parametrize(
    ("form", "reads"),
    [
        ("arrow", lambda text: "status_code: int32" in text),
        ("dbt", lambda text: len(yaml.safe_load(text)["sources"][0]["tables"]) == 4),
        ("elasticsearch", lambda text: json.loads(text)["mappings"]["dynamic"] == "strict"),
        ("redshift", lambda text: "extra VARCHAR(65535)\n)\nDISTSTYLE EVEN" in text),
        ("spark", lambda text: text.count("CREATE TABLE IF NOT EXISTS landing.") == 4),
    ],
)
def test_the_contract_is_shown_in_each_form(
    capsys: pytest.CaptureFixture[str], form: str, reads: Callable[[str], bool]
) -> None:
    assert cli.run(["contract", "show", "--as", form]) == 0
    assert reads(capsys.readouterr().out)
    assert tuple(FORMS) == CHOICES


def test_the_help_names_each_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["contract", "show", "--help"]) == 0
    _, said = capsys.readouterr().out.split("]", 1)
    assert set(CHOICES) <= set(said.lower().split())
