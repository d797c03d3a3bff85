"""What must hold of the panels and of both forms: Kibana would just show a blank panel."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ingest.errors import ClickstreamError
from ingest.search.kibana.api_models import ApiDashboard
from ingest.search.kibana.fields import field_problems
from ingest.search.kibana.saved_models import (
    Lens,
    SavedDashboard,
    SavedDataView,
    SavedObject,
    SavedPanel,
    TermsColumn,
)
from ingest.search.kibana.spec import COLUMNS, Dashboard

# Where a visualisation names a column of its layer.
_ACCESSORS = frozenset({"columnId", "metricAccessor", "xAccessor", "splitAccessor"})
_ACCESSOR_LISTS = frozenset({"accessors", "primaryGroups", "metrics"})
_SAVED: TypeAdapter[SavedDashboard | SavedDataView] = TypeAdapter(SavedObject)


def check(found: Iterator[str]) -> None:
    """Raise ClickstreamError with all problems that are found."""
    if problems := list(found):
        raise ClickstreamError(
            "the Kibana assets are wrong (a bug):\n" + "\n".join(f"- {one}" for one in problems)
        )


def panel_problems(dashboards: Sequence[Dashboard]) -> Iterator[str]:
    """Yield what is wrong with the panels: their ids, places and fields."""
    yield from _repeated("id", [panel.id for page in dashboards for panel in page.panels])
    for page in dashboards:
        yield from field_problems(page)
        for panel in page.panels:
            if panel.grid.x + panel.grid.w > COLUMNS:
                yield f"panel {panel.id} of {page.id} is wider than the {COLUMNS} columns"
        for one, other in combinations(page.panels, 2):
            if one.grid.overlaps(other.grid):
                yield f"panels {one.id} and {other.id} of {page.id} overlap"


def api_problems(bodies: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the dashboards API would refuse in `bodies`, by the id of the dashboard."""
    for name, body in bodies.items():
        try:
            ApiDashboard.model_validate_json(json.dumps(body))
        except ValidationError as error:
            yield from _described(name, error)


def saved_problems(lines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with saved objects, in the order of their import."""
    yield from _repeated("id", [str(line["id"]) for line in lines])
    views: set[str] = set()
    for line in lines:
        try:
            match _SAVED.validate_json(json.dumps(line)):
                case SavedDataView(id=view):
                    views.add(view)
                case dashboard:
                    yield from _dashboard_problems(dashboard, views)
        except ValidationError as error:
            yield from _described(str(line["id"]), error)


def _dashboard_problems(dashboard: SavedDashboard, views: set[str]) -> Iterator[str]:
    panels = dashboard.attributes.panelsJSON
    yield from _repeated("panelIndex", [panel.panelIndex for panel in panels])
    needed = {
        f"{panel.panelIndex}:{reference.name}": reference.id
        for panel in panels
        for reference in panel.embeddableConfig.attributes.references
    }
    if needed != {reference.name: reference.id for reference in dashboard.references}:
        yield f"{dashboard.id}: its references are not those of its panels"
    for view in sorted(set(needed.values()) - views):
        yield f"{dashboard.id}: data view {view} does not come before it"
    for panel in panels:
        for problem in _saved_panel_problems(panel):
            yield f"{dashboard.id}: panel {panel.title}: {problem}"


def _saved_panel_problems(panel: SavedPanel) -> Iterator[str]:
    if panel.gridData.i != panel.panelIndex:
        yield "its place has another index"
    lens = panel.embeddableConfig.attributes
    layers = lens.state.datasourceStates.formBased.layers
    wanted = {f"indexpattern-datasource-layer-{layer}" for layer in layers}
    if wanted != {reference.name for reference in lens.references}:
        yield "its references are not those of its layers"
    yield from _column_problems(lens)


def _column_problems(lens: Lens) -> Iterator[str]:
    shown = lens.state.visualization.model_dump(exclude_none=True)
    for layer in lens.state.datasourceStates.formBased.layers.values():
        if sorted(layer.columnOrder) != sorted(layer.columns):
            yield "columnOrder is not a list of its columns"
        ranked = [
            column.params.orderBy.columnId
            for column in layer.columns.values()
            if isinstance(column, TermsColumn)
        ]
        for column in sorted({*_named(shown), *ranked} - layer.columns.keys()):
            yield f"it has no column {column}"
        for column in sorted(layer.columns.keys() - set(_named(shown))):
            yield f"column {column} is not shown"


def _named(shown: Any) -> Iterator[str]:
    """Yield each column that a visualisation names, at any depth."""
    if isinstance(shown, list):
        for one in shown:
            yield from _named(one)
    if isinstance(shown, dict):
        for key, value in shown.items():
            if key in _ACCESSORS:
                yield value
            elif key in _ACCESSOR_LISTS:
                yield from value
            else:
                yield from _named(value)


def _repeated(what: str, names: Sequence[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what} {name} is used {count} times"


def _described(name: str, error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        yield f"{name}: {'.'.join(map(str, one['loc']))}: {one['msg']}"
