"""What every command shares: its settings, its Spark session, how it prints and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.lake.records import BatchRecord

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from ingest.settings import Settings

target_option = click.option(
    "--target", metavar="NAME", help="dbt target in profiles.yml. [default: local]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


def load_settings_for(target: str | None) -> Settings:
    from ingest.settings import load_settings

    return load_settings(target=target)


@contextlib.contextmanager
def session_of(target: str | None) -> Iterator[tuple[Settings, SparkSession]]:
    """Give the settings and a Spark session, from the project root as dbt needs it."""
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark.errors import PySparkException

    from ingest.spark.failure import spark_failure
    from ingest.warehouse.spark import open_session

    settings = load_settings_for(target)
    os.chdir(settings.root)
    session = open_session(settings)
    # pyspark's own handler talks to the JVM in the middle of another talk, and gets a stack trace.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield settings, session
    except KeyboardInterrupt:
        raise  # a talk with the JVM broke off: no more can be said to it, and it ends with us
    except (PySparkException, Py4JError) as error:
        raise spark_failure(error, settings.data) from error
    except BaseException:
        session.stop()
        raise
    session.stop()


def exit_with(exit_code: int) -> None:
    """End the command with `exit_code` unless it is 0."""
    if exit_code:
        raise click.exceptions.Exit(exit_code)


def show(result: object, text: str, as_json: bool) -> None:
    click.echo(json.dumps(plain(result), ensure_ascii=False) if as_json else text)


def plain(value: Any) -> Any:
    """Return `value` as what JSON can hold: dataclasses become objects, times ISO text."""
    match value:
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
    # A batch record names thousands of objects; `status --json` is the place for these.
    left_out = ("objects", "files") if isinstance(value, BatchRecord) else ()
    if not is_dataclass(value):
        return str(value)  # what Spark gives for types that JSON has no word for
    names = [name for name in value.__dataclass_fields__ if name not in left_out]
    return {name: plain(getattr(value, name)) for name in names}
