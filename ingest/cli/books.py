"""Commands that read: the books, the marts, the report."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.common import (
    exit_with,
    json_option,
    load_settings_for,
    session_of,
    show,
    target_option,
)
from ingest.errors import BooksError


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show the books as they stand written.

    Batches, files, rejects by reason, what is loaded and exported.
    """
    from ingest.books.status import status as books
    from ingest.books.status import status_text

    state = books(load_settings_for(None))
    show(state, status_text(state), as_json)


@click.command()
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Compare with the truth.json of `clickstream sample` too.",
)
@target_option
@json_option
def verify(truth: Path | None, target: str | None, as_json: bool) -> None:
    """Count every hop again where its rows lie.

    Lake = landing = marts = index; exit 4 when they disagree.
    """
    from ingest.books.verify import verify as compare
    from ingest.books.verify import verify_text

    with session_of(target) as (settings, session):
        result = compare(settings, session, truth=truth)
    show(result, verify_text(result), as_json)
    exit_with(0 if result.balanced else BooksError.exit_code)


@click.command()
@target_option
@json_option
def report(target: str | None, as_json: bool) -> None:
    """Write one self-contained HTML page from the marts."""
    from ingest.report import write_report

    with session_of(target) as (settings, session):
        path = write_report(settings, session)
    show({"report": str(path)}, str(path), as_json)


@click.command()
@click.argument("sql")
@target_option
@json_option
def query(sql: str, target: str | None, as_json: bool) -> None:
    """Run one SQL query where the marts are, and print its rows.

    \b
    clickstream query "select * from number_of_events_per_brand order by total_events desc"
    """
    from ingest.terminal.text import table_text
    from ingest.warehouse.query import run_query

    with session_of(target) as (settings, session):
        columns, rows = run_query(settings, session, sql)
    text = f"{table_text(columns, rows)}\n({len(rows):,} rows)"
    show({"columns": columns, "rows": rows}, text, as_json)
