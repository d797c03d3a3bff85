"""The rendered assets: what they hold, and that each rule of theirs is checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.kibana_search import of_api, of_saved

from ingest import cli
from ingest.errors import ClickstreamError
from ingest.search.kibana import fields
from ingest.search.kibana.assets import Assets, ndjson, pretty
from ingest.search.kibana.checks import api_problems, check, panel_problems, saved_problems
from ingest.search.kibana.panels import OVERVIEW, QUALITY
from ingest.search.kibana.spec import Dashboard, Grid, Metric, Panel, Period, Terms, Times

ALL = Assets(index="clickstream_data", time_field=None)
TIMED = Assets(
    index="clickstream_data", time_field="@timestamp", period=Period("2026-01-02", "2026-01-05")
)


# A column of a bucket, a metric, a breakdown, intervals of time; two of one panel.
EXCLUDING = replace(TIMED, exclude=("client_ip", "event_type", "purchase_count", "event_time"))


@pytest.mark.parametrize("assets", [ALL, TIMED, EXCLUDING])
def test_both_forms_ask_the_same(assets: Assets) -> None:
    bodies = assets.api_bodies()
    pages = [line for line in assets.saved() if line["type"] == "dashboard"]

    assert [page["id"] for page in pages] == list(bodies)
    assert {page["id"]: of_saved(page) for page in pages} == {
        name: of_api(body) for name, body in bodies.items()
    }


def test_panels_over_time_need_a_time_field() -> None:
    without, timed = (of_api(one.api_bodies()["clickstream-overview"]) for one in (ALL, TIMED))
    assert timed.keys() - without.keys() == {"Events over time"}


def test_panels_of_excluded_columns_are_left_out_with_a_notice() -> None:
    full, rest = (
        {title for body in one.api_bodies().values() for title in of_api(body)}
        for one in (TIMED, EXCLUDING)
    )
    assert full - rest == {
        "Clients", "Purchases", "Views per session and action", "Views per session",
        "Sessions per client", "Events per brand and action", "Events over time",
    }  # fmt: skip
    assert EXCLUDING.notice == (
        "panels that read a column of search.exclude are left out: Clients (client_ip), "
        "Purchases (purchase_count), Views per session and action (event_type), "
        "Views per session (event_type), Sessions per client (client_ip), "
        "Events per brand and action (event_type), Events over time (event_time, event_type)"
    )


def test_there_is_no_notice_of_panels_that_would_not_be_there_anyway() -> None:
    assert TIMED.notice is None
    assert replace(ALL, exclude=("event_time", "user_agent")).notice is None


def test_the_data_view_follows_the_time_field() -> None:
    for assets, view, restored in (
        (ALL, "clickstream-events-all", False),
        (TIMED, "clickstream-events", True),
    ):
        *_, quality = assets.saved()
        assert {one["id"] for one in quality["references"]} == {view}
        assert quality["attributes"]["timeRestore"] == restored
        assert view in pretty(assets.api_bodies())


def test_data_views_come_first_and_differ_in_their_names() -> None:
    one, other, *pages = ALL.saved()
    assert [line["type"] for line in pages] == ["dashboard", "dashboard"]
    assert one["attributes"]["title"] == other["attributes"]["title"] == "clickstream_data"
    assert one["attributes"]["name"] != other["attributes"]["name"]
    assert "timeFieldName" not in one["attributes"]
    assert other["attributes"]["timeFieldName"] == "@timestamp"


def test_two_renders_are_the_same_bytes() -> None:
    """Another process has other hashes of texts, by which sets are ordered."""
    script = (
        "from ingest import cli; cli.run(['kibana', 'render']);"
        "cli.run(['kibana', 'render', '--form', 'api'])"
    )
    rendered = subprocess.check_output(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": "7"}, text=True
    )
    assert rendered == ndjson(ALL.saved()) + pretty(ALL.as_api())


def test_the_command_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "new")
    assert cli.run(["kibana", "render", "--time-field", "@timestamp", "--out", out, "--json"]) == 0
    written = Path(json.loads(capsys.readouterr().out)["file"])
    assert written == tmp_path / "new" / "clickstream.ndjson"
    assert ndjson(replace(TIMED, period=None).saved()) == written.read_text()


@pytest.mark.parametrize("form", ["ndjson", "api"])
def test_the_command_prints_one_object(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["kibana", "render", "--form", form, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == ({"objects": ALL.saved()} if form == "ndjson" else ALL.as_api())


def _exclude(folder: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dbt_project.yml").touch()
    (folder / "clickstream.toml").write_text(f"[search]\nexclude = [{columns}]\n")
    monkeypatch.chdir(folder)


def test_the_command_tells_which_panels_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _exclude(tmp_path, '"brand"', monkeypatch)
    assert cli.run(["kibana", "render"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ndjson(replace(ALL, exclude=("brand",)).saved())
    assert "note: panels that read a column of search.exclude are left out: " in printed.err
    assert "Events per brand and action (brand)" in printed.err


def test_a_time_field_that_no_document_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _exclude(tmp_path, '"event_time"', monkeypatch)
    assert cli.run(["kibana", "render", "--time-field", "@timestamp"]) == 2
    assert "no document has @timestamp: pass --time-field none" in capsys.readouterr().err


# Each rule, broken once.


def _page(*panels: Panel) -> Dashboard:
    return replace(QUALITY, panels=panels)


CORNER = Grid(0, 0, 12, 5)


def _bars(field: str, grid: Grid = CORNER, name: str = "p") -> Panel:
    return Panel(name, "P", "bar", grid, (Terms(field, 5, "X"),), (Metric("count", None, "N"),))


def _number(metric: Metric) -> Panel:
    return Panel("p", "P", "metric", CORNER, (), (metric,))


@pytest.mark.parametrize(
    ("panels", "problem"),
    [
        ([_bars("http.response.status")], "the index has no field http.response.status"),
        ([_bars("clickstream.extra")], "clickstream.extra is of type flattened, which `terms`"),
        ([_bars("event.ingested")], "event.ingested is of type date, which `terms`"),
        ([_number(Metric("sum", "session.id", "S"))], "is of type keyword, which `sum`"),
        ([_number(Metric("unique_count", "@timestamp", "S"))], "is of type date"),
        ([_bars("event.action", Grid(40, 0, 12, 5))], "is wider than the 48 columns"),
        (
            [_bars("event.action"), _bars("event.action", Grid(11, 4, 12, 5), "q")],
            "panels p and q of clickstream-quality overlap",
        ),
        (
            [_bars("event.action"), _bars("event.action", Grid(12, 0, 12, 5))],
            "id p is used 2 times",
        ),
    ],
)
def test_a_wrong_panel_is_found(panels: list[Panel], problem: str) -> None:
    assert problem in "\n".join(panel_problems([_page(*panels)]))


def test_a_renamed_column_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    types = {name: kind for name, kind in fields._types().items() if name != "product.brand"}
    monkeypatch.setattr(fields, "_types", lambda: types)
    for assets in (ALL, replace(ALL, exclude=("brand",))):
        with pytest.raises(ClickstreamError, match=r"brand-chart .* no field product\.brand"):
            assets.api_bodies()


def test_a_time_field_of_another_type_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    types = fields._types() | {"@timestamp": "keyword"}
    monkeypatch.setattr(fields, "_types", lambda: types)
    assert any(isinstance(bucket, Times) for panel in OVERVIEW.panels for bucket in panel.buckets)
    (problem,) = panel_problems([OVERVIEW])
    assert "`date_histogram` cannot read" in problem


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.update(options={}),
        lambda body: body["panels"][0]["grid"].update(x=-1),
        lambda body: body["panels"][4]["config"].update(axis={}),
        lambda body: body["panels"][5]["config"]["layers"][0].update(axis_id="left"),
        lambda body: body["panels"][0]["config"]["metrics"][0].pop("type"),
        lambda body: body["panels"][4]["config"]["rows"][0].update(limit="100"),
        lambda body: body["panels"][4]["config"]["rows"][0].update(size=1),
    ],
)
def test_a_wrong_body_is_found(spoil: Callable[[Any], object]) -> None:
    body = ALL.api_bodies()["clickstream-overview"]
    spoil(body)
    assert list(api_problems({"clickstream-overview": body}))


def _spoiled(spoil: Callable[[Any], object]) -> list[dict[str, Any]]:
    """Return the saved objects with the panels of the overview spoiled."""
    lines = ALL.saved()
    attributes = lines[2]["attributes"]
    panels = json.loads(attributes["panelsJSON"])
    spoil(panels)
    attributes["panelsJSON"] = json.dumps(panels)
    return lines


def _state(panel: Any) -> Any:
    return panel["embeddableConfig"]["attributes"]["state"]


def _layer(panel: Any) -> Any:
    return _state(panel)["datasourceStates"]["formBased"]["layers"]["layer-0"]


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda panels: panels[0]["gridData"].update(i="x"), "its place has another index"),
        (lambda panels: panels[0].update(version="9.0.0"), "version"),
        (lambda panels: panels[1].update(panelIndex=panels[0]["panelIndex"]), "is used 2 times"),
        (lambda panels: panels.pop(), "its references are not those of its panels"),
        (
            lambda panels: panels[0]["embeddableConfig"]["attributes"]["references"].clear(),
            "its references are not those of its layers",
        ),
        (
            lambda panels: _state(panels[0])["visualization"].update(metricAccessor="none"),
            "it has no column none",
        ),
        (
            lambda panels: _layer(panels[4])["columns"]["bucket-0"]["params"]["orderBy"].update(
                columnId="none"
            ),
            "it has no column none",
        ),
        (
            lambda panels: _layer(panels[4])["columnOrder"].pop(),
            "columnOrder is not a list of its columns",
        ),
        (
            lambda panels: _state(panels[5])["visualization"]["layers"][0].pop("splitAccessor"),
            "column bucket-1 is not shown",
        ),
        (
            lambda panels: _state(panels[0])["datasourceStates"].pop("textBased"),
            "textBased: Field required",
        ),
        (
            lambda panels: _layer(panels[4])["columns"]["bucket-0"]["params"].update(mine=1),
            "mine: Extra inputs are not permitted",
        ),
    ],
)
def test_a_wrong_saved_panel_is_found(spoil: Callable[[Any], object], problem: str) -> None:
    assert problem in "\n".join(saved_problems(_spoiled(spoil)))


def test_a_wrong_order_of_saved_objects_is_found() -> None:
    lines = ALL.saved()
    (problem, *_) = saved_problems(lines[::-1])
    assert "data view clickstream-events-all does not come before it" in problem
    assert "id clickstream-quality is used 2 times" in list(saved_problems([*lines, lines[-1]]))


def test_broken_json_in_a_saved_object_is_found() -> None:
    lines = ALL.saved()
    lines[2]["attributes"]["optionsJSON"] = "{"
    with pytest.raises(ClickstreamError, match=r"optionsJSON: Invalid JSON"):
        check(saved_problems(lines))
