"""What every command shares: its settings, how it prints and how it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.cli.stdin import STDIN, keep_stdin
from ingest.errors import ClickstreamError, described
from ingest.lake.records import BatchRecord
from ingest.terminal.interrupts import check_interrupted
from ingest.terminal.text import (
    count_of,
    fitted_text,
    json_text,
    printable_lines,
    table_text,
    terminal_width,
    wrapped,
)

if TYPE_CHECKING:
    from ingest.settings import Settings
    from ingest.warehouse import Rows

target_option = click.option(
    "--target",
    metavar="NAME",
    help="dbt target in profiles.yml. [default: CLICKSTREAM_TARGET, else local]",
)
accept_option = click.option(
    "--accept",
    multiple=True,
    metavar="ID",
    help="Accept this quarantined batch, for all targets; may be repeated; 6 digits are enough.",
)
raw_option = click.option(
    "--raw",
    metavar="PLACE",
    help="Read raw logs from this folder, file or pattern instead of the configured sources; "
    "- reads standard input and keeps it in data/stdin.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
)


def load_settings_for(target: str | None, raw: str | None = None) -> Settings:
    """Return the settings of this run; None leaves the dbt target and the sources to them.

    For `raw` `-`, standard input is first copied into a file in <data>/stdin, which becomes the
    source.
    """
    from ingest.settings import load_settings

    if raw is None:
        return load_settings(target=target)
    if not raw.strip():
        raise click.BadParameter("name a folder, a file or a pattern, or -", param_hint="--raw")
    if raw == STDIN:
        raw = str(keep_stdin(load_settings(target=target).data / "stdin").parent)
    return load_settings(environ_with(raw), target=target)


def environ_with(raw: str | None) -> dict[str, str]:
    """Return the environment in which the settings find the source `raw`, where there is one."""
    return {**os.environ, **({} if raw is None else {"CLICKSTREAM_RAW": raw})}


def confirmed(question: str) -> bool:
    """Return the answer to `question`: no where nobody is there to give one."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        check_interrupted()
        return False


def exit_with(exit_code: int) -> None:
    """End the command with `exit_code` unless it is 0."""
    if exit_code:
        raise click.exceptions.Exit(exit_code)


def show(result: object, text: str, as_json: bool) -> None:
    """Print `result` as one JSON object, or `text` for a person."""
    text = json_text(plain(result)) if as_json else wrapped(printable_lines(text), terminal_width())
    click.echo(text)


def show_request(request: Mapping[str, Any], as_json: bool) -> None:
    """Print a request to a service as JSON: not wrapped, since it is there for programs."""
    click.echo(json.dumps(request, indent=None if as_json else 2))


def show_steps(steps: Sequence[str], as_json: bool) -> None:
    """Print what would be done, line by line and not wrapped: it may be copied into a client."""
    if as_json:
        show({"steps": steps}, "", as_json)
    else:
        click.echo(printable_lines("\n".join(steps) or "nothing to do"))


def answer_text(found: Rows, width: int | None) -> str:
    """Return the answer to a query for a terminal of `width` columns; None = a file or a pipe."""
    if width is None or not found.columns:
        table = table_text(found.columns, found.rows)
    else:
        table = fitted_text(found.columns, found.rows, width)
    return printable_lines(f"{table}\n({count_of(len(found.rows), 'row')})")


@contextmanager
def showing_what_was_done(line: Callable[[Any], str], as_json: bool) -> Iterator[None]:
    """Print what a hop had finished when it failed halfway, as it would have at its end.

    `line` turns its summary into text. The JSON object also has `problems` and `exit_code`.
    """
    try:
        yield
    except ClickstreamError as error:
        if error.done is None:
            raise
        ended = {"problems": [described(error)], "exit_code": error.exit_code}
        show({**plain(error.done), **ended}, line(error.done), as_json)
        click.echo(f"error: {printable_lines(described(error))}", err=True)
        exit_with(error.exit_code)


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: dataclasses become objects, times ISO text."""
    match value:
        case float() if not isfinite(value):
            return str(value)  # JSON has no word for it
        case None | bool() | int() | float() | str():
            return value
        case datetime() | date() | Path():
            return value.isoformat() if isinstance(value, date) else str(value)
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case bytes() | bytearray():
            return value.hex()
    # A batch record names thousands of objects, too many here; `status --json` lists the odd ones.
    left_out = ("objects", "files") if isinstance(value, BatchRecord) else ()
    if not is_dataclass(value):
        return str(value)  # types of Spark that JSON lacks
    names = [name for name in value.__dataclass_fields__ if name not in left_out]
    return {name: plain(getattr(value, name)) for name in names}
