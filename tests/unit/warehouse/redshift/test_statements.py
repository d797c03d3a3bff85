"""What goes to Redshift as text, and what is refused before."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fixtures.records import make_draft

from ingest.contract import BATCHES, EVENTS
from ingest.errors import SettingsError
from ingest.lake.records import NamedFile
from ingest.render import redshift_ddl
from ingest.warehouse.ledger import LedgerRow
from ingest.warehouse.redshift import statements
from ingest.warehouse.redshift.manifest import render_manifest
from ingest.warehouse.redshift.reads import check_reads
from ingest.warehouse.redshift.statements import Statement
from ingest.warehouse.redshift.transaction import Change, describe_change

MANIFEST = "s3://bucket/lake/manifests/redshift/ab/events.json"
ROLE = "arn:aws:iam::123456789012:role/copy"


def test_copy_names_columns_manifest_and_role() -> None:
    statement = statements.copy(EVENTS, ("event_id", "batch_id"), MANIFEST, ROLE)

    assert statement == Statement(
        f"COPY landing.events (event_id, batch_id) FROM '{MANIFEST}' IAM_ROLE '{ROLE}'"
        " FORMAT AS PARQUET MANIFEST"
    )
    default = statements.copy(EVENTS, ("event_id",), MANIFEST, "default")
    assert " IAM_ROLE default FORMAT" in default.sql


@pytest.mark.parametrize("uri", ["s3://bucket/it's", "s3://bucket/a b", "/lake/events.json"])
def test_a_place_that_cannot_be_quoted_is_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match="COPY cannot read"):
        statements.copy(EVENTS, ("event_id",), uri, ROLE)


@pytest.mark.parametrize("role", ["", "copy", "arn:aws:iam::1:role/x", f"{ROLE}' x '"])
def test_a_role_that_is_none_is_refused(role: str) -> None:
    with pytest.raises(SettingsError, match="REDSHIFT_COPY_ROLE_ARN"):
        statements.copy(EVENTS, ("event_id",), MANIFEST, role)


def test_a_statement_is_shown_with_its_values() -> None:
    at = datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC).replace(tzinfo=None)
    shown = str(Statement("VALUES (%s, %s, %s, %s, %s)", ("it's", 5, None, at, "\\'")))

    assert shown == (
        "VALUES ('it''s', 5, NULL, '2025-01-02 03:04:05.000006', '' || chr(92) || '''');"
    )


@pytest.mark.parametrize("rest", ["commit", "unload ('select 1') to 's3://b/p'", "call p()"])
@pytest.mark.parametrize(
    "before", ["/* /* */ select */ ", "/* select", "-- select\n", "(/* */) /**//*/* */*/"]
)
def test_no_comment_hides_a_statement(before: str, rest: str) -> None:
    with pytest.raises(SettingsError, match="only reads"):
        check_reads(before + rest)


def test_a_batch_may_replace_any_number_of_others() -> None:
    """The driver sends at most 32,767 values with a statement."""
    at = datetime(2025, 1, 2, tzinfo=UTC)
    rows = tuple(
        LedgerRow(
            record=make_draft(f"b{number}"),
            state="replaced",
            replaced_by="c",
            manifest_hash=None,
            loaded_at=at,
        )
        for number in range(2_500)
    )
    sent = [*describe_change("s3://bucket/lake", Change(rows=rows), "default")]
    assert max(len(statement.values) for statement in sent) < 32_767
    inserted = [one for one in sent if one.sql.startswith("INSERT")]
    assert sum(one.sql.count("(%s") for one in inserted) == 2_500


def test_the_ledger_is_written_in_one_statement() -> None:
    row = tuple(range(len(BATCHES.columns)))
    statement = statements.insert_ledger([row, row])

    assert statement.values == row + row
    assert statement.sql.count("%s") == 2 * len(row)


def test_tables_have_widths_and_no_keys() -> None:
    ddl = redshift_ddl(EVENTS)

    assert "event_id VARCHAR(32) NOT NULL," in ddl
    assert ddl.endswith("DISTSTYLE EVEN\nCOMPOUND SORTKEY (event_date, event_time)\n")
    assert "KEY (event_id)" not in ddl
    assert redshift_ddl(BATCHES).endswith("DISTSTYLE ALL\n")


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "  -- who\n/* and */ (SELECT 1)",
        "with a as (select 1) select * from a",
        "show x",
    ],
)
def test_what_reads_is_sent(sql: str) -> None:
    check_reads(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "unload ('select 1') to 's3://b/x'",
        "call p()",
        "commit",
        "/* select */ delete from landing.batches",
        "set search_path to x",
        "",
        "'select'",
    ],
)
def test_what_does_more_is_refused(sql: str) -> None:
    with pytest.raises(SettingsError, match="only reads"):
        check_reads(sql)


def test_a_manifest_names_the_files_of_the_record() -> None:
    files = tuple(NamedFile(path=name, rows=1, bytes=size) for name, size in (("b", 2), ("a", 1)))
    record = replace(make_draft("ab"), files={"events": files})

    assert json.loads(render_manifest("s3://bucket/lake", record, EVENTS)) == {
        "entries": [
            {"url": "s3://bucket/lake/a", "mandatory": True, "meta": {"content_length": 1}},
            {"url": "s3://bucket/lake/b", "mandatory": True, "meta": {"content_length": 2}},
        ]
    }
