"""The command line: parse options, call one function, print counts, return an exit code.

Results go to stdout (`--json`: one JSON object), everything else to stderr.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest import __version__
from ingest.batches import BatchRecord
from ingest.errors import BooksError, ClickstreamError
from ingest.render import FORMS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from ingest.settings import Settings

INTERRUPTED = 130

target_option = click.option(
    "--target", metavar="NAME", help="dbt target in profiles.yml. [default: local]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


def main() -> None:
    """Run the command line and exit with the code of what happened."""
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; no exception but SystemExit leaves."""
    try:
        cli.main(args=arguments, prog_name="clickstream", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted; nothing is lost: run the command again", INTERRUPTED)
    except BrokenPipeError:
        # `clickstream parse FILE | head`: the reader has seen enough. Python would complain once
        # more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ClickstreamError as error:
        return _failed(str(error), error.exit_code)
    except Exception as error:
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        kind = type(error).__name__
        return _failed(
            f"unexpected {kind}: {error}\nThis is a bug; `clickstream -v ...` shows where.", 1
        )
    return 0


def _failed(message: str, exit_code: int) -> int:
    click.echo(f"error: {message}", err=True)
    return exit_code


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr, with tracebacks.")
def cli(verbose: bool) -> None:
    """From raw web logs to answers: nothing lost, nothing counted twice.

    \b
    First steps:
      clickstream sample data      generated logs with a known answer
      clickstream run              raw logs -> lake -> landing -> marts -> Elasticsearch -> report
      clickstream status           the books

    Exit codes: 0 done, 1 failed, 2 usage or settings, 3 too many rejects, 4 the books do not
    balance, 130 interrupted.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    logging.getLogger("ingest").setLevel(logging.DEBUG if verbose else logging.INFO)
    # They log each retry, which is our business; what remains at the end is raised and told.
    for noisy in ("elastic_transport", "jgo", "py4j", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # Warnings speak to developers: tests turn them into errors, users are spared.
    if not verbose and not sys.warnoptions:
        warnings.simplefilter("ignore")


# ------------------------------------------------------------------------------- raw logs


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--lines", default=100_000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--format", "formats", multiple=True, metavar="F", help="Repeatable. [default: all]")
@json_option
def sample(directory: Path, lines: int, seed: int, formats: tuple[str, ...], as_json: bool) -> None:
    """Write raw logs of a small shop with a known answer.

    The logs go to DIRECTORY/raw, the expected numbers to DIRECTORY/truth.json. The same LINES and
    SEED give the same bytes; files that are there already are left alone.
    """
    from ingest.sample import FORMATS, write_sample

    truth = write_sample(directory, lines=lines, seed=seed, formats=formats or FORMATS)
    text = f"{lines:,} lines in {len(truth['files'])} files below {directory / 'raw'}"
    _print(truth["totals"], f"{text}; the answers: {directory / 'truth.json'}", as_json)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "log_format", default="auto", show_default=True, metavar="F")
@click.option("--timezone", default="UTC", show_default=True, metavar="TZ")
def parse(file: Path, log_format: str, timezone: str) -> None:
    """Print the verdict on each line of FILE as JSON lines.

    \b
    {"offset": 0, "status": "ok", "warnings": [], "reason": null, "event": {...}}

    No Spark, no settings, nothing is stored: try a format before you ingest it.
    """
    from ingest.parse.model import ParseSettings
    from ingest.parse.show import json_lines
    from ingest.settings import check_timezone

    settings = ParseSettings(format=log_format, timezone=check_timezone(timezone))
    out = sys.stdout.buffer
    for line in json_lines(file, settings):
        out.write(line.encode())
        out.write(b"\n")
    out.flush()


@cli.group(invoke_without_command=True)
@click.pass_context
def formats(context: click.Context) -> None:
    """List the formats that `format` and --format take."""
    if context.invoked_subcommand is None:
        from ingest.parse.show import formats as known

        for name, description in known():
            click.echo(f"{name:16} {description}")


@formats.command()
@click.argument("name")
def explain(name: str) -> None:
    """Say what the format NAME captures, and where each part goes."""
    from ingest.parse.show import explain as text

    click.echo(text(name))


# ------------------------------------------------------------------------------- the hops


@cli.command()
@click.argument("sources", nargs=-1)
@click.option("--accept-duplicates", is_flag=True, help="Ingest copies under other names too.")
@target_option
@json_option
def ingest(
    sources: tuple[str, ...], accept_duplicates: bool, target: str | None, as_json: bool
) -> None:
    """Parse what is new in SOURCES (default: all) into the lake: hops 1 to 3."""
    from ingest.job import check_sources
    from ingest.job import ingest as ingest_new
    from ingest.summary import ingest_line

    check_sources(_settings(target), sources)
    with _session(target) as (settings, session):
        summary = ingest_new(
            settings, session, sources=sources, accept_duplicates=accept_duplicates
        )
    _print(summary, ingest_line(summary), as_json)
    _end(summary.exit_code)


@cli.command()
@click.option("--accept", multiple=True, metavar="ID", help="Load this held batch. Repeatable.")
@target_option
@json_option
def load(accept: tuple[str, ...], target: str | None, as_json: bool) -> None:
    """Load sealed batches into the landing tables: hop 4."""
    from ingest.load.spark import load as load_sealed
    from ingest.summary import load_line

    with _session(target) as (settings, session):
        summary = load_sealed(settings, session, accept=accept)
    _print(summary, load_line(summary), as_json)
    _end(summary.exit_code)


@cli.command()
@click.option("--accept", multiple=True, metavar="ID", help="Export this held batch. Repeatable.")
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
    """Index every event of sealed batches into Elasticsearch: hop 6."""
    from ingest.search.export import export as export_sealed
    from ingest.summary import export_line

    with _session(target) as (settings, session):
        if recreate and not dry_run and not yes:
            click.confirm(f"Delete the index {settings.search.index}?", abort=True, err=True)
        summary = export_sealed(
            settings, session, accept=accept, recreate=recreate, dry_run=dry_run
        )
    _print(summary, export_line(summary), as_json)
    _end(summary.exit_code)


@cli.command("run")
@click.option("--accept", multiple=True, metavar="ID", help="Take this held batch. Repeatable.")
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Compare with the truth.json of `clickstream sample`.",
)
@target_option
@json_option
def run_all(accept: tuple[str, ...], truth: Path | None, target: str | None, as_json: bool) -> None:
    """Do the whole job: ingest, load, dbt build, export, verify, report.

    Run it as often as you like: only what is new is read, and what a crash left is completed.
    """
    from ingest.job import check_sources
    from ingest.pipeline import run_pipeline
    from ingest.summary import summary_text

    check_sources(_settings(target))
    with _session(target) as (settings, session):
        summary = run_pipeline(settings, session, accept=accept, truth=truth)
    _print(summary, summary_text(settings, summary), as_json)
    _end(summary.exit_code)


# ------------------------------------------------------------------------------- the books


@cli.command()
@json_option
def status(as_json: bool) -> None:
    """Show the books: batches, files, rejects by reason, what is loaded and exported."""
    from ingest.books import status as books
    from ingest.books import status_text

    state = books(_settings(None))
    _print(state, status_text(state), as_json)


@cli.command()
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Compare with the truth.json of `clickstream sample` too.",
)
@target_option
@json_option
def verify(truth: Path | None, target: str | None, as_json: bool) -> None:
    """Compare lake, landing, marts and index; exit 4 when they disagree."""
    from ingest.verify import verify as compare
    from ingest.verify import verify_text

    with _session(target) as (settings, session):
        result = compare(settings, session, truth=truth)
    _print(result, verify_text(result), as_json)
    _end(0 if result.balanced else BooksError.exit_code)


@cli.command()
@target_option
@json_option
def report(target: str | None, as_json: bool) -> None:
    """Write one self-contained HTML page from the marts."""
    from ingest.report import write_report

    with _session(target) as (settings, session):
        path = write_report(settings, session)
    _print({"report": str(path)}, str(path), as_json)


@cli.command()
@click.argument("sql")
@target_option
@json_option
def query(sql: str, target: str | None, as_json: bool) -> None:
    """Run one SQL query where the marts are, and print its rows.

    \b
    clickstream query "select * from number_of_events_per_brand order by total_events desc"
    """
    from ingest.console import table_text
    from ingest.query import rows_of

    with _session(target) as (settings, session):
        columns, rows = rows_of(settings, session, sql)
    text = f"{table_text(columns, rows)}\n({len(rows):,} rows)"
    _print({"columns": columns, "rows": rows}, text, as_json)


# ------------------------------------------------------------------------------- the engine


@cli.group()
def search() -> None:
    """Start, stop and look at the local Elasticsearch."""


@search.command()
@json_option
def up(as_json: bool) -> None:
    """Start the local Elasticsearch unless it runs already."""
    from ingest.search.engine import up as start

    engine = start(_settings(None))
    _print(engine, f"Elasticsearch {engine.version} at {engine.url} (pid {engine.pid})", as_json)


@search.command()
@click.option("--delete-data", is_flag=True, help="Delete its documents as well.")
@json_option
def down(delete_data: bool, as_json: bool) -> None:
    """Stop the local Elasticsearch."""
    from ingest.search.engine import down as stop

    stopped = stop(_settings(None), delete_data=delete_data)
    _print({"stopped": stopped}, "stopped" if stopped else "was not running", as_json)


@search.command("status")
@json_option
def search_status(as_json: bool) -> None:
    """Say whether the local Elasticsearch runs: exit 0 running, 1 not."""
    from ingest.search.engine import status as look

    state = look(_settings(None))
    if state is None:
        _print({"running": False}, "not running; start it with: clickstream search up", as_json)
        raise click.exceptions.Exit(1)
    documents = "no index yet" if state.documents is None else f"{state.documents:,} documents"
    engine = state.engine
    text = f"{state.line()}\n{documents}, since {engine.started_at}, folder {engine.folder}"
    _print({"running": True, **_plain(state)}, text, as_json)


# ------------------------------------------------------------------------------- the contract


@cli.group()
def contract() -> None:
    """Show the columns, and check the files rendered from them."""


@contract.command()
@click.option("--as", "form", type=click.Choice(FORMS), default="arrow", show_default=True)
def show(form: str) -> None:
    """Print the contract in one of its forms."""
    from ingest.render import as_text

    click.echo(as_text(form), nl=False)


@contract.command()
def check() -> None:
    """Fail when a generated file differs from the contract."""
    from ingest.render import stale_files
    from ingest.settings import project_root

    stale = stale_files(project_root())
    if stale:
        names = ", ".join(str(path) for path in stale)
        raise ClickstreamError(f"out of date: {names}; mend it with: clickstream contract render")


@contract.command()
def render() -> None:
    """Write the generated files anew."""
    from ingest.render import generated_files
    from ingest.settings import project_root

    for path, text in generated_files(project_root()).items():
        path.write_text(text, encoding="utf-8")
        click.echo(str(path))


# ------------------------------------------------------------------------------- the edge


def _settings(target: str | None) -> Settings:
    from ingest.settings import load_settings

    return load_settings(target=target)


@contextlib.contextmanager
def _session(target: str | None) -> Iterator[tuple[Settings, SparkSession]]:
    """Give the settings and a Spark session, from the project root as dbt needs it."""
    from ingest.target import spark_session

    settings = _settings(target)
    os.chdir(settings.root)
    session = spark_session(settings)
    try:
        yield settings, session
    finally:
        session.stop()


def _end(exit_code: int) -> None:
    """End the command with `exit_code` unless it is 0."""
    if exit_code:
        raise click.exceptions.Exit(exit_code)


def _print(result: object, text: str, as_json: bool) -> None:
    click.echo(json.dumps(_plain(result), ensure_ascii=False) if as_json else text)


def _plain(value: Any) -> Any:
    """Return `value` as what JSON can hold: dataclasses become objects, times ISO text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime() | date() | Path():
            return value.isoformat() if isinstance(value, date) else str(value)
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
    # A batch record names thousands of objects; `status --json` is the place for these.
    left_out = ("objects", "files") if isinstance(value, BatchRecord) else ()
    names = [name for name in value.__dataclass_fields__ if name not in left_out]
    return {name: _plain(getattr(value, name)) for name in names}


if __name__ == "__main__":
    main()
