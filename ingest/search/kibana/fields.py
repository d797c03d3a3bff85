"""The fields of the index, and what a panel may do with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ingest.contract import EVENTS
from ingest.render import elasticsearch_properties
from ingest.search.kibana.spec import TIME_FIELD, Dashboard, Panel, Times
from ingest.search.template import fields

_NUMBERS = frozenset({"integer", "long"})
_VALUES = _NUMBERS | {"keyword", "ip"}
_DATES = frozenset({"date"})
COLUMN_OF = {column.search.field: column.name for column in EVENTS.columns if column.search}


@cache
def _types() -> dict[str, str]:
    found = fields(elasticsearch_properties())
    return {name: str(definition["type"]) for name, definition in found.items()}


def type_of(field: str) -> str:
    """Return the Elasticsearch type of `field`; raises KeyError when the index has none."""
    return _types()[field]


def columns_of(panel: Panel) -> set[str]:
    """Return the columns of events that `panel` reads; fields that the index lacks have none."""
    return {COLUMN_OF[field] for field, _, _ in _uses(panel) if field in COLUMN_OF}


def field_problems(dashboard: Dashboard) -> Iterator[str]:
    """Yield each use of a field that the index lacks, or has with a type that will not do."""
    for panel in dashboard.panels:
        for field, use, wanted in _uses(panel):
            found = _types().get(field)
            where = f"panel {panel.id} of {dashboard.id}"
            if found is None:
                yield f"{where}: the index has no field {field}"
            elif found not in wanted:
                yield f"{where}: {field} is of type {found}, which `{use}` cannot read"


def _uses(panel: Panel) -> Iterator[tuple[str, str, frozenset[str]]]:
    for bucket in panel.splits:
        if isinstance(bucket, Times):
            yield TIME_FIELD, "date_histogram", _DATES
        else:
            yield bucket.field, "terms", _VALUES
    for metric in panel.metrics:
        if metric.field:
            yield metric.field, metric.op, _NUMBERS if metric.op == "sum" else _VALUES
