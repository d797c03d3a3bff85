"""Where raw logs come from and how their lines are read: the tables [[sources]]."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from ingest.errors import SettingsError
from ingest.settings.values import Table

# The source of the environment, which replaces those of the file: key -> variable.
RAW_VARIABLES = {
    "uri": "CLICKSTREAM_RAW",
    "format": "CLICKSTREAM_FORMAT",
    "timezone": "CLICKSTREAM_TIMEZONE",
}
MAX_LINE_BYTES = 64 << 20  # a line takes several times its size in memory
MAX_EXPANSION_RATIO = 1032  # one layer of gzip cannot unpack to more
_MAX_FUTURE_HOURS = 10 * 366 * 24
_MAX_SETTLE_MINUTES = 7 * 24 * 60
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
A_NAME = "1 to 64 letters, digits, - or _"
_A_FORMAT = "a name that `clickstream formats` lists"
_OFFSET = re.compile(r"[+-]((0\d|1[0-3]):?[0-5]\d|14:?00)")
_A_TIMEZONE = "an IANA name such as Europe/Berlin, or an offset such as +01:00"
_PARAMETERS = (
    "action_parameter",
    "item_parameter",
    "product_parameter",
    "category_parameter",
    "session_parameter",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseSettings:
    """How the lines of a source are read; the names are those of the format specification.

    An object that unpacks to more than 64 MiB and `max_expansion_ratio` times its size is refused.
    `action_parameter`, `item_parameter` ... are the names of URL parameters. Times before
    `min_event_time`, or more than `future_limit` after the start of the batch, get a warning.
    `fast` lets kernels read the lines that they know; the events are the same without.
    The settings in `BY_FORMAT` are None unless they were given, and only some formats read them.
    Plain values only: it travels to Spark tasks and into the hash of the settings.
    """

    format: str = "auto"
    timezone: str = "UTC"
    max_line_bytes: int = 1 << 20
    max_expansion_ratio: int = 250
    future_limit: timedelta = timedelta(hours=24)
    min_event_time: datetime = datetime(1995, 1, 1, tzinfo=UTC)
    client_from: str = "host"
    keep_cookie: bool = True
    fast: bool = True
    action_parameter: str = "action"
    item_parameter: str = "itemId"
    product_parameter: str = "productId"
    category_parameter: str = "categoryId"
    session_parameter: str = "JSESSIONID"
    log_format: str | None = None
    mapping: tuple[tuple[str, str], ...] | None = None
    fields: tuple[str, ...] | None = None
    delimiter: str | None = None
    time_unit: str | None = None


# Settings that a format has to declare before they may be given (`Format.reads`).
BY_FORMAT = ("log_format", "mapping", "fields", "delimiter", "time_unit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where raw logs come from and how they are read.

    `uri` is an absolute folder or an s3:// prefix; its last parts may be a glob pattern.
    `reject_limit_ratio` (0-1) is the share of rejected lines, of at least 1,000 lines, above which
    a batch is quarantined. `refused_limit` is how many objects a run may refuse as a whole before
    it ends with exit code 3; None = any number. `rotation` says that logs are renamed here, so
    that they are followed from key to key; without it a new key is a new log. A last line without
    its end waits until nothing was written for `settle_minutes`.
    """

    name: str
    uri: str
    parse: ParseSettings = ParseSettings()
    reject_limit_ratio: float = 0.01
    refused_limit: int | None = None
    rotation: bool = True
    settle_minutes: int = 60


_USUAL = Source(name="", uri="")


def read_source(table: Table, base: Path) -> Source:
    """Return the source that `table` describes; a path in it is relative to `base`.

    Whatever is wrong is added to the problems of `table`.
    """
    uri = table.required("uri", fits=_is_place, wanted="a folder")
    return Source(
        name=table.required("name", fits=NAME.fullmatch, wanted=A_NAME),
        uri=absolute(uri, base),
        parse=read_parse(table),
        reject_limit_ratio=table.ratio("reject_limit_ratio", _USUAL.reject_limit_ratio),
        refused_limit=table.limit("refused_limit"),
        # Keys in a bucket do not change; a folder is where logrotate works.
        rotation=table.flag("rotation", default=not uri.startswith("s3://")),
        settle_minutes=table.whole(
            "settle_minutes", _USUAL.settle_minutes, least=0, most=_MAX_SETTLE_MINUTES
        ),
    )


def read_parse(table: Table) -> ParseSettings:
    """Return how the lines of the source that `table` describes are read."""
    usual = _USUAL.parse
    hours = usual.future_limit // timedelta(hours=1)
    return ParseSettings(
        format=table.text("format", wanted=_A_FORMAT) or usual.format,
        timezone=table.text("timezone", fits=_is_timezone, wanted=_A_TIMEZONE) or usual.timezone,
        max_line_bytes=table.whole(
            "max_line_bytes", usual.max_line_bytes, least=1024, most=MAX_LINE_BYTES
        ),
        max_expansion_ratio=table.whole(
            "max_expansion_ratio", usual.max_expansion_ratio, least=1, most=MAX_EXPANSION_RATIO
        ),
        future_limit=timedelta(
            hours=table.whole("future_limit_hours", hours, least=0, most=_MAX_FUTURE_HOURS)
        ),
        min_event_time=table.time("min_event_time", usual.min_event_time),
        client_from=table.choice("client_from", ("host", "forwarded_for")) or usual.client_from,
        keep_cookie=table.flag("keep_cookie", default=usual.keep_cookie),
        fast=table.flag("fast", default=usual.fast),
        log_format=table.text("log_format"),
        mapping=table.pairs("mapping"),
        fields=table.texts("fields"),
        delimiter=table.text("delimiter", fits=bool),  # a TAB or a space will do
        time_unit=table.choice("time_unit", ("auto", "s", "ms", "us")),
        **{name: table.text(name) or getattr(usual, name) for name in _PARAMETERS},
    )


def absolute(uri: str, base: Path) -> str:
    """Return `uri` with a local path made absolute below `base`."""
    if "://" in uri:
        return uri
    path = Path(uri)
    with suppress(RuntimeError):  # no such user: the folder will be missed under this name
        path = path.expanduser()
    return str((base / path).absolute())


def _is_place(uri: str) -> bool:
    return bool(uri.strip()) and "\0" not in uri


def check_timezone(name: str) -> str:
    """Return `name`; raises SettingsError unless it is an IANA name or an offset."""
    if not _is_timezone(name):
        raise SettingsError(f"unknown time zone {name!r}: use {_A_TIMEZONE}")
    return name


def _is_timezone(name: str) -> bool:
    if _OFFSET.fullmatch(name):
        return True
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
