"""The form for Kibana 8.9 to 9.4: saved objects, for its import of NDJSON files.

The versions are old on purpose: a newer Kibana migrates objects forward, an older one refuses
newer ones.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from ingest.search.kibana.lens import LAYER, visualisation
from ingest.search.kibana.spec import Dashboard, DataView, Panel, Period

_CORE_VERSION = "8.8.0"
_DASHBOARD_VERSION = "8.9.0"
_DATA_VIEW_VERSION = "8.0.0"
_LAYER_REFERENCE = f"indexpattern-datasource-layer-{LAYER}"
_OPTIONS = {
    "hidePanelTitles": False,
    "syncColors": False,
    "syncCursor": True,
    "syncTooltips": False,
    "useMargins": True,
}


def data_view_object(view: DataView) -> dict[str, Any]:
    """Return `view` as a saved object."""
    attributes = {"title": view.index, "name": view.name}
    if view.time_field:
        attributes["timeFieldName"] = view.time_field
    return {
        "type": "index-pattern",
        "id": view.id,
        "attributes": attributes,
        "references": [],
        "coreMigrationVersion": _CORE_VERSION,
        "typeMigrationVersion": _DATA_VIEW_VERSION,
    }


def dashboard_object(
    dashboard: Dashboard, *, data_view: str, period: Period | None
) -> dict[str, Any]:
    """Return `dashboard` as a saved object; `data_view` is the id of one."""
    indices = [_panel_index(dashboard, panel) for panel in dashboard.panels]
    panels = [
        _panel(panel, index, data_view)
        for panel, index in zip(dashboard.panels, indices, strict=True)
    ]
    attributes: dict[str, Any] = {
        "title": dashboard.title,
        "description": dashboard.description,
        "panelsJSON": _json(panels),
        "optionsJSON": _json(_OPTIONS),
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": _json({"filter": [], "query": {"language": "kuery", "query": ""}})
        },
        "timeRestore": period is not None,
    }
    if period:
        attributes |= {"timeFrom": period.start, "timeTo": period.end}
    return {
        "type": "dashboard",
        "id": dashboard.id,
        "attributes": attributes,
        # Once more, beside those of each panel: without them the panels stay blank.
        "references": [_reference(f"{index}:{_LAYER_REFERENCE}", data_view) for index in indices],
        "coreMigrationVersion": _CORE_VERSION,
        "typeMigrationVersion": _DASHBOARD_VERSION,
    }


def _panel_index(dashboard: Dashboard, panel: Panel) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dashboard.id}/{panel.id}"))


def _panel(panel: Panel, index: str, data_view: str) -> dict[str, Any]:
    grid = panel.grid
    return {
        "type": "lens",
        "version": _DASHBOARD_VERSION,  # decides which migrations run
        "panelIndex": index,
        "gridData": {"x": grid.x, "y": grid.y, "w": grid.w, "h": grid.h, "i": index},
        "title": panel.title,
        "embeddableConfig": {
            "enhancements": {},
            "hidePanelTitles": panel.kind == "metric",  # it shows its label
            "attributes": {
                **visualisation(panel),
                "references": [_reference(_LAYER_REFERENCE, data_view)],
            },
        },
    }


def _reference(name: str, data_view: str) -> dict[str, str]:
    return {"type": "index-pattern", "id": data_view, "name": name}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
