"""Commands for raw logs: no Spark, no settings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.cli.common import json_option, show
from ingest.terminal.text import count_of

if TYPE_CHECKING:
    from ingest.settings import ParseSettings


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--lines",
    default=100_000,
    show_default=True,
    type=click.IntRange(min=500),
    help="How many lines to write, over all files.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="Another number gives other logs.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="F",
    help="A format to write, or mixed: a file of each format that auto detects, some broken. May "
    "be repeated. [default: combined, schematic-csv, splunk_tutorial]",
)
@json_option
def sample(directory: Path, lines: int, seed: int, formats: tuple[str, ...], as_json: bool) -> None:
    """Write raw logs of a small shop, with known answers.

    The logs go to DIRECTORY/raw, the expected numbers to DIRECTORY/truth.json. The same --lines
    and --seed give the same bytes; other files in DIRECTORY are left alone.
    """
    from ingest.sample import USUAL_FORMATS, write_sample

    truth = write_sample(directory, lines=lines, seed=seed, formats=formats or USUAL_FORMATS)
    text = (
        f"{lines:,} lines in {count_of(len(truth['files']), 'file')} below {directory / 'raw'}; "
        f"the answers are in {directory / 'truth.json'}"
    )
    needs = [
        f"\na source for {name} needs:\n{_source_text(settings)}"
        for name, settings in truth["sample"]["settings"].items()
    ]
    show(truth["totals"], "\n".join([text, *needs]), as_json)


def _source_text(settings: Mapping[str, Any]) -> str:
    """Return settings as in clickstream.toml."""
    lines = []
    for name, value in settings.items():
        written = json.dumps(value)
        if name == "mapping":
            pairs = (f"{json.dumps(column)} = {json.dumps(path)}" for column, path in value)
            written = f"{{ {', '.join(pairs)} }}"
        lines.append(f"{name} = {written}")
    return "\n".join(lines)


def _pairs(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...] | None:
    """Return COLUMN=PATH texts as pairs, sorted as settings have them; None without any."""
    pairs = {}
    for text in values:
        column, _, path = text.partition("=")
        if not column.strip() or not path.strip():
            raise click.BadParameter(f"{text!r} does not have the form COLUMN=PATH")
        pairs[column] = path
    return tuple(sorted(pairs.items())) or None


def _names(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    return tuple((text or "").split()) or None


_READING = (
    click.option(
        "--timezone",
        default="UTC",
        show_default=True,
        metavar="TZ",
        help="Time zone of times without one: an IANA name, or +01:00.",
    ),
    click.option(
        "--mapping",
        multiple=True,
        metavar="COLUMN=PATH",
        callback=_pairs,
        help="Where a column is in the JSON, for formats that take it; may be repeated.",
    ),
    click.option(
        "--time-unit",
        type=click.Choice(["auto", "s", "ms", "us"]),
        help="Unit of times that are numbers, for formats that take it.",
    ),
    click.option(
        "--fields",
        metavar="NAMES",
        callback=_names,
        help="Names of the columns, separated by spaces, for formats that take them.",
    ),
    click.option(
        "--delimiter",
        metavar="TEXT",
        help="The text between two columns, for formats that take it.",
    ),
)


def _reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how lines are read, whatever their format is named."""
    for option in reversed(_READING):
        command = option(command)
    return command


def _parse_settings(*, timezone: str, delimiter: str | None, **others: Any) -> ParseSettings:
    from ingest.settings import ParseSettings, check_timezone

    return ParseSettings(timezone=check_timezone(timezone), delimiter=delimiter or None, **others)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_name",
    default="auto",
    show_default=True,
    metavar="F",
    help="Format of the file: a name that `clickstream formats` lists.",
)
@click.option(
    "--log-format",
    metavar="STRING",
    help="Your own Apache or nginx log format, for formats that take one.",
)
@_reading_options
def parse(file: Path, format_name: str, log_format: str | None, **reading: Any) -> None:
    """Print the verdict on each line of FILE as JSON lines.

    \b
    {"offset": 0, "status": "ok", "warnings": [], "reason": null, "detail": null,
     "event": {...}}

    Uses neither Spark nor settings and stores nothing: try a format before you ingest it. FILE - is
    standard input, which is read to its end first, into a temporary file.
    """
    from ingest.cli.preview import json_lines
    from ingest.cli.stdin import STDIN, stdin_as_file

    settings = _parse_settings(format=format_name, log_format=log_format, **reading)
    out = sys.stdout.buffer
    try:
        is_stdin = str(file) == STDIN
        with stdin_as_file() if is_stdin else nullcontext(file) as place:
            called = "standard input" if is_stdin else str(file)
            for line in json_lines(place, settings, called=called):
                out.write(line.encode())
                out.write(b"\n")
        out.flush()
    except BrokenPipeError:
        # `clickstream parse FILE | head`: the reader has seen enough. Python would complain again
        # when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(invoke_without_command=True)
@click.pass_context
def formats(context: click.Context) -> None:
    """List the formats that `format` in the settings may name."""
    if context.invoked_subcommand is None:
        from ingest.cli.preview import formats as known

        for name, description in known():
            click.echo(f"{name:16} {description}")


@formats.command()
@click.argument("format_or_string", required=False)
@click.option("--line", metavar="TEXT", help="A line to parse; shows where it does not fit.")
@click.option(
    "--guess",
    "sample",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Propose a log_format string for the lines of FILE.",
)
@_reading_options
def explain(
    format_or_string: str | None, line: str | None, sample: Path | None, **reading: Any
) -> None:
    """Explain what a format captures, and where each part goes.

    FORMAT_OR_STRING is a name that `clickstream formats` lists, or an Apache LogFormat or nginx
    log_format string.
    """
    from ingest.cli.preview import explain as text
    from ingest.cli.preview import guessed

    if sample is not None and (format_or_string, line) == (None, None):
        click.echo(guessed(sample))
    elif format_or_string is not None and sample is None:
        click.echo(text(format_or_string, line, _parse_settings(**reading)))
    else:
        raise click.UsageError("give either a format or string, or --guess FILE")
