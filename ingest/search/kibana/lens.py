"""A panel as the state of Lens, Kibana's editor of visualisations."""

from __future__ import annotations

from typing import Any

from ingest.search.kibana.fields import type_of
from ingest.search.kibana.spec import TIME_FIELD, Metric, Panel, Terms, Times

LAYER = "layer-0"
_TYPES = {"metric": "lnsMetric", "table": "lnsDatatable", "pie": "lnsPie"}
_BARS = "lnsXY"
_RECORDS = "___records___"
_DATA_TYPES = {"keyword": "string", "ip": "ip", "integer": "number", "long": "number"}
_AXES = ("x", "yLeft", "yRight")


def visualisation(panel: Panel) -> dict[str, Any]:
    """Return the attributes of a Lens object for `panel`, but for its references."""
    return {
        "title": "",
        "type": "lens",
        "visualizationType": _TYPES.get(panel.kind, _BARS),
        "state": {
            "query": {"language": "kuery", "query": ""},
            "filters": [],
            "adHocDataViews": {},
            "internalReferences": [],
            # All three, or migrations fail.
            "datasourceStates": {
                "formBased": {"layers": {LAYER: _layer(panel)}},
                "indexpattern": {"layers": {}},
                "textBased": {"layers": {}},
            },
            "visualization": _shown(panel),
        },
    }


def _layer(panel: Panel) -> dict[str, Any]:
    columns = dict(zip(_bucket_ids(panel), map(_bucket, panel.splits), strict=True))
    columns |= zip(_metric_ids(panel), map(_metric, panel.metrics), strict=True)
    return {
        "columnOrder": list(columns),  # buckets from the outermost, then metrics
        "columns": columns,
        "incompleteColumns": {},
        "sampling": 1,
        "ignoreGlobalFilters": False,
    }


def _bucket_ids(panel: Panel) -> list[str]:
    return [f"bucket-{number}" for number in range(len(panel.splits))]


def _metric_ids(panel: Panel) -> list[str]:
    return [f"metric-{number}" for number in range(len(panel.metrics))]


def _bucket(bucket: Terms | Times) -> dict[str, Any]:
    return _times(bucket) if isinstance(bucket, Times) else _terms(bucket)


def _times(times: Times) -> dict[str, Any]:
    return {
        "operationType": "date_histogram",
        "dataType": "date",
        "isBucketed": True,
        "scale": "interval",
        "sourceField": TIME_FIELD,
        "label": times.label,
        "customLabel": True,
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "operationType": "terms",
        "dataType": _DATA_TYPES[type_of(terms.field)],
        "isBucketed": True,
        "scale": "ordinal",
        "sourceField": terms.field,
        "label": terms.label,
        "customLabel": True,
        "params": {
            "size": terms.size,
            "orderBy": {"type": "column", "columnId": "metric-0"},
            "orderDirection": "desc",
            "otherBucket": False,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        },
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "operationType": metric.op,
        "dataType": "number",
        "isBucketed": False,
        "scale": "ratio",
        "sourceField": metric.field or _RECORDS,
        "label": metric.label,
        "customLabel": True,
        "params": {"emptyAsNull": True},
    }


def _shown(panel: Panel) -> dict[str, Any]:
    buckets, metrics = _bucket_ids(panel), _metric_ids(panel)
    layer = {"layerId": LAYER, "layerType": "data"}
    match panel.kind:
        case "metric":
            return {**layer, "metricAccessor": metrics[0]}
        case "table":
            return {**layer, "columns": [{"columnId": column} for column in buckets + metrics]}
        case "pie":
            slices = {"primaryGroups": buckets, "metrics": metrics, "numberDisplay": "percent"}
            legend = {"categoryDisplay": "default", "legendDisplay": "default"}
            return {"shape": "pie", "layers": [{**layer, **slices, **legend}]}
    bars = {"seriesType": panel.kind, "xAccessor": buckets[0], "accessors": metrics}
    if panel.breakdown:
        bars["splitAccessor"] = buckets[-1]
    return {
        "preferredSeriesType": panel.kind,
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
        "fittingFunction": "None",
        "axisTitlesVisibilitySettings": dict.fromkeys(_AXES, True),
        "tickLabelsVisibilitySettings": dict.fromkeys(_AXES, True),
        "gridlinesVisibilitySettings": dict.fromkeys(_AXES, True),
        "labelsOrientation": dict.fromkeys(_AXES, 0),
        "layers": [{**layer, **bars}],
    }
