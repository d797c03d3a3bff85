"""Commands for raw logs: no Spark, no settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ingest.cli.common import json_option, show


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--lines", default=100_000, show_default=True, type=click.IntRange(min=500))
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
    show(truth["totals"], f"{text}; the answers: {directory / 'truth.json'}", as_json)


def _pairs(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...] | None:
    """Return COLUMN=PATH texts as pairs, in order as settings have them; None without any."""
    pairs = {}
    for text in values:
        column, _, path = text.partition("=")
        if not column.strip() or not path.strip():
            raise click.BadParameter(f"{text!r} is not COLUMN=PATH")
        pairs[column] = path
    return tuple(sorted(pairs.items())) or None


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_name", default="auto", show_default=True, metavar="F")
@click.option("--timezone", default="UTC", show_default=True, metavar="TZ")
@click.option(
    "--log-format",
    metavar="STRING",
    help="Your own Apache or nginx string, for formats that take one.",
)
@click.option(
    "--mapping",
    multiple=True,
    metavar="COLUMN=PATH",
    callback=_pairs,
    help="Where JSON holds a column, for formats that take it. Repeatable.",
)
def parse(
    file: Path,
    format_name: str,
    timezone: str,
    log_format: str | None,
    mapping: tuple[tuple[str, str], ...] | None,
) -> None:
    """Print the verdict on each line of FILE as JSON lines.

    \b
    {"offset": 0, "status": "ok", "warnings": [], "reason": null, "event": {...}}

    No Spark, no settings, nothing is stored: try a format before you ingest it.
    """
    from ingest.cli.preview import json_lines
    from ingest.settings import ParseSettings, check_timezone

    settings = ParseSettings(
        format=format_name,
        timezone=check_timezone(timezone),
        log_format=log_format,
        mapping=mapping,
    )
    out = sys.stdout.buffer
    try:
        for line in json_lines(file, settings):
            out.write(line.encode())
            out.write(b"\n")
        out.flush()
    except BrokenPipeError:
        # `clickstream parse FILE | head`: the reader has seen enough. Python would complain once
        # more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(invoke_without_command=True)
@click.pass_context
def formats(context: click.Context) -> None:
    """List the formats that `format` and --format take."""
    if context.invoked_subcommand is None:
        from ingest.cli.preview import formats as known

        for name, description in known():
            click.echo(f"{name:16} {description}")


@formats.command()
@click.argument("name")
def explain(name: str) -> None:
    """Say what the format NAME captures, and where each part goes."""
    from ingest.cli.preview import explain as text

    click.echo(text(name))
