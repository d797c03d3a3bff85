"""The contract in the forms that others read: Arrow, Spark DDL, dbt YAML, Elasticsearch, docs.

Generated files are committed; `stale_files` returns those that differ from the contract. In the
YAML of the staging models only the blocks between two marks are generated; the rest is written by
hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest.contract import ALWAYS_SHOWN, BATCHES, EVENTS, TABLES, Column, Search, Table, Type
from ingest.errors import SettingsError

_ARROW: dict[Type, pa.DataType] = {
    Type.STRING: pa.string(),
    Type.INT: pa.int32(),
    Type.BIGINT: pa.int64(),
    Type.DOUBLE: pa.float64(),
    Type.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    Type.DATE: pa.date32(),
    Type.BOOLEAN: pa.bool_(),
}
_REDSHIFT: dict[Type, str] = {
    Type.INT: "INTEGER",
    Type.BIGINT: "BIGINT",
    Type.DOUBLE: "DOUBLE PRECISION",
    Type.TIMESTAMP: "TIMESTAMP",
    Type.DATE: "DATE",
    Type.BOOLEAN: "BOOLEAN",
}
# Where rows go: evenly, because marts group by session, client, brand and status in turn. Events
# are sorted by time, by which people filter; the few batches are on every node.
_REDSHIFT_PLACES = {
    "events": "DISTSTYLE EVEN\nCOMPOUND SORTKEY (event_date, event_time)",
    "batches": "DISTSTYLE ALL",
}
# `dbt source freshness` warns when no batch has been loaded for a day.
_SOURCE_FRESHNESS = (
    "        config:",
    "          loaded_at_field: loaded_at",
    "          freshness:",
    "            warn_after: {count: 1, period: day}",
)
# Constant within a batch and a part: folders of the lake, and partition columns in Spark.
PARTITIONS = ("batch_id", "part")

SOURCES_YAML = Path("models/staging/_landing__sources.yml")
COLUMN_DOCS = Path("models/staging/_landing__columns.md")
STAGING_YAML = Path("models/staging/_staging__models.yml")
INDEX_FIELDS = Path("docs/reference/index-fields.md")
_FIELDS_PAGE = """\
# Fields of the index

<!-- Rendered from ingest/contract.py by `clickstream contract render`: change it there. -->

Each event is a document. It has no field for what is null, and none for a column that
`search.exclude` leaves out: any of these but {shown}.

A `keyword` is found by its whole value (`term`) or by parts of it (`wildcard`). What is longer than
`ignore_above` characters is in `_source` only. On OpenSearch, `flattened` is `flat_object`, without
a limit.

| Field | Type | Column | Holds |
| --- | --- | --- | --- |"""
# Columns that staging does not pass on: no model needs them, and cookies are personal.
NOT_STAGED = frozenset({"cookie", "extra"})
_STAGING_BLOCK = re.compile(
    r"(?P<begin>^ *# begin of the columns of (?P<table>\w+),.*\n)"
    r"(?:.*\n)*?"
    r"(?P<end> *# end of the columns of (?P=table)\n)",
    re.MULTILINE,
)


def arrow_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of `table`; every field is nullable, as Redshift's COPY expects."""
    return pa.schema([(column.name, _ARROW[column.type]) for column in table.columns])


def spark_ddl(table: Table) -> str:
    """Return the statement that makes the landing table; `{location}` is left to the loader.

    Columns that are folders of the lake are in PARTITIONED BY.
    """
    columns = spark_columns(table, without=() if table is BATCHES else PARTITIONS)
    partitions = "" if table is BATCHES else "\nPARTITIONED BY (batch_id string, part string)"
    return (
        f"CREATE TABLE IF NOT EXISTS landing.{table.name} (\n    {columns}\n)\nUSING parquet"
        f"{partitions}\nLOCATION '{{location}}'\nCOMMENT '{_quoted(table.description)}'\n"
    )


def spark_columns(table: Table, *, without: Collection[str] = ()) -> str:
    """Return the columns of `table` as a statement of Spark lists them, with their comments."""
    return ",\n    ".join(
        f"{column.name} {column.type} COMMENT '{_quoted(column.description)}'"
        for column in table.columns
        if column.name not in without
    )


def redshift_type(column: Column) -> str:
    """Return the type of a column on Redshift; the widths of texts are bytes, as there."""
    return f"VARCHAR({column.width})" if column.type is Type.STRING else _REDSHIFT[column.type]


def redshift_ddl(table: Table) -> str:
    """Return the statement that makes the landing table on Redshift.

    Without keys, which Redshift does not enforce but trusts, and without encodings, which it
    chooses itself.
    """
    columns = ",\n    ".join(
        f"{column.name} {redshift_type(column)}{'' if column.nullable else ' NOT NULL'}"
        for column in table.columns
    )
    places = _REDSHIFT_PLACES.get(table.name, "DISTSTYLE EVEN")
    return f"CREATE TABLE IF NOT EXISTS landing.{table.name} (\n    {columns}\n)\n{places}\n"


def dbt_sources() -> str:
    """Return the YAML of the dbt source `landing`, with one test of each table: key, never null."""
    lines = [
        "# Rendered from ingest/contract.py by `clickstream contract render`: change it there.",
        "version: 2",
        "",
        "sources:",
        "  - name: landing",
        '    description: "What the loader wrote from sealed batches, column for column."',
        "    tables:",
    ]
    for table in TABLES:
        lines += [
            f"      - name: {table.name}",
            f"        description: {json.dumps(table.description)}",
            *(_SOURCE_FRESHNESS if table is BATCHES else ()),
            "        data_tests:",
            *_dbt_test(table),
            "        columns:",
        ]
        for column in table.columns:
            lines += _dbt_column(column)
        if table is not BATCHES:
            lines += [
                "          - name: part",
                '            description: "Part of the batch: the folder of its file in the lake."',
            ]
    return "\n".join(lines) + "\n"


def _dbt_test(table: Table) -> list[str]:
    never_null = [column.name for column in table.columns if not column.nullable]
    return [
        "          - sound_rows:",
        "              arguments:",
        f"                unique_key: [{', '.join(table.key)}]",
        f"                never_null: [{', '.join(never_null)}]",
    ]


def _dbt_column(column: Column) -> list[str]:
    return [
        f"          - name: {column.name}",
        f"            description: {json.dumps(_described(column))}",
    ]


def dbt_docs() -> str:
    """Return a dbt doc block `<table>__<column>` for each column, for models that pass it on."""
    blocks = [
        f"{{% docs {table.name}__{column.name} %}}\n{_described(column)}\n{{% enddocs %}}\n"
        for table in TABLES
        for column in table.columns
    ]
    return "\n".join(blocks)


def staged_columns(table: Table) -> tuple[str, ...]:
    """Return the names of the columns that the staging model of `table` passes on, in order."""
    return tuple(name for name in table.names if name not in NOT_STAGED)


def staging_models(text: str) -> str:
    """Return `text`, the YAML of the staging models, with the contract's columns in its blocks.

    Raises SettingsError unless there is one block for each table.
    """
    blocks = [block["table"] for block in _STAGING_BLOCK.finditer(text)]
    if sorted(blocks) != sorted(table.name for table in TABLES):
        raise SettingsError(
            f"{STAGING_YAML} needs one block of columns for each of "
            f"{', '.join(table.name for table in TABLES)}; it has {', '.join(blocks) or 'none'}"
        )
    return _STAGING_BLOCK.sub(_staging_block, text)


def _staging_block(block: re.Match[str]) -> str:
    (table,) = (table for table in TABLES if table.name == block["table"])
    columns = "".join(
        f"      - name: {name}\n        description: \"{{{{ doc('{table.name}__{name}') }}}}\"\n"
        for name in staged_columns(table)
    )
    return block["begin"] + columns + block["end"]


def _described(column: Column) -> str:
    if column.null_when:
        return f"{column.description} Null when {column.null_when}."
    return column.description


def elasticsearch_properties() -> dict[str, Any]:
    """Return the mapping's `properties` of an event document; the field `_id` has none."""
    properties: dict[str, Any] = {}
    for column in EVENTS.columns:
        if column.search is None or column.search.field == "_id":
            continue
        *objects, leaf = column.search.field.split(".")
        level = properties
        for name in objects:
            level = level.setdefault(name, {"properties": {}})["properties"]
        level[leaf] = {"type": column.search.type, **dict(column.search.parameters)}
    return properties


def elasticsearch_mappings() -> dict[str, Any]:
    """Return the strict mapping of the index, without the `_meta` that each index has."""
    return {"dynamic": "strict", "properties": elasticsearch_properties()}


def index_fields() -> str:
    """Return the page that says which field of a document holds which column, sorted by field."""
    shown = ", ".join(f"`{name}`" for name in ALWAYS_SHOWN)
    rows = sorted(_field_row(one, one.search) for one in EVENTS.columns if one.search)
    return "\n".join([_FIELDS_PAGE.format(shown=shown), *rows, ""])


def _field_row(column: Column, search: Search) -> str:
    kind = ", ".join((search.type, *(f"{name} {value}" for name, value in search.parameters)))
    text = _described(column) + (f" In documents: {search.note}" if search.note else "")
    return f"| `{search.field}` | {kind.lower()} | `{column.name}` | {text} |"


def _arrow_text() -> str:
    schemas = (f"{table.name}\n{_indented(str(arrow_schema(table)))}" for table in TABLES)
    return "\n".join(schemas) + "\n"


def _spark_text() -> str:
    return "\n".join(spark_ddl(table) for table in TABLES)


def _redshift_text() -> str:
    return "\n".join(redshift_ddl(table) for table in TABLES)


def _elasticsearch_text() -> str:
    mappings = {"mappings": elasticsearch_mappings()}
    return json.dumps(mappings, indent=2, sort_keys=True) + "\n"


# The whole contract in each form, as text for people and for other tools.
FORMS: Mapping[str, Callable[[], str]] = {
    "arrow": _arrow_text,
    "dbt": dbt_sources,
    "elasticsearch": _elasticsearch_text,
    "redshift": _redshift_text,
    "spark": _spark_text,
}


def stale_files(root: Path) -> list[Path]:
    """Return the generated files below `root` that are missing or differ from the contract."""
    return [
        path
        for path, text in generated_files(root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def generated_files(root: Path) -> dict[Path, str]:
    """Return each generated file with the text that it must hold.

    Raises SettingsError when the YAML of the staging models is missing or lacks its blocks: what
    is written in it by hand cannot be generated.
    """
    staging = root / STAGING_YAML
    try:
        models = staging.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{staging} cannot be read ({error.strerror})") from error
    return {
        root / SOURCES_YAML: dbt_sources(),
        root / COLUMN_DOCS: dbt_docs(),
        root / INDEX_FIELDS: index_fields(),
        staging: staging_models(models),
    }


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
