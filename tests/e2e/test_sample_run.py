"""Sample -> run -> truth at every hop; then again, with nothing new; then one more file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fixtures.product import DEADLINE_SECONDS, ROOT, Index, OneProcess, Product
from fixtures.s3_server import ACCESS
from support.kibana_search import of_api
from support.leaks import files_in, leaks

from ingest.poll import poll
from ingest.search.kibana.assets import Assets
from ingest.warehouse.marts import read_marts

pytestmark = pytest.mark.e2e

LINES, SEED = 3000, 5
INDEX = "clickstream_data"
# Real lines of October 2015, all of them events.
MORE, MORE_EVENTS = "last.log", 3_000
LAST_DAY = "2015-05-17"
OF_EACH_LAST_LINE = "feedreader"
# Generous: on a busy machine of 2 cores a JVM alone takes half a minute.
JVM_END_SECONDS = 30
COLUMNS = (
    "file_status", "lines_read", "lines_ok", "lines_warn", "lines_skip", "lines_reject", "events",
)  # fmt: skip
MARTS = tuple(mart.name for mart in read_marts(ROOT))
CHECKS = {
    "logs in sources = read",
    "batches: totals = objects = files",
    "lines = ok + warn + skip + reject",
    "lake files intact",
    *(f"lake {table} = records" for table in ("events", "rejects", "files")),
    "batches loaded = sealed",
    *(f"landing {table} = lake" for table in ("events", "rejects", "files")),
    *(f"{mart} = landing" for mart in MARTS),
    "index clickstream_data = lake",
    "batches that index and lake disagree on",
    "batches in the index = landing",
    *(
        f"index {name} = lake"
        for name in ("status", "action", "brand", "dataset", "bytes", "sessions")
    ),
    "values that the index left out",
    *(f"marts {name} = lake" for name in ("status", "brand", "action", "sessions")),
}
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
class Outcome:
    """What each of the three runs printed, and what is where.

    `lake`, `documents`: batch records and size of the index after each run. `actions`, `sessions`
    and `report` are those after the first run, `answers` the rows of QUERIES and `panels` the first
    metric of each bucket of the Kibana panels after the last, and `day` the report about the day of
    the last log.
    """

    truth: dict[str, Any]
    runs: list[dict[str, Any]]
    lake: list[list[dict[str, Any]]]
    documents: list[int]
    actions: dict[str, int]
    sessions: int
    report: str
    day: str
    answers: dict[str, list[list[Any]]]
    panels: dict[str, dict[str, float]]

    def rows(self, name: str) -> dict[str, tuple[Any, ...]]:
        """Return the rows of a query by their first column."""
        return {str(key): tuple(rest) for key, *rest in self.answers[name]}


@dataclass(frozen=True, kw_only=True)
class More:
    """The last file, counted with a few simple expressions: all lines are events."""

    statuses: Counter[str]
    clients: Counter[str]

    @property
    def events(self) -> int:
        return self.clients.total()


@pytest.fixture(scope="module")
def last_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 2015, whose clients are not those of the sample."""
    path = tmp_path_factory.mktemp("last") / MORE
    path.write_text("".join(map(_last_line, range(MORE_EVENTS))))
    return path


def _last_line(index: int) -> str:
    client, status = f"100.64.{index % 7}.{index % 250}", (200, 206, 301, 404)[index % 4]
    time = f"17/May/2015:{index // 150:02}:05:{index % 60:02} +0000"
    request = f"GET /feed/{index} HTTP/1.1"
    agent = f"{OF_EACH_LAST_LINE}/{index % 5}"
    return f'{client} - - [{time}] "{request}" {status} {index} "-" "{agent}"\n'


@pytest.fixture(scope="module")
def outcome(shop: Product, one_process: OneProcess, last_log: Path) -> Outcome:
    """Run three times over one installation; keep what must be checked in between.

    Tables are asked once, at the end, for time: what the second and third run must not change is
    then still to be found in them.
    """
    shop.json("sample", shop.data, "--lines", LINES, "--seed", SEED)
    truth = shop.data / "truth.json"
    commands = one_process.of(shop)
    runs = [commands.json("run", "--truth", truth)]
    lake = [shop.records()]
    index = Index(url=commands.json("search", "status")["server"]["url"], name=INDEX)
    documents = [index.count()]
    actions, sessions = index.terms("event.action"), len(index.terms("session.id"))
    report = (shop.data / "report/index.html").read_text(encoding="utf-8")
    for more in (None, last_log):
        if more is not None:
            shutil.copy(more, shop.data / "raw")
        runs.append(commands.json("run"))
        lake.append(shop.records())
        documents.append(index.count())
    day = Path(commands.json("report", "--from", LAST_DAY, "--to", LAST_DAY)["report"])
    answers = commands.sql(*QUERIES.values())
    return Outcome(
        truth=json.loads(truth.read_text(encoding="utf-8")),
        runs=runs,
        lake=lake,
        documents=documents,
        actions=actions,
        sessions=sessions,
        report=report,
        day=day.read_text(encoding="utf-8"),
        answers=dict(zip(QUERIES, answers, strict=True)),
        panels=_panels(index),
    )


def _panels(index: Index) -> dict[str, dict[str, float]]:
    """Return what the panels show that have one bucket and read what the marts hold."""
    assets = Assets(index=index.name, time_field="@timestamp")
    searches = of_api(assets.api_bodies()["clickstream-overview"])
    found = {}
    for title in ("Events over time", "Events per HTTP response"):
        rows = searches[title].rows(index.aggregate(**searches[title].aggregations()))
        found[title] = {keys[0]: values[0] for keys, values in rows if len(keys) == 1}
    return found


@pytest.fixture(scope="module")
def more(last_log: Path) -> More:
    lines = last_log.read_text(encoding="utf-8", errors="replace").splitlines()
    return More(
        statuses=Counter(re.findall(r'" (\d{3}) ', line)[0] for line in lines),
        clients=Counter(line.split(" ", 1)[0] for line in lines),
    )


def test_no_line_of_a_log_is_in_a_log_of_ours(outcome: Outcome, shop: Product) -> None:
    assert outcome.rows("events")[f"raw/{MORE}"] == (MORE_EVENTS,)
    logs = dict(files_in(shop.data / "logs"))
    assert {"dbt.log", "spark.log"} <= {Path(name).name for name in logs}
    assert leaks(logs.items(), [OF_EACH_LAST_LINE, ACCESS["AWS_SECRET_ACCESS_KEY"]]) == []


def test_the_lake_holds_the_truth(outcome: Outcome) -> None:
    (record,) = outcome.lake[0]
    totals, expected = record["totals"], outcome.truth["totals"]

    for name in ("lines_read", "lines_ok", "lines_warn", "lines_skip", "lines_reject", "events"):
        assert totals[name] == expected[name]
    assert totals["counts"] == expected["counts"]
    assert (
        Counter(file["file_status"] for file in record["objects"]) == (expected["files_by_status"])
    )
    assert totals["lines_read"] == LINES


def test_landing_holds_the_truth_file_by_file(outcome: Outcome, more: More) -> None:
    files, events = outcome.truth["files"], outcome.truth["events"]
    found = outcome.rows("files")
    added = found.pop(f"raw/{MORE}")

    assert found == {
        f"raw/{name}": tuple(file[column] for column in COLUMNS) for name, file in files.items()
    }
    assert (added[0], added[1], added[-1]) == ("ok", more.events, more.events)
    assert outcome.rows("events") == {
        **{f"raw/{name}": (file["events"],) for name, file in files.items() if file["events"]},
        f"raw/{MORE}": (more.events,),
    }
    assert outcome.answers["unique"] == [[events["all"] + more.events]]
    assert outcome.answers["untimed"] == [[events["without_time"]]]


def test_every_rejected_line_is_in_landing_with_its_reason(outcome: Outcome) -> None:
    reasons = {"bad_csv", "bad_timestamp", "line_too_long", "no_match", "wrong_field_count"}
    counts = outcome.truth["totals"]["counts"]

    assert outcome.rows("rejects") == {reason: (counts[reason],) for reason in reasons}


def test_the_marts_hold_the_truth_and_what_came_later(outcome: Outcome, more: More) -> None:
    """The one more file has clients and statuses of its own, but neither sessions nor brands."""
    marts = outcome.truth["marts"]

    assert outcome.rows("views") == {
        views: (count,) for views, count in outcome.truth["sessions"]["pages_by_views"].items()
    }
    assert outcome.rows("clients") == {
        **{
            client: (row["total_sessions"], row["total_events"])
            for client, row in marts["number_of_sessions_per_ip"]["rows"].items()
        },
        **{client: (0, count) for client, count in more.clients.items()},
    }
    statuses = more.statuses.copy()
    for status, row in marts["number_of_events_per_http_response"]["rows"].items():
        statuses[status] += row["total_events"]
    assert outcome.rows("statuses") == {status: (count,) for status, count in statuses.items()}
    assert outcome.rows("brands") == {
        brand: (row["total_events"], row["views"], row["purchases"])
        for brand, row in marts["number_of_events_per_brand"]["rows"].items()
    }


def test_the_hours_of_the_sample_hold_the_truth(outcome: Outcome) -> None:
    hours = {hour: row for hour, row in outcome.rows("hours").items() if hour[:4] != "2015"}

    assert hours == {
        hour.replace("T", " ")[:13]: (row["total_events"], row["human_events"])
        for hour, row in outcome.truth["marts"]["fct_traffic_hourly"]["rows"].items()
    }


def test_the_index_holds_the_truth(outcome: Outcome) -> None:
    events = outcome.truth["events"]
    # A record of the CSV whose action is no shop action is `other` in the event's type.
    actions = {**events["by_action"], "other": events["by_action"]["wishlist"]}
    del actions["wishlist"]

    assert outcome.documents[0] == events["all"]
    assert {name: count for name, count in outcome.actions.items() if name != "request"} == actions
    assert outcome.sessions == outcome.truth["sessions"]["all"]


def test_the_panels_of_kibana_show_what_the_marts_hold(outcome: Outcome) -> None:
    days: Counter[str] = Counter()
    for hour, (events, _) in outcome.rows("hours").items():
        days[f"{hour[:10]}T00:00:00.000Z"] += events
    statuses = {status: events for status, (events,) in outcome.rows("statuses").items()}
    statuses.pop("None", None)

    assert outcome.panels["Events over time"] == days
    assert outcome.panels["Events per HTTP response"] == statuses


@pytest.mark.parametrize("run", [0, 1, 2])
def test_every_run_balances_its_books(outcome: Outcome, run: int) -> None:
    """The first run was compared with the truth too."""
    assert outcome.runs[run]["problems"] == []
    checks = outcome.runs[run]["verification"]["checks"]
    truths = {"files", "lines by code and reason", *outcome.truth["marts"]} if run == 0 else set()
    assert {check["name"] for check in checks} == CHECKS | {f"{name} = truth" for name in truths}
    assert [check for check in checks if check["expected"] != check["found"]] == []


def test_the_report_shows_the_truth_and_loads_nothing(outcome: Outcome) -> None:
    marts = outcome.truth["marts"]
    brands = marts["number_of_events_per_brand"]["rows"]
    purchases = sum(row["purchases"] for row in brands.values())
    unavailable = marts["number_of_events_per_http_response"]["rows"]["503"]["total_events"]

    for number in (outcome.truth["events"]["all"], purchases, unavailable):
        assert f">{number:,}<" in outcome.report
    assert "The books balance" in outcome.report
    assert not re.search(r"https?:|<script|url\(", outcome.report)


def test_a_report_of_one_day_counts_that_day_only(outcome: Outcome, more: More) -> None:
    assert f"<h1>clickstream report, {LAST_DAY}</h1>" in outcome.day
    for name, number in (("Events", more.events), ("Clients", len(more.clients))):
        assert f"<dt>{name}</dt><dd>{number:,}</dd>" in outcome.day
    assert f">{more.statuses['404']:,}<" in outcome.day
    assert "The books balance" in outcome.day


def test_a_second_run_adds_nothing(outcome: Outcome) -> None:
    run = outcome.runs[1]

    assert run["ingest"]["sealed"] == []
    assert run["load"]["loaded"] == []
    assert run["export"]["documents"] == 0
    assert outcome.lake[1] == outcome.lake[0]
    assert outcome.documents[1] == outcome.documents[0]


def test_one_more_file_adds_its_events_and_nothing_else(outcome: Outcome, more: More) -> None:
    assert more.events == MORE_EVENTS
    *before, added = outcome.lake[2]
    assert before == outcome.lake[1]
    assert added["totals"]["events"] == MORE_EVENTS
    assert [file["source_file"] for file in added["objects"]] == [f"raw/{MORE}"]
    assert outcome.documents[2] == outcome.documents[1] + MORE_EVENTS


def test_dbt_typed_by_hand_builds_the_same_mart(
    outcome: Outcome, one_process: OneProcess, shop: Product
) -> None:
    """In the warehouse that the runs have left, once their process has."""
    one_process.end()
    temporary = shop.data / "spark-tmp"
    assert only_these_are_left(temporary, {".lock"})
    mart = shop.data / "warehouse" / "clickstream.db" / "number_of_sessions_per_ip"
    before = {path.name for path in mart.iterdir()}

    said = type_dbt("build", "--select", "number_of_sessions_per_ip", data=shop.data)

    assert "ERROR=0" in said
    assert before.isdisjoint(path.name for path in mart.glob("*.parquet"))
    rows = pq.read_table(mart).select(["clientip", "total_sessions", "total_events"]).to_pylist()
    assert sorted(map(list, (row.values() for row in rows))) == sorted(outcome.answers["clients"])
    assert only_these_are_left(temporary, {".lock", "resources"})


def only_these_are_left(folder: Path, names: set[str]) -> bool:
    """Return whether `folder` holds nothing else, once the JVM has ended after its command."""
    return poll(
        lambda: {path.name for path in folder.iterdir()} <= names,
        bool,
        delay_seconds=0.1,
        deadline_seconds=JVM_END_SECONDS,
    )


def type_dbt(*arguments: str, data: Path) -> str:
    """Run dbt as a user does and return its stdout."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "CLICKSTREAM_DATA": str(data),
            "DBT_TARGET_PATH": str(data / "target"),
            "DBT_LOG_PATH": str(data / "logs"),
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "log level" not in done.stderr  # nor anything else about how Spark starts
    return done.stdout
