"""The assets for one index, checked, in both forms. Two renders are the same bytes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest.search.kibana import dashboards_api, saved_objects
from ingest.search.kibana.checks import api_problems, check, panel_problems, saved_problems
from ingest.search.kibana.fields import columns_of
from ingest.search.kibana.panels import dashboards, data_view_of, data_views
from ingest.search.kibana.spec import Dashboard, DataView, Panel, Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """Two data views of `index`, and the dashboards on one of them.

    Without a time field the dashboards show all events, whatever the time picker says; `period` is
    what it is set to at first, None leaves it alone. Panels that read a column of `exclude`, which
    no document has, are left out.
    """

    index: str
    time_field: str | None
    period: Period | None = None
    exclude: Collection[str] = ()

    @property
    def views(self) -> tuple[DataView, DataView]:
        """Both data views."""
        return data_views(self.index)

    @property
    def dashboards(self) -> tuple[Dashboard, ...]:
        """The dashboards, of panels that show something."""
        return tuple(
            replace(page, panels=tuple(p for p in page.panels if not self._lacks(p)))
            for page in self._complete()
        )

    @property
    def notice(self) -> str | None:
        """A sentence about the panels that are left out, None when there are none."""
        left_out = ", ".join(
            f"{panel.title} ({', '.join(lacking)})"
            for page in self._complete()
            for panel in page.panels
            if (lacking := self._lacks(panel))
        )
        if not left_out:
            return None
        return f"panels that read a column of search.exclude are left out: {left_out}"

    def _complete(self) -> tuple[Dashboard, ...]:
        """Return the dashboards with all panels, which are checked."""
        pages = dashboards(self.time_field)
        check(panel_problems(pages))
        return pages

    def _lacks(self, panel: Panel) -> list[str]:
        return sorted(columns_of(panel).intersection(self.exclude))

    def api_bodies(self) -> dict[str, Any]:
        """Return the bodies of the dashboards API by the id of the dashboard."""
        view = data_view_of(self.time_field)
        bodies = {
            page.id: dashboards_api.body(page, data_view=view, period=self.period)
            for page in self.dashboards
        }
        check(api_problems(bodies))
        return bodies

    def saved(self) -> list[dict[str, Any]]:
        """Return the saved objects, data views first."""
        view = data_view_of(self.time_field)
        lines = [saved_objects.data_view_object(one) for one in self.views]
        lines += [
            saved_objects.dashboard_object(page, data_view=view, period=self.period)
            for page in self.dashboards
        ]
        check(saved_problems(lines))
        return lines

    def as_api(self) -> dict[str, Any]:
        """Return what a client of Kibana's API sends: bodies of data views and dashboards."""
        views = [data_view_body(view) for view in self.views]
        return {"data_views": views, "dashboards": self.api_bodies()}


def data_view_body(view: DataView) -> dict[str, Any]:
    """Return the body that creates `view`, also before its index exists."""
    content = {"id": view.id, "title": view.index, "name": view.name, "allowNoIndex": True}
    if view.time_field:
        content["timeFieldName"] = view.time_field
    return {"data_view": content}


def ndjson(lines: Sequence[Any]) -> str:
    """Return one line of JSON for each object."""
    return "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in lines)


def pretty(value: Any) -> str:
    """Return `value` as JSON for people, too."""
    return f"{json.dumps(value, indent=2, sort_keys=True)}\n"
