"""The options of a read: those of `[[sources]]` in clickstream.toml, and a few that Spark's have.

A value that is not a text is written as in clickstream.toml: 1048576, true, ["a", "b"].
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.contract import EVENTS, REJECTS, Table
from ingest.errors import SettingsError
from ingest.parse.registry import check_settings
from ingest.settings import ParseSettings, read_range_bytes
from ingest.settings.sources import A_NAME, NAME, absolute, read_parse
from ingest.settings.values import Table as Values

# Spark's values of `mode`: rejected lines give no row, or the first one ends the query.
DROP, FAIL_FAST = "DROPMALFORMED", "FAILFAST"
# Spark writes ignoreCorruptFiles, and passes all names on in lower case.
IGNORE_CORRUPT = "ignoreCorruptFiles"
_PATHS = ("path", "paths")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is read and how. `paths` are absolute folders, files, patterns or s3:// places.

    `name` begins the names of local logs, as that of a source does; None = their folder does.
    `rejects`: rejected lines are read, not events. Unless `ignore_corrupt`, content that is refused
    as a whole ends the query, and with `fail_fast` so does a rejected line.
    """

    paths: tuple[str, ...]
    name: str | None
    parse: ParseSettings
    range_bytes: int
    rejects: bool
    fail_fast: bool
    ignore_corrupt: bool

    @property
    def table(self) -> Table:
        """The table of the contract whose columns are read."""
        return REJECTS if self.rejects else EVENTS


def read_options(given: Mapping[str, str]) -> Options:
    """Return what the options `given` mean; their names are in lower case.

    Raises SettingsError that lists all that are wrong, and for settings that no format reads.
    """
    values = {name: text for name, text in given.items() if name not in _PATHS}
    if "mode" in values:
        values["mode"] = values["mode"].upper()  # as Spark does
    called = {name: f"option {name}" for name in values}
    table = Values(values, [], called=called, typed=_typed)
    options = Options(
        paths=_paths(given),
        name=table.text("name", fits=NAME.fullmatch, wanted=A_NAME),
        parse=read_parse(table),
        range_bytes=read_range_bytes(table),
        rejects=table.flag("rejects", default=False),
        fail_fast=table.choice("mode", (DROP, FAIL_FAST)) == FAIL_FAST,
        ignore_corrupt=table.flag(IGNORE_CORRUPT.lower(), default=False),
    )
    known = ", ".join(("path", *table.known))
    table.problems += [f"unknown option {name}; known: {known}" for name in table.unknown]
    if options.name and len(options.paths) > 1:
        table.problems.append(
            "option name needs a single path: logs of two would share their names"
        )
    if table.problems:
        raise SettingsError("\n".join(table.problems))
    check_settings(options.parse)
    return options


def _paths(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the argument of `load`, of which Spark makes one path, or several as JSON."""
    paths = json.loads(given["paths"]) if "paths" in given else [given.get("path", "")]
    if not all(map(str.strip, paths)):
        raise SettingsError("no path is given: call load with a folder, a file or an s3:// place")
    return tuple(absolute(path, Path.cwd()) for path in paths)


def _typed(value: Any) -> Any:
    """Return what the text `value` is in TOML, itself where it is not TOML."""
    try:
        return tomllib.loads(f"value = {value}")["value"] if isinstance(value, str) else value
    except tomllib.TOMLDecodeError:
        return value
