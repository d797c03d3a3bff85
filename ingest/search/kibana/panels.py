"""The table of all panels, and the two data views they read."""

from __future__ import annotations

from dataclasses import replace

from ingest.search.kibana.spec import (
    TIME_FIELD,
    Dashboard,
    DataView,
    Grid,
    Metric,
    Panel,
    Terms,
    Times,
)

_EVENTS = Metric("count", None, "Events")
_SESSIONS = Metric("unique_count", "session.id", "Sessions")
_CLIENTS = Metric("unique_count", "source.ip", "Clients")
_PURCHASES = Metric("sum", "clickstream.purchases", "Purchases")
_VIEWS = Metric("sum", "clickstream.views", "Views")
_BYTES = Metric("sum", "http.response.bytes", "Bytes")

_ACTIONS = Terms("event.action", 10, "Action")
_STATUSES = Terms("http.response.status_code", 20, "Status")
_VERDICTS = Terms("clickstream.parse_status", 5, "Verdict")

# fmt: off
OVERVIEW = Dashboard("clickstream-overview", "Clickstream: overview", "Sessions, clients, brands and responses of all events.", (
    Panel("events", "Events", "metric", Grid(0, 0, 12, 5), (), (_EVENTS,)),
    Panel("sessions", "Sessions", "metric", Grid(12, 0, 12, 5), (), (_SESSIONS,)),
    Panel("clients", "Clients", "metric", Grid(24, 0, 12, 5), (), (_CLIENTS,)),
    Panel("purchases", "Purchases", "metric", Grid(36, 0, 12, 5), (), (_PURCHASES,)),
    Panel("session-table", "Views per session and action", "table", Grid(0, 5, 24, 14), (Terms("session.id", 100, "Session"), _ACTIONS), (_VIEWS, _EVENTS)),
    Panel("session-chart", "Views per session", "bar_horizontal_stacked", Grid(24, 5, 24, 14), (Terms("session.id", 25, "Session"),), (_VIEWS,), _ACTIONS),
    Panel("client-chart", "Sessions per client", "bar_horizontal", Grid(0, 19, 24, 12), (Terms("source.ip", 50, "Client"),), (_SESSIONS,)),
    Panel("brand-chart", "Events per brand and action", "bar_stacked", Grid(24, 19, 24, 12), (Terms("product.brand", 25, "Brand"),), (_EVENTS,), _ACTIONS),
    Panel("response-chart", "Events per HTTP response", "bar", Grid(0, 31, 24, 12), (_STATUSES,), (_EVENTS,)),
    Panel("response-pie", "Shares of HTTP responses", "pie", Grid(24, 31, 24, 12), (_STATUSES,), (_EVENTS,)),
    Panel("page-table", "Pages", "table", Grid(0, 43, 24, 12), (Terms("url.path", 50, "Page"),), (_EVENTS, _VIEWS)),
    Panel("referrer-table", "Referrers", "table", Grid(24, 43, 24, 12), (Terms("http.request.referrer", 50, "Referrer"),), (_EVENTS, _VIEWS)),
    Panel("traffic", "Events over time", "bar_stacked", Grid(0, 55, 48, 10), (Times(),), (_EVENTS,), _ACTIONS),
))
QUALITY = Dashboard("clickstream-quality", "Clickstream: quality", "How well the lines were understood, by format, file and batch.", (
    Panel("quality-events", "Events", "metric", Grid(0, 0, 12, 12), (), (_EVENTS,)),
    Panel("status-pie", "Verdicts", "pie", Grid(12, 0, 12, 12), (_VERDICTS,), (_EVENTS,)),
    Panel("warning-chart", "Warnings", "bar", Grid(24, 0, 24, 12), (Terms("clickstream.warnings", 25, "Warning"),), (_EVENTS,)),
    Panel("format-chart", "Events per format and verdict", "bar_stacked", Grid(0, 12, 24, 12), (Terms("event.dataset", 20, "Format"),), (_EVENTS,), _VERDICTS),
    Panel("bytes-table", "Bytes sent", "table", Grid(24, 12, 24, 12), (Terms("clickstream.bytes_scope", 5, "What is counted"),), (_BYTES,)),
    Panel("file-table", "Events per file", "table", Grid(0, 24, 24, 14), (Terms("log.file.path", 50, "File"),), (_EVENTS,)),
    Panel("batch-table", "Events per batch", "table", Grid(24, 24, 24, 14), (Terms("clickstream.batch_id", 50, "Batch"),), (_EVENTS,)),
))
# fmt: on

_ALL_EVENTS = "clickstream-events-all"
_BY_TIME = "clickstream-events"


def dashboards(time_field: str | None) -> tuple[Dashboard, ...]:
    """Return the dashboards; without a time field they lack the panels that need one."""
    return tuple(
        replace(
            page,
            panels=tuple(panel for panel in page.panels if time_field or not panel.needs_times),
        )
        for page in (OVERVIEW, QUALITY)
    )


def data_views(index: str) -> tuple[DataView, DataView]:
    """Return both data views of `index`; Kibana refuses two of the same name."""
    return (
        DataView(_ALL_EVENTS, index, f"{index}: all events", None),
        DataView(_BY_TIME, index, f"{index}: by time", TIME_FIELD),
    )


def data_view_of(time_field: str | None) -> str:
    """Return the id of the data view that the dashboards use."""
    return _BY_TIME if time_field else _ALL_EVENTS
