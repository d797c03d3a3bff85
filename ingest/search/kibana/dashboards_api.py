"""The form for Kibana 9.5 and later: bodies of its dashboards API.

Kibana refuses what it does not know, so nothing is sent that it does not need.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ingest.search.kibana.spec import TIME_FIELD, Dashboard, Metric, Panel, Period, Terms, Times


def body(dashboard: Dashboard, *, data_view: str, period: Period | None) -> dict[str, Any]:
    """Return the body that replaces `dashboard` whole; `data_view` is the id of one."""
    rendered: dict[str, Any] = {
        "title": dashboard.title,
        "description": dashboard.description,
        "panels": [_panel(panel, data_view) for panel in dashboard.panels],
    }
    if period:
        rendered["time_range"] = {"from": period.start, "to": period.end}
    return rendered


def _panel(panel: Panel, data_view: str) -> dict[str, Any]:
    return {
        "type": "vis",
        "id": panel.id,
        "grid": asdict(panel.grid),
        "config": _config(panel, {"type": "data_view_reference", "ref_id": data_view}),
    }


def _config(panel: Panel, source: dict[str, str]) -> dict[str, Any]:
    metrics = [_metric(metric) for metric in panel.metrics]
    buckets = [_bucket(bucket) for bucket in panel.buckets]
    match panel.kind:
        case "metric":
            primary = {"type": "primary", **metrics[0]}
            return {"type": "metric", "data_source": source, "metrics": [primary]}
        case "table":
            shown = {"metrics": metrics, "rows": buckets}
            return {"type": "data_table", "title": panel.title, "data_source": source, **shown}
        case "pie":
            shown = {"metrics": metrics, "group_by": buckets}
            return {"type": "pie", "title": panel.title, "data_source": source, **shown}
    layer = {"type": panel.kind, "data_source": source, "x": buckets[0], "y": metrics}
    if panel.breakdown:
        layer["breakdown_by"] = _bucket(panel.breakdown)
    return {"type": "xy", "title": panel.title, "layers": [layer]}


def _metric(metric: Metric) -> dict[str, Any]:
    field = {"field": metric.field} if metric.field else {}
    return {"operation": metric.op, **field, "label": metric.label}


def _bucket(bucket: Terms | Times) -> dict[str, Any]:
    if isinstance(bucket, Times):
        return {"operation": "date_histogram", "field": TIME_FIELD, "label": bucket.label}
    return {
        "operation": "terms",
        "fields": [bucket.field],
        "limit": bucket.size,
        "rank_by": {"type": "metric", "metric_index": 0, "direction": "desc"},
        "label": bucket.label,
    }
