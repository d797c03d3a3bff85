"""Sample -> run -> truth at every hop; then again, when nothing is new; then one more file."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixtures.product import Index, Product

pytestmark = pytest.mark.e2e

LINES, SEED = 3000, 5
MORE_EVENTS = 3456
QUERIES = {
    "events": "select source_file, count(*) from landing.events group by source_file",
    "unique": "select count(distinct event_id) from landing.events",
    "untimed": "select count(*) from landing.events where event_time is null",
    "rejects": "select reason, count(*) from landing.rejects group by reason",
    "files": "select source_file, file_status, lines_read, lines_ok, lines_warn, lines_skip,"
    " lines_reject, events from landing.files",
    "views": "select number_of_views, count(*) from number_of_views_per_session group by 1",
    "clients": "select clientip, total_sessions, total_events from number_of_sessions_per_ip",
    "statuses": "select status_code, total_events from number_of_events_per_http_response",
    "brands": "select brand, total_events, views, purchases from number_of_events_per_brand",
    "hours": "select date_format(event_hour, 'yyyy-MM-dd HH'), total_events, human_events"
    " from fct_traffic_hourly",
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a run said, what the lake's log and the marts hold after it, and the index's size."""

    run: dict[str, Any]
    records: list[dict[str, Any]]
    answers: dict[str, list[list[Any]]]
    documents: int

    def rows(self, name: str) -> dict[str, tuple[Any, ...]]:
        """Return the rows of a query by their first column."""
        return {str(key): tuple(rest) for key, *rest in self.answers[name]}


@dataclass(frozen=True, kw_only=True)
class Stages:
    truth: dict[str, Any]
    first: Stage
    second: Stage
    third: Stage
    actions: dict[str, int]
    sessions: int
    report: str


@pytest.fixture(scope="module")
def stages(shop: Product, hackers_log: Path) -> Stages:
    """Three runs over one installation; what must be looked at in between is kept."""
    shop.json("sample", shop.data, "--lines", LINES, "--seed", SEED)
    truth = shop.data / "truth.json"
    first_run = shop.json("run", "--truth", truth)
    index = Index(url=shop.json("search", "status")["engine"]["url"], name="clickstream_data")
    first = _stage(shop, first_run, index)
    actions, sessions = index.terms("event.action"), len(index.terms("session.id"))
    report = (shop.data / "report/index.html").read_text(encoding="utf-8")
    second_run = shop.json("run")
    # Its marts are asked after the third run only: that shows what has been added since the first.
    second = Stage(run=second_run, records=shop.records(), answers={}, documents=index.count())
    shutil.copy(hackers_log, shop.data / "raw")
    third = _stage(shop, shop.json("run"), index)
    return Stages(
        truth=json.loads(truth.read_text(encoding="utf-8")),
        first=first,
        second=second,
        third=third,
        actions=actions,
        sessions=sessions,
        report=report,
    )


def _stage(product: Product, run: dict[str, Any], index: Index) -> Stage:
    answers = dict(zip(QUERIES, product.sql(*QUERIES.values()), strict=True))
    return Stage(run=run, records=product.records(), answers=answers, documents=index.count())


def test_the_lake_holds_the_truth(stages: Stages) -> None:
    (record,) = stages.first.records
    totals, expected = record["totals"], stages.truth["totals"]

    for name in ("lines_read", "lines_ok", "lines_warn", "lines_skip", "lines_reject", "events"):
        assert totals[name] == expected[name]
    assert totals["counts"] == expected["counts"]
    assert (
        Counter(file["file_status"] for file in record["objects"]) == (expected["files_by_status"])
    )
    assert totals["lines_read"] == LINES


def test_landing_holds_the_truth_file_by_file(stages: Stages) -> None:
    files = stages.truth["files"]
    columns = ("file_status", "lines_read", "lines_ok", "lines_warn", "lines_skip", "lines_reject")

    assert stages.first.rows("files") == {
        name: (*(file[column] for column in columns), file["events"])
        for name, file in files.items()
    }
    assert stages.first.rows("events") == {
        name: (file["events"],) for name, file in files.items() if file["events"]
    }
    events = stages.truth["events"]
    assert stages.first.answers["unique"] == [[events["all"]]]
    assert stages.first.answers["untimed"] == [[events["without_time"]]]


def test_every_rejected_line_lies_in_landing_with_its_reason(stages: Stages) -> None:
    reasons = {"bad_csv", "bad_timestamp", "line_too_long", "no_match", "wrong_field_count"}
    counts = stages.truth["totals"]["counts"]

    assert stages.first.rows("rejects") == {reason: (counts[reason],) for reason in reasons}


def test_the_marts_hold_the_truth(stages: Stages) -> None:
    marts, first = stages.truth["marts"], stages.first

    assert first.rows("views") == {
        views: (rows,)
        for views, rows in marts["number_of_views_per_session"]["rows_by_number_of_views"].items()
    }
    assert first.rows("clients") == {
        client: (row["total_sessions"], row["total_events"])
        for client, row in marts["number_of_sessions_per_ip"].items()
    }
    assert first.rows("statuses") == {
        status: (count,) for status, count in marts["number_of_events_per_http_response"].items()
    }
    assert first.rows("brands") == {
        brand: (row["total_events"], row["views"], row["purchases"])
        for brand, row in marts["number_of_events_per_brand"].items()
    }
    assert first.rows("hours") == {
        hour.replace("T", " ")[:13]: (row["events"], row["events"] - row["bots"])
        for hour, row in stages.truth["events"]["by_hour"].items()
    }


def test_the_index_holds_the_truth(stages: Stages) -> None:
    events = stages.truth["events"]
    # A record of the CSV whose action is no shop action is `other` in the event's type.
    actions = {**events["by_action"], "other": events["by_action"]["wishlist"]}
    del actions["wishlist"]

    assert stages.first.documents == events["all"]
    assert {name: count for name, count in stages.actions.items() if name != "request"} == actions
    assert stages.sessions == stages.truth["sessions"]["all"]


def test_the_first_run_balances_its_books(stages: Stages) -> None:
    assert stages.first.run["problems"] == []
    checks = stages.first.run["verification"]["checks"]
    assert len(checks) > 8
    assert [check for check in checks if check["expected"] != check["found"]] == []


def test_the_report_shows_the_truth_and_loads_nothing(stages: Stages) -> None:
    marts = stages.truth["marts"]
    purchases = sum(row["purchases"] for row in marts["number_of_events_per_brand"].values())

    for number in (
        stages.truth["events"]["all"],
        purchases,
        marts["number_of_events_per_http_response"]["503"],
    ):
        assert f">{number:,}<" in stages.report
    assert "The books balance" in stages.report
    assert not re.search(r"https?:|<script|url\(", stages.report)


def test_a_second_run_adds_nothing(stages: Stages) -> None:
    run = stages.second.run

    assert run["ingest"]["sealed"] == []
    assert run["load"]["loaded"] == []
    assert run["export"]["documents"] == 0
    assert stages.second.records == stages.first.records
    assert stages.second.documents == stages.first.documents
    assert run["problems"] == []


def test_one_more_file_adds_its_events_and_nothing_else(stages: Stages, hackers_log: Path) -> None:
    """Both runs after the first have left its numbers alone."""
    first, third = stages.first, stages.third
    lines = hackers_log.read_text(encoding="utf-8", errors="replace").splitlines()
    statuses = Counter(re.findall(r'" (\d{3}) ', line)[0] for line in lines)
    clients = Counter(line.split(" ", 1)[0] for line in lines)

    assert len(third.records) == len(first.records) + 1
    assert third.records[-1]["totals"]["events"] == MORE_EVENTS
    assert third.documents == first.documents + MORE_EVENTS
    assert third.rows("events") == {
        **first.rows("events"),
        "hackers-access.log": (MORE_EVENTS,),
    }
    before = Counter({status: row[0] for status, row in first.rows("statuses").items()})
    assert {status: row[0] for status, row in third.rows("statuses").items()} == before + statuses
    assert third.rows("clients") == {
        **first.rows("clients"),
        **{client: (0, count) for client, count in clients.items()},
    }
    assert third.rows("views") == first.rows("views")
    assert third.rows("brands") == first.rows("brands")
    assert third.run["problems"] == []
