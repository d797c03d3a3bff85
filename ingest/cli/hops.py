"""One command a hop, and `run` for all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.cli.common import (
    accept_option,
    confirmed,
    environ_with,
    exit_with,
    json_option,
    load_settings_for,
    plain,
    raw_option,
    show,
    show_request,
    show_steps,
    showing_what_was_done,
    target_option,
)
from ingest.cli.engines import (
    announcing_search_server,
    export_tasks_for,
    ingest_tasks_for,
    warehouse_for,
)
from ingest.cli.stdin import STDIN
from ingest.errors import ClickstreamError, gravest
from ingest.terminal.text import printable_lines

if TYPE_CHECKING:
    from ingest.job.replay import Choice
    from ingest.job.run import IngestSummary, RunTasks
    from ingest.settings import Settings


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--accept-duplicates", is_flag=True, help="Also ingest copies, as logs of their own.")
@click.option(
    "--as-new",
    multiple=True,
    metavar="KEY",
    help="What lies at KEY, a path within the source, is another log, which a run asked about; "
    "may be repeated.",
)
@click.option(
    "--final", is_flag=True, help="Read last lines without a line end now; do not wait for it."
)
@raw_option
@target_option
@json_option
def ingest(
    sources: tuple[str, ...],
    accept_duplicates: bool,
    as_new: tuple[str, ...],
    final: bool,
    raw: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Parse new raw logs into the lake.

    SOURCES are names from clickstream.toml (default: all). Hops 1 to 3: discover, parse, seal.

    Logs are followed by their content, whatever happens to their files:

    \b
    grew                         read from where it ended
    renamed, moved, compressed   the same log: no line is read again
    emptied and begun again      the next log of that name; the old events stay
    copied                       reported, not read
    deleted                      its events stay
    edited, cut short            named until you say what it is: `replay --key`
                                 (a correction) or `ingest --as-new` (another log)
    """
    from ingest.cli.summaries import ingest_line
    from ingest.job.matching import Wishes
    from ingest.job.run import check_sources
    from ingest.job.run import ingest as ingest_new

    settings = load_settings_for(target, raw)
    check_sources(settings, sources)
    with showing_what_was_done(ingest_line, as_json), ingest_tasks_for(settings) as run_tasks:
        summary = ingest_new(
            settings,
            run_tasks,
            sources=sources,
            wishes=Wishes(
                accept_duplicates=accept_duplicates, as_new=frozenset(as_new), final=final
            ),
        )
    _end_ingest(settings, summary, as_json)


@click.command()
@click.argument("sources", nargs=-1)
@click.option(
    "--batch",
    "batch_ids",
    multiple=True,
    metavar="ID",
    help="This batch; may be repeated; 6 digits are enough.",
)
@click.option("--rejects", is_flag=True, help="Batches with rejected lines or refused objects.")
@click.option("--settings", is_flag=True, help="Batches that were read by other settings.")
@click.option("--parser", is_flag=True, help="Batches that an older parser has read.")
@click.option(
    "--key",
    metavar="KEY",
    help="What lies at KEY, a path within the source, in place of what was read from there.",
)
@click.option(
    "--accept-loss", is_flag=True, help="Go on without logs that are gone: their events go too."
)
@click.option(
    "--dry-run", is_flag=True, help="Show which batches would be read again, and change nothing."
)
@target_option
@json_option
def replay(
    sources: tuple[str, ...], dry_run: bool, target: str | None, as_json: bool, **chosen: Any
) -> None:
    """Read again what sealed batches own, and replace them.

    Say which: --batch, --rejects, --settings, --parser or --key. SOURCES are names from
    clickstream.toml (default: all). What is new is ingested first. Then exactly the bytes of these
    batches are read, each log where it lies now; --key reads the whole file. The next `load` and
    `export`, or `run`, show the result. Batches are never replaced otherwise.

    After a fix, such as another `format` of a source, what was rejected becomes events:

    \b
    clickstream status --rejects             what was rejected, and how to fix it
    clickstream replay --rejects --dry-run   which batches, and what changed since
    clickstream replay --rejects             read them again
    clickstream run                          load, build, export and verify
    """
    from ingest.cli.summaries import ingest_line
    from ingest.job.replay import Choice
    from ingest.job.run import check_sources
    from ingest.job.run import replay as replay_chosen

    choice = Choice(**chosen)
    if sum(map(bool, chosen.values())) - choice.accept_loss != 1:
        raise click.UsageError(
            "say what to read again: --batch, --rejects, --settings, --parser or --key"
        )
    settings = load_settings_for(target)
    if dry_run:
        _show_replay(settings, choice, sources, as_json)
        return
    check_sources(settings, sources)
    with showing_what_was_done(ingest_line, as_json), ingest_tasks_for(settings) as run_tasks:
        summary = replay_chosen(settings, run_tasks, choice, sources=sources)
    _end_ingest(settings, summary, as_json)


def _show_replay(
    settings: Settings, choice: Choice, sources: tuple[str, ...], as_json: bool
) -> None:
    from ingest.cli.summaries import replay_text
    from ingest.job.dry_replay import plan_replay

    plan = plan_replay(settings, choice, sources=sources)
    show(plan, replay_text(plan), as_json)


def _end_ingest(settings: Settings, summary: IngestSummary, as_json: bool) -> None:
    """Print what was ingested, and what was refused; end with the worst exit code."""
    from ingest.books.refused import refused_by, refused_problems
    from ingest.cli.summaries import ingest_line

    show({**plain(summary), "refused": refused_by(summary)}, ingest_line(summary), as_json)
    problems = dict(refused_problems(settings, summary))
    for problem in problems:
        click.echo(f"error: {printable_lines(problem)}", err=True)
    exit_with(gravest(summary.exit_code, *problems.values()))


@click.command()
@accept_option
@click.option(
    "--dry-run", is_flag=True, help="Print the statements or steps of each batch; change nothing."
)
@target_option
@json_option
def load(accept: tuple[str, ...], dry_run: bool, target: str | None, as_json: bool) -> None:
    """Load sealed batches into the landing tables.

    On Redshift each batch is one transaction, which --dry-run prints as SQL; on Spark it prints
    what happens to the partitions of each batch.
    """
    from ingest.cli.summaries import load_line
    from ingest.warehouse.load import describe_load
    from ingest.warehouse.load import load as load_sealed

    with warehouse_for(target) as (settings, warehouse):
        if dry_run:
            show_steps(describe_load(settings, warehouse, accept=accept), as_json)
            return
        summary = load_sealed(settings, warehouse, accept=accept)
    show(summary, load_line(summary), as_json)
    exit_with(summary.exit_code)


@click.command(hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, required=True)
def dbt(arguments: tuple[str, ...]) -> None:
    """Run dbt on the target, for jobs on a cluster; here, people type `dbt` itself.

    What a killed job left behind is removed first.
    """
    from ingest.cli.summaries import dbt_line
    from ingest.warehouse.dbt import run_dbt

    with warehouse_for(None) as (settings, warehouse):
        warehouse.repair()
        done = run_dbt(settings, *arguments)
    show(done, dbt_line(done), as_json=False)
    for failure in done.failures:
        click.echo(f"error: {printable_lines(f'{failure.name}: {failure.message}')}", err=True)
    exit_with(0 if done.success else 1)


@click.command()
@accept_option
@click.option("--recreate", is_flag=True, help="Delete the index and export everything again.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation of --recreate.")
@click.option(
    "--replay",
    is_flag=True,
    help="Send only the dead letters, again after a fix; status lists them.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be exported, and change nothing.")
@target_option
@json_option
def export(
    accept: tuple[str, ...],
    recreate: bool,
    yes: bool,
    replay: bool,
    dry_run: bool,
    target: str | None,
    as_json: bool,
) -> None:
    """Export every event to Elasticsearch or OpenSearch.

    ES_URL, or search.url in clickstream.toml, names the server, and off turns the export off.
    Without either the local search server is started, and stays up: `clickstream search`.
    """
    from ingest.cli.given import search_place
    from ingest.cli.summaries import export_line
    from ingest.search.export import export as export_sealed
    from ingest.settings import OFF

    if recreate and replay:
        raise click.UsageError("--recreate sends all events, dead letters too: omit --replay")
    settings = load_settings_for(target)
    if recreate and not (dry_run or yes or settings.search.url == OFF):
        index = f"the index {settings.search.index} {search_place(settings)}"
        if not confirmed(f"Delete {index}?"):
            raise ClickstreamError(
                f"nothing was changed: to delete {index}, answer y or pass --yes"
            )
    with announcing_search_server(settings):
        with showing_what_was_done(export_line, as_json), export_tasks_for(settings) as run_tasks:
            summary = export_sealed(
                settings,
                run_tasks,
                accept=accept,
                recreate=recreate,
                replay=replay,
                dry_run=dry_run,
            )
        show(summary, export_line(summary), as_json)
        if summary.refusal is not None:
            click.echo(f"error: {printable_lines(summary.refusal)}", err=True)
    exit_with(summary.exit_code)


@click.command("run")
@accept_option
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, exists=True, resolve_path=True, path_type=Path),
    help="Compare with the truth.json of `clickstream sample`.",
)
@click.option(
    "--full-refresh",
    is_flag=True,
    help="Rebuild all marts from the landing tables; a run that finds them damaged does this by "
    "itself.",
)
@click.option(
    "--on",
    "place",
    type=click.Choice(("emr",)),
    help="Ingest as a job on EMR, which [emr] in clickstream.toml describes; do the rest here.",
)
@click.option(
    "--dry-run", is_flag=True, help="With --on: print the request as JSON; call no service."
)
@raw_option
@target_option
@json_option
def run_all(
    accept: tuple[str, ...],
    truth: Path | None,
    full_refresh: bool,
    place: str | None,
    dry_run: bool,
    raw: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Run the whole pipeline, from raw logs to the report.

    Ingest, load, dbt build, export, verify, report.

    Run it as often as you like: it reads only what is new, and completes what a crash left
    unfinished. Logs may also come from standard input; what arrives twice counts once:

    \b
    zcat access.log.*.gz | clickstream run --raw -
    """
    from ingest.cli.summaries import summary_text
    from ingest.job.run import check_sources
    from ingest.pipeline import run_pipeline

    if place is not None and raw == STDIN:
        raise click.UsageError("a job reads no standard input: name an s3:// place, or omit --on")
    if dry_run and place is None:
        raise click.UsageError("--dry-run needs --on emr")
    settings = load_settings_for(target, raw)
    if place is not None:
        request = _request(settings, raw)
        if dry_run:
            show_request(request, as_json)
            return
    check_sources(settings)
    # The warehouse comes first: on Spark, the tasks run in its session.
    with (
        warehouse_for(target, settings) as (_, warehouse),
        ingest_tasks_for(settings) as ingest_tasks,
        export_tasks_for(settings) as export_tasks,
    ):
        summary = run_pipeline(
            settings,
            warehouse,
            ingest=_ingest_hop(settings, ingest_tasks, place=place, raw=raw),
            export_tasks=export_tasks,
            accept=accept,
            truth=truth,
            full_refresh=full_refresh,
        )
    show(summary, summary_text(settings, summary), as_json)
    exit_with(summary.exit_code)


def _request(settings: Settings, raw: str | None) -> dict[str, Any]:
    """Return the request of the ingest's job; raises SettingsError when it could not run."""
    from ingest.emr.submit import new_token, prepare_job
    from ingest.job.on_emr import COMMAND

    _, request = prepare_job(settings, COMMAND, token=new_token(), environ=environ_with(raw))
    return request


def _ingest_hop(
    settings: Settings, run_tasks: RunTasks, *, place: str | None, raw: str | None
) -> Callable[[], IngestSummary]:
    """Return what runs the first three hops: by `run_tasks`, or as a job in another `place`."""
    if place is None:
        from ingest.job.run import ingest as ingest_new

        return partial(ingest_new, settings, run_tasks)
    from ingest.emr.submit import open_service
    from ingest.job.on_emr import ingest_on_emr

    return partial(ingest_on_emr, settings, open_service(settings), environ=environ_with(raw))
