"""Commands that show what is there: the books, the marts, the report."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.cli.common import (
    answer_text,
    exit_with,
    json_option,
    load_settings_for,
    show,
    target_option,
)
from ingest.cli.engines import announcing_search_server, warehouse_for
from ingest.cli.opened import open_option, show_page
from ingest.lake.clean import DAYS
from ingest.terminal.text import terminal_width

if TYPE_CHECKING:
    from ingest.books.verify import Verification
    from ingest.settings import Settings

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.option(
    "--rejects",
    "only_rejects",
    is_flag=True,
    help="Instead, show why lines were rejected, with an example and a remedy for each reason.",
)
@click.option(
    "--logs",
    "only_logs",
    is_flag=True,
    help="Instead, show the format, file status and line counts of each log.",
)
@target_option
@json_option
def status(only_rejects: bool, only_logs: bool, target: str | None, as_json: bool) -> None:
    """Show what the ledgers record, without recounting.

    Batches and their states, codes and reasons, objects that are not ok, and what was exported.

    --rejects shows what did not become an event: for each source and reason the number of lines,
    one example with its place, and the setting or command that would fix it. Each example is read
    again, with the settings of today and by all other formats. --logs shows what was read of each
    log.
    """
    from ingest.books.status import status as books
    from ingest.books.status import status_text

    if only_rejects and only_logs:
        raise click.UsageError("--rejects and --logs cannot be combined")
    settings = load_settings_for(target)
    if only_rejects:
        _show_rejects(settings, as_json)
        return
    if only_logs:
        _show_logs(settings, as_json)
        return
    state = books(settings)
    show(state, status_text(state), as_json)


def _show_logs(settings: Settings, as_json: bool) -> None:
    from ingest.books.logs import logs, logs_text

    found = logs(settings)
    show(found, logs_text(found), as_json)


def _show_rejects(settings: Settings, as_json: bool) -> None:
    from ingest.books.rejects import rejects
    from ingest.books.rejects_text import rejects_text

    found = rejects(settings)
    show(found, rejects_text(found), as_json)


@click.command()
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, exists=True, resolve_path=True, path_type=Path),
    help="Also compare with the truth.json of `clickstream sample`.",
)
@click.option(
    "--sources",
    "whole_sources",
    is_flag=True,
    help="Hash all bytes of the logs that lie in the sources, compressed ones included.",
)
@click.option("--deep", is_flag=True, help="Hash all bytes of the files in the lake.")
@click.option(
    "--targets",
    metavar="NAME,NAME",
    help="Instead, compare the marts of these targets with each other, row by row.",
)
@target_option
@json_option
def verify(
    truth: Path | None,
    whole_sources: bool,
    deep: bool,
    targets: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Recount every hop where its rows are.

    Sources = lake = landing = marts = index; exits with 4 when they disagree, and with 3 when the
    search server refused more documents than search.max_dead allows. Of each plain log in
    a folder that is as the last ingest saw it, the first and last 4 KiB are compared with what was
    read; in S3 the etag tells.
    """
    from ingest.books.verify import verify as compare
    from ingest.books.verify import verify_text

    with ExitStack() as stack:
        if targets is not None:
            if truth or whole_sources or deep or target:
                raise click.UsageError("--targets compares marts only: omit all options but --json")
            result = _compared(targets)
        else:
            settings = load_settings_for(target)
            stack.enter_context(announcing_search_server(settings))
            with warehouse_for(target, settings) as (_, warehouse):
                result = compare(
                    settings, warehouse, truth=truth, whole_sources=whole_sources, deep=deep
                )
        show(result, verify_text(result), as_json)
    exit_with(result.exit_code)


def _compared(targets: str) -> Verification:
    from ingest.books.parity import compare_targets

    names = [name.strip() for name in targets.split(",")]
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise click.BadParameter(
            "name two targets or more, as in local,redshift", param_hint="--targets"
        )
    with ExitStack() as stack:
        opened = {name: stack.enter_context(warehouse_for(name)) for name in names}
        (settings, _), *_ = opened.values()
        return compare_targets(
            settings.root, {name: warehouse for name, (_, warehouse) in opened.items()}
        )


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(min=1),
    default=DAYS,
    show_default=True,
    metavar="DAYS",
    help="Remove only files unchanged for this many days; allow more than your longest ingest.",
)
@json_option
def clean(dry_run: bool, days: int, as_json: bool) -> None:
    """Remove files from the lake that no batch names.

    Ingests that were killed leave them behind. Nothing reads them, and nothing else in the lake is
    ever deleted.
    """
    from ingest.books.status import orphans_text
    from ingest.lake import clean as lake_clean
    from ingest.lake.records import open_lake, read_log

    lake = open_lake(load_settings_for(None).lake, must_exist=True)
    act = lake_clean.find_orphans if dry_run else lake_clean.clean
    orphans = act(lake, read_log(lake), now=datetime.now(UTC), days=days)
    verb = "would remove" if dry_run else "removed"
    show(orphans, f"{verb} {orphans_text(orphans)}", as_json)


@click.command()
@click.option(
    "--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="First day (UTC). [default: all days]"
)
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Last day (UTC), inclusive.")
@open_option
@target_option
@json_option
def report(
    first: datetime | None, last: datetime | None, opened: bool, target: str | None, as_json: bool
) -> None:
    """Write one self-contained HTML page about all days or a period.

    Events without a plausible time count on the day when they were read.
    """
    from ingest.report import write_report
    from ingest.report.period import Period

    period = Period(first=first and first.date(), last=last and last.date())
    with warehouse_for(target) as (settings, warehouse):
        path = write_report(settings, warehouse, period=period)
    show_page("report", Path(path), opened=opened, as_json=as_json)


@click.command()
@open_option
@target_option
@json_option
def docs(opened: bool, target: str | None, as_json: bool) -> None:
    """Write dbt's documentation of all tables as one HTML page.

    `dbt docs generate` and `dbt docs serve` work as well.
    """
    from ingest.warehouse.dbt import write_docs

    with warehouse_for(target) as (settings, _):
        path = write_docs(settings)
    show_page("docs", path, opened=opened, as_json=as_json)


@click.command()
@click.argument("sql", required=False)
@target_option
@json_option
def query(sql: str | None, target: str | None, as_json: bool) -> None:
    """Answer one read-only SQL query, or open a shell for many.

    \b
    clickstream query "select * from number_of_events_per_brand"
    clickstream query < question.sql
    clickstream query          (a shell: completion, history, \\d lists tables)
    """
    from ingest.warehouse.query import run_query

    if sql is None and not sys.stdin.isatty():
        sql = _typed_in()
    if sql is not None and not sql.strip():
        raise click.UsageError("the query is empty")
    if sql is None and (as_json or not sys.stdout.isatty()):
        raise click.UsageError("the shell needs a terminal: give a query")
    with warehouse_for(target) as (settings, warehouse):
        if sql is None:
            from ingest.cli.shell import open_shell
            from ingest.warehouse import is_on_spark

            history = settings.data / "query_history"
            open_shell(warehouse, history, shared=not is_on_spark(settings))
            return
        found = run_query(warehouse, sql)
        if as_json:
            show(found, "", as_json)
        else:
            click.echo(answer_text(found, terminal_width()))


def _typed_in() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise click.UsageError("the query on standard input is not UTF-8 text") from error
