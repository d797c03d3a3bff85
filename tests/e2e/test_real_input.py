"""The reference input alone gives the numbers that its users know, in the marts and the index."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from fixtures.product import ROOT, Index, OneProcess, Product
from support.kibana_oracle import check, events
from support.kibana_search import Row, of_api, of_saved

from ingest.search.kibana.assets import Assets
from ingest.search.kibana.time_field import choose

pytestmark = pytest.mark.e2e

# The golden numbers of the reference file, counted in it with csv and Counter.
EVENTS = 18_501
STATUSES = {
    "200": 17_099, "503": 435, "408": 197, "406": 176, "400": 173, "500": 166, "505": 125,
    "404": 80, "403": 50,
}  # fmt: skip
BRANDS = {
    "Micromax": 1626, "XOLO": 1587, "Intex": 1564, "Karbon": 1371, "Nokia": 1357,
    "Samsung": 1315, "Acer": 1260, "Lenovo": 1219, "Apple": 1117, "HTC": 1093, "Sony": 1057,
    "LG": 1032, "Dell": 1004, "Motorola": 936, "Philips": 920, "Panasonic": 43,
}  # fmt: skip
PURCHASES_OF_MICROMAX = 275
ACTIONS = {
    "view": 7599, "addtocart": 5407, "purchase": 2972, "remove": 1278, "changequantity": 1245,
}  # fmt: skip
TOP_CLIENTS = [
    ["87.194.216.51", 120],
    ["211.166.11.101", 83],
    ["128.241.220.82", 65],
    ["194.215.205.19", 61],
    ["188.138.40.166", 49],
]
SESSIONS, CLIENTS, GROUPS, VIEWS = 4633, 182, 15_166, 15_529

# As users have typed it for years; it must run unchanged.
KNOWN_QUERY = (
    "SELECT distinct(clientip),total_sessions from number_of_sessions_per_ip "
    "order by total_sessions desc limit 5"
)
QUERIES = {
    "known": KNOWN_QUERY,
    "clients": "select count(*), sum(total_sessions), sum(total_events)"
    " from number_of_sessions_per_ip",
    "top client": "select total_sessions, total_events from number_of_sessions_per_ip"
    " where clientip = '87.194.216.51'",
    "views": "select count(*), sum(number_of_views), count(distinct sessionid)"
    " from number_of_views_per_session",
    "statuses": "select status_code, total_events from number_of_events_per_http_response",
    "labels": "select status_code, response from number_of_events_per_http_response"
    " where status_code in (200, 404)",
    "brands": "select brand, total_events from number_of_events_per_brand",
    "micromax": "select views, purchases from number_of_events_per_brand where brand = 'Micromax'",
    "shop": "select sum(views), sum(purchases) from number_of_events_per_brand",
    "hours": "select count(*) from fct_traffic_hourly",
    "landing": "select count(*), count(event_time), count(distinct event_id) from landing.events",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    run: dict[str, Any]
    records: list[dict[str, Any]]
    answers: dict[str, list[list[Any]]]
    index: Index


@pytest.fixture(scope="module")
def outcome(
    tmp_path_factory: pytest.TempPathFactory,
    one_process: OneProcess,
    search_url: str,
    seed_csv: Path,
) -> Outcome:
    """Run the product over a folder that holds the reference file and nothing else."""
    data = tmp_path_factory.mktemp("real")
    (data / "raw").mkdir()
    shutil.copy(seed_csv, data / "raw")
    product = Product(data=data, environ={"ES_URL": search_url, "ES_INDEX": "real_input"})
    commands = one_process.of(product)
    run = commands.json("run")
    answers = dict(zip(QUERIES, commands.sql(*QUERIES.values()), strict=True))
    return Outcome(
        run=run,
        records=product.records(),
        answers=answers,
        index=Index(url=search_url, name="real_input"),
    )


def test_the_lake_has_every_line_with_its_verdict(outcome: Outcome) -> None:
    (record,) = outcome.records
    totals = record["totals"]

    assert [file["source_file"] for file in record["objects"]] == ["raw/Schematic_Log.csv"]
    assert totals["lines_read"] == EVENTS + 1
    assert totals["counts"] == {"header": 1, "no_timestamp": EVENTS}
    assert (totals["lines_warn"], totals["lines_skip"], totals["rejects"]) == (EVENTS, 1, 0)


def test_landing_holds_every_event_without_inventing_a_time(outcome: Outcome) -> None:
    assert outcome.answers["landing"] == [[EVENTS, 0, EVENTS]]


def test_the_known_query_gives_distinct_sessions(outcome: Outcome) -> None:
    assert outcome.answers["known"] == TOP_CLIENTS


def test_the_marts_have_the_golden_numbers(outcome: Outcome) -> None:
    answers = outcome.answers

    assert answers["clients"] == [[CLIENTS, SESSIONS, EVENTS]]
    assert answers["top client"] == [[120, 494]]
    assert answers["views"] == [[GROUPS, VIEWS, SESSIONS]]
    assert {str(status): count for status, count in answers["statuses"]} == STATUSES
    assert dict(answers["labels"]) == {200: "Successfull", 404: "Page not exist"}
    assert dict(answers["brands"]) == BRANDS
    micromax = BRANDS["Micromax"] - PURCHASES_OF_MICROMAX
    assert answers["micromax"] == [[micromax, PURCHASES_OF_MICROMAX]]
    assert answers["shop"] == [[VIEWS, ACTIONS["purchase"]]]
    assert answers["hours"] == [[0]]


def test_the_index_gives_the_same_numbers(outcome: Outcome) -> None:
    index = outcome.index

    assert index.count() == EVENTS
    assert index.terms("http.response.status_code") == STATUSES
    assert index.terms("product.brand") == BRANDS
    assert index.terms("event.action") == ACTIONS
    assert len(index.terms("session.id")) == SESSIONS
    views = index.aggregate(views={"sum": {"field": "clickstream.views"}})
    assert views["views"]["value"] == VIEWS


def test_the_index_counts_sessions_of_clients_as_the_marts_do(outcome: Outcome) -> None:
    sessions = {"sessions": {"terms": {"field": "session.id", "size": 5000}}}

    clients = outcome.index.terms("source.ip", **sessions)

    assert len(clients) == CLIENTS
    assert sum(len(client["sessions"]["buckets"]) for client in clients.values()) == SESSIONS
    top = clients["87.194.216.51"]
    assert (len(top["sessions"]["buckets"]), top["doc_count"]) == (120, 494)


Shown = dict[str, dict[tuple[str, ...], tuple[float, ...]]]


@pytest.fixture(scope="module")
def shown(outcome: Outcome, seed_csv: Path) -> dict[str, Shown]:
    """The buckets of each panel by dashboard and title, all of them compared with the file.

    The rendered panels of both forms imply the same search, so it is run once.
    """
    assets = Assets(index="real_input", time_field="@timestamp")
    lines = events(seed_csv, batch_id=outcome.records[0]["batch_id"])
    found: dict[str, Shown] = {}
    for page in assets.saved()[2:]:
        searches = of_saved(page)
        assert searches == of_api(assets.api_bodies()[page["id"]])
        found[page["id"]] = {}
        for title, search in searches.items():
            rows: list[Row] = list(search.rows(outcome.index.aggregate(**search.aggregations())))
            check(search, rows, lines)
            found[page["id"]][title] = dict(rows)
    return found


def _first(panel: dict[tuple[str, ...], tuple[float, ...]]) -> dict[str, float]:
    """Return the first metric of each outermost bucket."""
    return {keys[0]: values[0] for keys, values in panel.items() if len(keys) == 1}


def test_the_panels_of_the_overview_have_the_golden_numbers(shown: dict[str, Shown]) -> None:
    panels = shown["clickstream-overview"]

    assert panels["Events"] == {(): (EVENTS,)}
    assert panels["Sessions"][()] == pytest.approx((SESSIONS,), rel=0.01)
    assert panels["Clients"] == {(): (CLIENTS,)}
    assert panels["Purchases"] == {(): (ACTIONS["purchase"],)}
    sessions = panels["Views per session and action"]
    assert [*_first(sessions).values()][:3] == [11, 11, 10]
    assert sessions[()] == (VIEWS, EVENTS)
    assert [*_first(panels["Views per session"]).items()][:2] == [
        ("sd10sl4ff5adff25651", 11),
        ("sd10sl4ff6adff14616", 11),
    ]
    clients = _first(panels["Sessions per client"])
    assert [[*client] for client in clients.items()][:5] == TOP_CLIENTS
    brands = panels["Events per brand and action"]
    assert _first(brands) == BRANDS
    micromax = {keys[1]: brands[keys][0] for keys in brands if keys[:-1] == ("Micromax",)}
    assert micromax == {
        "view": 608, "addtocart": 509, "purchase": 275, "remove": 129, "changequantity": 105,
    }  # fmt: skip
    assert _first(panels["Events per HTTP response"]) == STATUSES
    assert _first(panels["Shares of HTTP responses"]) == STATUSES
    assert panels["Pages"] == {(): (EVENTS, VIEWS)}
    referrers = _first(panels["Referrers"])
    assert len(referrers) == 8
    assert referrers["http://www.buttercupgames.com/cart.do"] == 7869
    assert panels["Events over time"] == {(): (EVENTS,)}


def test_the_panels_of_quality_have_the_golden_numbers(shown: dict[str, Shown]) -> None:
    panels = shown["clickstream-quality"]

    assert panels["Events"] == {(): (EVENTS,)}
    assert _first(panels["Verdicts"]) == {"warn": EVENTS}
    assert _first(panels["Warnings"]) == {"no_timestamp": EVENTS}
    assert _first(panels["Events per format and verdict"]) == {"schematic-csv": EVENTS}
    assert panels["Events per format and verdict"]["schematic-csv", "warn"] == (EVENTS,)
    assert _first(panels["Bytes sent"]) == {"body": 38_703_451}
    assert _first(panels["Events per file"]) == {"raw/Schematic_Log.csv": EVENTS}
    assert [*_first(panels["Events per batch"]).values()] == [EVENTS]


def test_the_search_of_the_readme_finds_events(outcome: Outcome) -> None:
    (body,) = re.findall(r"_search.*? -d '(.*?)'\n", (ROOT / "README.md").read_text(), re.DOTALL)
    with Elasticsearch(outcome.index.url) as client:
        answer = client.search(index=outcome.index.name, **json.loads(body))
    assert answer["hits"]["total"]["value"] == EVENTS - STATUSES["200"]
    assert len(answer["hits"]["hits"]) == 3


def test_the_dashboards_do_without_a_time_that_no_event_has(outcome: Outcome) -> None:
    with Elasticsearch(outcome.index.url) as client:
        choice = choose(client, outcome.index.name)
    assert choice.time_field is None
    assert str(choice.notice).startswith("18,501 documents of 18,501 without @timestamp")


def test_the_run_says_that_the_books_balance(outcome: Outcome) -> None:
    assert outcome.run["problems"] == []
    checks = outcome.run["verification"]["checks"]
    assert [check for check in checks if check["expected"] != check["found"]] == []
    assert outcome.run["export"]["total"] == outcome.run["load"]["events"] == EVENTS
