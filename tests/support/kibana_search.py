"""The searches that rendered panels imply, read back from both forms.

It is written from what Kibana does with a panel, not from the code that renders.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Row = tuple[tuple[str, ...], tuple[float, ...]]
_OPS = {"sum": "sum", "unique_count": "cardinality"}


@dataclass(frozen=True)
class Search:
    """`splits` are (field, size) from the outermost; a size of None means intervals of time.

    `metrics` are (operation, field); the first one ranks.
    """

    splits: tuple[tuple[str, int | None], ...]
    metrics: tuple[tuple[str, str | None], ...]

    def aggregations(self) -> dict[str, Any]:
        """Return the aggregations, with the metrics of all documents beside the buckets.

        All is in a filter that lets everything through: it counts the documents.
        """
        metrics: dict[str, Any] = {
            f"m{number}": {_OPS[op]: {"field": field}}
            for number, (op, field) in enumerate(self.metrics)
            if field
        }
        found = metrics
        for field, size in reversed(self.splits):
            found = {**metrics, "buckets": {**self._bucket(field, size), "aggs": found}}
        return {"all": {"filter": {"match_all": {}}, "aggs": found}}

    def rows(self, answer: Mapping[str, Any]) -> Iterator[Row]:
        """Yield (keys, metrics) of all documents, without a key, and of each bucket."""
        yield from self._rows((), answer["all"])

    def _bucket(self, field: str, size: int | None) -> dict[str, Any]:
        if size is None:
            # Kibana fits intervals to the time picker; days of all times fit with gaps only.
            days = {"field": field, "fixed_interval": "1d", "min_doc_count": 1}
            return {"date_histogram": days}
        by = "m0" if self.metrics[0][1] else "_count"
        return {"terms": {"field": field, "size": size, "order": {by: "desc"}}}

    def _rows(self, keys: tuple[str, ...], answer: Mapping[str, Any]) -> Iterator[Row]:
        yield (
            keys,
            tuple(
                answer[f"m{number}"]["value"] if field else answer["doc_count"]
                for number, (_, field) in enumerate(self.metrics)
            ),
        )
        for bucket in answer.get("buckets", {}).get("buckets", ()):
            key = str(bucket.get("key_as_string", bucket["key"]))
            yield from self._rows((*keys, key), bucket)


def of_api(body: Mapping[str, Any]) -> dict[str, Search]:
    """Return the search of each panel of a body of the dashboards API, by its title."""
    return dict(map(_of_api_panel, body["panels"]))


def of_saved(line: Mapping[str, Any]) -> dict[str, Search]:
    """Return the search of each panel of a saved dashboard, by its title."""
    return dict(map(_of_saved_panel, json.loads(line["attributes"]["panelsJSON"])))


def _of_api_panel(panel: Mapping[str, Any]) -> tuple[str, Search]:
    config = panel["config"]
    match config["type"]:
        case "xy":
            (layer,) = config["layers"]
            splits, metrics = [layer["x"]], layer["y"]
            splits += [layer["breakdown_by"]] if "breakdown_by" in layer else []
        case "data_table":
            splits, metrics = config["rows"], config["metrics"]
        case "pie":
            splits, metrics = config["group_by"], config["metrics"]
        case "metric":
            splits, metrics = [], config["metrics"]
    for split in splits:
        if split["operation"] == "terms":
            ranking = split["rank_by"]
            assert (ranking["metric_index"], ranking["direction"]) == (0, "desc")
    return config.get("title") or metrics[0]["label"], Search(
        tuple(
            (split["fields"][0], split["limit"])
            if split["operation"] == "terms"
            else (split["field"], None)
            for split in splits
        ),
        tuple((metric["operation"], metric.get("field")) for metric in metrics),
    )


def _of_saved_panel(panel: Mapping[str, Any]) -> tuple[str, Search]:
    state = panel["embeddableConfig"]["attributes"]["state"]
    (layer,) = state["datasourceStates"]["formBased"]["layers"].values()
    order, columns = layer["columnOrder"], layer["columns"]
    buckets = [columns[name] for name in order if columns[name]["isBucketed"]]
    numbers = [name for name in order if not columns[name]["isBucketed"]]
    for bucket in buckets:
        if bucket["operationType"] == "terms":
            params = bucket["params"]
            assert params["orderBy"] == {"type": "column", "columnId": numbers[0]}
            assert params["orderDirection"] == "desc"
            assert not params["otherBucket"]
            assert not params["missingBucket"]
    _check_shown(state["visualization"], order, numbers)
    return panel["title"], Search(
        tuple((bucket["sourceField"], bucket["params"].get("size")) for bucket in buckets),
        tuple(
            (columns[name]["operationType"], _field(columns[name]["sourceField"]))
            for name in numbers
        ),
    )


def _check_shown(shown: Mapping[str, Any], order: list[str], numbers: list[str]) -> None:
    """Fail unless the visualisation shows the columns in the order of their aggregation."""
    if "metricAccessor" in shown:
        names = [shown["metricAccessor"]]
    elif "columns" in shown:
        names = [column["columnId"] for column in shown["columns"]]
    else:
        (layer,) = shown["layers"]
        groups = layer.get("primaryGroups") or [
            layer[key] for key in ("xAccessor", "splitAccessor") if key in layer
        ]
        names = [*groups, *layer.get("metrics", layer.get("accessors"))]
    assert names == order
    assert names[-len(numbers) :] == numbers


def _field(source: str) -> str | None:
    return None if source == "___records___" else source
