"""The columns of events, rejects, files and batches: the one place where they are defined.

Every other form of them (Arrow schema, Spark DDL, dbt source YAML, Elasticsearch mapping) is
rendered by `ingest.render`. Meanings and widths: the specification of the unified event,
sections 1.5 and 2.2. A new column is nullable and goes to the end, with a new contract version;
nothing is renamed, retyped or narrowed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CONTRACT_VERSION = 1
# What a visitor does in a shop, in the order in which charts show it.
SHOP_ACTIONS = ("view", "addtocart", "purchase", "remove", "changequantity")
# All values of event_type.
EVENT_TYPES = frozenset(
    (
        "request", *SHOP_ACTIONS, "page_view", "screen_view", "page_ping", "track", "identify",
        "group", "alias", "tcp", "storage_op", "firewall", "other",
    )
)  # fmt: skip


class Type(StrEnum):
    """Logical column types; timestamps are UTC with microseconds."""

    STRING = "string"
    INT = "int"
    BIGINT = "bigint"
    DOUBLE = "double"
    TIMESTAMP = "timestamp"
    DATE = "date"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Where a column goes in a search document.

    `field` is a dotted path, `type` the Elasticsearch type, `parameters` its further mapping
    parameters as (name, value) pairs. The field `_id` has no mapping. `note` says what of the
    column's description is different in documents.
    """

    field: str
    type: str
    parameters: tuple[tuple[str, bool | int], ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `width` is in UTF-8 bytes and None for every type but STRING.

    `null_when` is None for a column that is never null. `search` is None when the column is not
    exported. The last three tell how lake files store it: `dictionary` for a text with few
    different values in most logs, `statistics` for what readers prune by, `unique` for a text that
    differs in every row, so that a dictionary would be built only to be discarded. `since` is the
    version of the contract that added it.
    """

    name: str
    type: Type
    description: str
    width: int | None = None
    null_when: str | None = None
    search: Search | None = None
    dictionary: bool = False
    statistics: bool = False
    unique: bool = False
    since: int = 1

    @property
    def nullable(self) -> bool:
        """Whether the column may be null."""
        return self.null_when is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A landing table: its grain sentence, its key columns and all its columns in order."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The column names in order."""
        return tuple(column.name for column in self.columns)

    def names_of(self, version: int) -> tuple[str, ...]:
        """Return the names of the columns that the contract had in `version`, in order."""
        return tuple(column.name for column in self.columns if column.since <= version)

    def column(self, name: str) -> Column:
        """Return the column `name`; raises KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def _text(
    name: str,
    width: int,
    description: str,
    null_when: str | None = None,
    search: Search | None = None,
    **flags: bool,
) -> Column:
    return Column(
        name=name,
        type=Type.STRING,
        width=width,
        description=description,
        null_when=null_when,
        search=search,
        **flags,
    )


def _number(
    name: str,
    kind: Type,
    description: str,
    null_when: str | None = None,
    search: Search | None = None,
    *,
    statistics: bool = False,
) -> Column:
    return Column(
        name=name,
        type=kind,
        description=description,
        null_when=null_when,
        search=search,
        statistics=statistics,
    )


def _keyword(field: str, note: str | None = None) -> Search:
    return Search(field=field, type="keyword", note=note)


def _long_keyword(field: str) -> Search:
    # Lucene refuses terms over 32,766 bytes; a longer value stays in _source but cannot be
    # searched.
    return Search(field=field, type="keyword", parameters=(("ignore_above", 2048),))


def _typed(
    field: str, kind: str, *parameters: tuple[str, bool | int], note: str | None = None
) -> Search:
    return Search(field=field, type=kind, parameters=parameters, note=note)


_SOURCE_FILE = (
    "Name of the log: where it was first seen, as the name of the source and the path within the "
    "source, or as s3://bucket/key. A later log at the same place has @ and 12 hexadecimal digits "
    "of a hash appended."
)
_MICROSECONDS = "searched by the millisecond; `_source` keeps microseconds."

# fmt: off
EVENTS = Table(
    name="events",
    description="One row per event: a log line, or an element of a JSON array line.",
    key=("event_id",),
    columns=(
        _text("event_id", 32, "Hash of source_file and source_offset: 32 lower-case hexadecimal characters.", search=_keyword("_id"), unique=True),
        _text("batch_id", 64, "Batch that the event belongs to.", search=_keyword("clickstream.batch_id"), dictionary=True, statistics=True),
        _number("event_time", Type.TIMESTAMP, "When the event happened, UTC.", "the record holds no time", _typed("@timestamp", "date", note=_MICROSECONDS)),
        _number("event_date", Type.DATE, "UTC date of event_time; the date of ingest_time where event_time is null, in the future or stale.", statistics=True),
        _number("ingest_time", Type.TIMESTAMP, "Start of the batch, UTC.", search=_typed("event.ingested", "date", note=_MICROSECONDS)),
        _text("source_format", 32, "Format that the line was read as.", search=_keyword("event.dataset"), dictionary=True),
        _text("source_file", 1100, _SOURCE_FILE, search=_keyword("log.file.path"), dictionary=True),
        _number("source_offset", Type.BIGINT, "Number of bytes before the line in the decompressed object.", search=_typed("log.offset", "long"), statistics=True),
        _number("source_line", Type.BIGINT, "Line number from 1.", "the object was read in byte ranges"),
        _text("parse_status", 4, "ok, or warn when there are parse_warnings.", search=_keyword("clickstream.parse_status"), dictionary=True),
        _text("parse_warnings", 512, "Warning codes, sorted and joined by commas.", "parse_status is ok", _keyword("clickstream.warnings", "a list of codes."), dictionary=True),
        _text("event_type", 32, "Kind of event, from a closed list: request, a shop action, or a type of an event log.", search=_keyword("event.action"), dictionary=True),
        _text("event_name", 256, "Name of the event as sent.", "none was sent", _keyword("clickstream.event_name"), dictionary=True),
        _text("native_id", 256, "Id given by the source; may repeat, since sources deliver at least once.", "the source gives none", _keyword("clickstream.native_id")),
        _text("client_ip", 45, "Canonical address of the client.", "there is none, or it is a host name or invalid", _typed("source.ip", "ip", ("ignore_malformed", True)), dictionary=True, statistics=True),
        _text("client_address", 255, "Client as logged: address or host name.", "not logged", _keyword("source.address"), dictionary=True),
        _text("forwarded_for", 2048, "Complete X-Forwarded-For list as sent.", "none was sent", _keyword("clickstream.forwarded_for"), dictionary=True),
        _text("user_name", 512, "Authenticated user.", "there is none", _keyword("user.name"), dictionary=True),
        _text("user_id", 256, "User id of an event log.", "there is none", _keyword("user.id")),
        _text("visitor_id", 256, "Anonymous or device id.", "there is none", _keyword("clickstream.visitor_id")),
        _text("session_id", 256, "Session id as sent, case kept.", "there is none", _keyword("session.id"), statistics=True),
        _text("http_method", 32, "Request method as sent.", "there is no request or a bad one", _keyword("http.request.method"), dictionary=True),
        _text("http_version", 8, "Digits after HTTP/ in the request line.", "not logged", _keyword("http.version"), dictionary=True),
        _text("url_original", 8192, "Request target or page URL as sent.", "there is no request or a bad one", _long_keyword("url.original")),
        _text("url_scheme", 16, "Scheme of the URL in lower case.", "not logged, or longer than 64 characters", _keyword("url.scheme")),
        _text("url_domain", 255, "Host of an absolute URL in lower case, without port.", "the URL is not absolute", _keyword("url.domain")),
        _text("url_path", 4096, "Path of the URL up to its query or fragment, not decoded.", "the target has no path", _long_keyword("url.path")),
        _text("url_query", 8192, "Query of the URL without the question mark, not decoded.", "there is none, or it is empty", _long_keyword("url.query")),
        _number("status_code", Type.INT, "HTTP status; 0 when no response was sent.", "not logged", _typed("http.response.status_code", "integer"), statistics=True),
        _number("request_bytes", Type.BIGINT, "Bytes received from the client.", "not logged", _typed("http.request.bytes", "long")),
        _number("response_bytes", Type.BIGINT, "Bytes sent to the client.", "not logged", _typed("http.response.bytes", "long")),
        _text("bytes_scope", 5, "What response_bytes counts: body, or total with headers. Never add the two.", "the format has no byte count", _keyword("clickstream.bytes_scope"), dictionary=True),
        _number("duration_ms", Type.DOUBLE, "Total time of the request in milliseconds.", "not logged", _typed("event.duration", "long", note="whole nanoseconds.")),
        _number("duration_other", Type.BIGINT, "Trailing integer of unknown meaning.", "there is none", _typed("clickstream.duration_other", "long")),
        _text("referrer", 8192, "Referring URL as sent.", "none was sent", _long_keyword("http.request.referrer")),
        _text("referrer_domain", 255, "Host of an absolute referrer in lower case.", "there is none", _keyword("clickstream.referrer_domain"), dictionary=True),
        _text("user_agent", 8192, "User agent, unescaped.", "none was sent", _long_keyword("user_agent.original"), dictionary=True),
        _text("cookie", 8192, "Cookie header; personal data, never exported.", "there is none, or keep_cookie is false"),
        _text("server_name", 255, "Virtual host, Host header or bucket.", "not logged", _keyword("destination.domain")),
        _text("item_id", 128, "Item of a shop event.", "there is none", _keyword("product.item_id"), dictionary=True),
        _text("item_name", 256, "Name of the item as sent.", "there is none", _keyword("product.item_name")),
        _text("product_id", 128, "Product of a shop event.", "there is none", _keyword("product.id"), dictionary=True),
        _text("brand", 128, "Brand as sent; where raw logs have none, dbt adds it from product_id.", "none was sent", _keyword("product.brand")),
        _text("category", 128, "Category as sent.", "there is none", _keyword("product.category"), dictionary=True),
        _number("purchase_count", Type.INT, "1 for a purchase, 0 for another shop event.", "it is not a shop event", _typed("clickstream.purchases", "integer")),
        _number("view_count", Type.INT, "1 for a shop event that is not a purchase, else 0.", "it is not a shop event", _typed("clickstream.views", "integer")),
        _text("campaign_source", 256, "utm_source of the URL.", "there is none", _keyword("clickstream.campaign.source"), dictionary=True),
        _text("campaign_medium", 256, "utm_medium of the URL.", "there is none", _keyword("clickstream.campaign.medium"), dictionary=True),
        _text("campaign_name", 256, "utm_campaign of the URL.", "there is none", _keyword("clickstream.campaign.name"), dictionary=True),
        _text("extra", 65535, "JSON object with everything else that was logged; keys sorted.", "nothing else was logged", _typed("clickstream.extra", "flattened", ("depth_limit", 128), ("ignore_above", 2048), note="an object whose keys are fields, such as `clickstream.extra.client_port`; without cookies and credentials.")),
    ),
)

# An event can always be found in its log and in its batch: what no setting leaves out of documents.
ALWAYS_SHOWN = ("event_id", "batch_id", "source_file", "source_offset")

REJECTS = Table(
    name="rejects",
    description="One row per rejected line.",
    key=("reject_id",),
    columns=(
        _text("reject_id", 32, "Hash of source_file and source_offset, built like event_id.", unique=True),
        _text("batch_id", 64, "Batch that read the line.", dictionary=True, statistics=True),
        _number("ingest_time", Type.TIMESTAMP, "Start of the batch, UTC."),
        _text("source_format", 32, "Format that the file was read as.", dictionary=True),
        _text("source_file", 1100, _SOURCE_FILE, dictionary=True),
        _number("source_offset", Type.BIGINT, "Number of bytes before the line in the decompressed object.", statistics=True),
        _number("source_line", Type.BIGINT, "Line number from 1.", "the object was read in byte ranges"),
        _text("reason", 32, "Why the line was rejected, from a closed list."),
        _text("detail", 1024, "What exactly is wrong with the line.", "the reason says it all"),
        _number("raw_length", Type.BIGINT, "Length of the line in bytes, without its line end."),
        _text("raw_base64", 64000, "First 48,000 raw bytes of the line in base64.", "the line is empty"),
        _text("raw_text", 1024, "First 1,024 bytes of the line, repaired to UTF-8.", "the line is empty"),
    ),
)

_LINE_COUNTS = (
    _number("lines_read", Type.BIGINT, "Lines read: the sum of the four verdicts."),
    _number("lines_ok", Type.BIGINT, "Lines that became events without a warning."),
    _number("lines_warn", Type.BIGINT, "Lines that became events with warnings."),
    _number("lines_skip", Type.BIGINT, "Lines that are not records: blank, comment, header, control."),
    _number("lines_reject", Type.BIGINT, "Rejected lines; each has a row in rejects."),
)
_EVENT_TIMES = (
    _number("min_event_time", Type.TIMESTAMP, "Earliest event_time, UTC.", "no event has a time"),
    _number("max_event_time", Type.TIMESTAMP, "Latest event_time, UTC.", "no event has a time"),
)

FILES = Table(
    name="files",
    description="One row per log and batch.",
    key=("batch_id", "source_file"),
    columns=(
        _text("batch_id", 64, "Batch that read the object.", dictionary=True, statistics=True),
        _text("source_file", 1100, _SOURCE_FILE, dictionary=True),
        _number("size_bytes", Type.BIGINT, "Stored size of the object in bytes."),
        _text("etag", 128, "ETag of the object without quotes; size and modification time of a local file."),
        _text("source_format", 32, "Format that the object was read as.", "no format was needed or found", dictionary=True),
        _text("file_status", 32, "Verdict on the object, from a closed list."),
        _text("file_reason", 1024, "Reason of the verdict.", "file_status is ok"),
        *_LINE_COUNTS,
        _number("events", Type.BIGINT, "Number of events from the object."),
        *_EVENT_TIMES,
        _text("counts", 65535, "JSON object: each warning code, skip or reject reason with its number of lines."),
        _text("object_key", 1100, "Where the log was when the batch read it: its path within the source.", dictionary=True),
        _number("start_offset", Type.BIGINT, "Offset of the first content byte that the batch read; equal to end_offset where the log only moved."),
        _number("end_offset", Type.BIGINT, "Offset behind the last content byte that the batch read."),
    ),
)

BATCHES = Table(
    name="batches",
    description="One row per sealed batch that this target has seen.",
    key=("batch_id",),
    columns=(
        _text("batch_id", 64, "Hash of the batch's plan.", dictionary=True, statistics=True),
        _number("batch_number", Type.BIGINT, "Number in the log of batches, from 1."),
        _text("source", 256, "Name of the source in clickstream.toml."),
        _text("state", 16, "live, replaced, or quarantined (over the reject limit, data not loaded)."),
        _text("replaced_by", 64, "Batch that supersedes this one.", "state is not replaced"),
        _number("contract_version", Type.INT, "Version of the contract that the batch was written with."),
        _text("manifest_hash", 64, "SHA-256 of what was loaded: the files that the batch record names.", "nothing was loaded"),
        _number("ingest_time", Type.TIMESTAMP, "Start of the batch, UTC."),
        _number("sealed_at", Type.TIMESTAMP, "When the batch record was written, UTC."),
        _number("loaded_at", Type.TIMESTAMP, "When this row was written, UTC."),
        _number("objects", Type.BIGINT, "Number of raw objects in the batch."),
        _number("bytes", Type.BIGINT, "Total stored size of these objects in bytes."),
        *_LINE_COUNTS,
        _number("events", Type.BIGINT, "Number of events in the batch."),
        _number("rejects", Type.BIGINT, "Number of rows of the batch in rejects."),
        *_EVENT_TIMES,
    ),
)

# fmt: on
TABLES = (EVENTS, REJECTS, FILES, BATCHES)
