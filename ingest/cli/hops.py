"""One command a hop, and `run` for all of them."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.cli.common import (
    accept_option,
    exit_with,
    json_option,
    load_settings_for,
    plain,
    show,
    showing_what_was_done,
    target_option,
)
from ingest.cli.engines import (
    export_tasks_for,
    export_tasks_on,
    ingest_tasks_on,
    spark_for,
    warehouse_for,
)
from ingest.errors import gravest


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--accept-duplicates", is_flag=True, help="Ingest copies under other names too.")
@target_option
@json_option
def ingest(
    sources: tuple[str, ...], accept_duplicates: bool, target: str | None, as_json: bool
) -> None:
    """Parse what is new into the lake.

    SOURCES are names in clickstream.toml (default: all). Hops 1 to 3: discover, parse, seal.
    """
    from ingest.books.refused import refused_by, refused_problems
    from ingest.cli.summaries import ingest_line
    from ingest.job.run import check_sources
    from ingest.job.run import ingest as ingest_new

    settings = load_settings_for(target)
    check_sources(settings, sources)
    with showing_what_was_done(ingest_line, as_json), spark_for(settings) as session:
        summary = ingest_new(
            settings,
            ingest_tasks_on(session),
            sources=sources,
            accept_duplicates=accept_duplicates,
        )
    show({**plain(summary), "refused": refused_by(summary)}, ingest_line(summary), as_json)
    problems = dict(refused_problems(settings, summary))
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    exit_with(gravest(summary.exit_code, *problems.values()))


@click.command()
@accept_option
@target_option
@json_option
def load(accept: tuple[str, ...], target: str | None, as_json: bool) -> None:
    """Load sealed batches into the landing tables."""
    from ingest.cli.summaries import load_line
    from ingest.warehouse.load import load as load_sealed

    with warehouse_for(target) as (settings, warehouse):
        summary = load_sealed(settings, warehouse, accept=accept)
    show(summary, load_line(summary), as_json)
    exit_with(summary.exit_code)


@click.command()
@accept_option
@click.option("--recreate", is_flag=True, help="Delete our index and export everything again.")
@click.option("--yes", is_flag=True, help="Do not ask before --recreate.")
@click.option("--dry-run", is_flag=True, help="Say what would be exported.")
@target_option
@json_option
def export(
    accept: tuple[str, ...],
    recreate: bool,
    yes: bool,
    dry_run: bool,
    target: str | None,
    as_json: bool,
) -> None:
    """Index every event into Elasticsearch."""
    from ingest.cli.summaries import export_line
    from ingest.search.export import export as export_sealed

    settings = load_settings_for(target)
    if recreate and not dry_run and not yes:
        click.confirm(f"Delete the index {settings.search.index}?", abort=True, err=True)
    with showing_what_was_done(export_line, as_json), export_tasks_for(settings) as run_tasks:
        summary = export_sealed(
            settings, run_tasks, accept=accept, recreate=recreate, dry_run=dry_run
        )
    show(summary, export_line(summary), as_json)
    exit_with(summary.exit_code)


@click.command("run")
@accept_option
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Compare with the truth.json of `clickstream sample`.",
)
@target_option
@json_option
def run_all(accept: tuple[str, ...], truth: Path | None, target: str | None, as_json: bool) -> None:
    """Do the whole job, from raw logs to the report.

    Ingest, load, dbt build, export, verify, report.

    Run it as often as you like: only what is new is read, and what a crash left is completed.
    """
    from ingest.cli.summaries import summary_text
    from ingest.job.run import check_sources
    from ingest.pipeline import run_pipeline

    check_sources(load_settings_for(target))
    # The warehouse comes first: on Spark, its session is the one that the tasks take.
    with warehouse_for(target) as (settings, warehouse), spark_for(settings) as session:
        summary = run_pipeline(
            settings,
            warehouse,
            ingest_tasks=ingest_tasks_on(session),
            export_tasks=export_tasks_on(session, settings),
            accept=accept,
            truth=truth,
        )
    show(summary, summary_text(settings, summary), as_json)
    exit_with(summary.exit_code)
