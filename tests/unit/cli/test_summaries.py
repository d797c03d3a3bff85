"""The lines of the summary: every number there, and nouns that agree with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.books.verify import Verification
from ingest.cli.summaries import (
    dbt_line,
    export_line,
    ingest_line,
    load_line,
    summary_text,
)
from ingest.job.discover import Duplicate, Failed
from ingest.job.run import IngestSummary
from ingest.lake.checks import Check
from ingest.local_search.control import LocalServerStatus
from ingest.local_search.state import LocalServer
from ingest.pipeline import RunSummary
from ingest.search.export import ExportSummary
from ingest.settings import SearchSettings, Settings
from ingest.warehouse.dbt import DbtSummary, Failure
from ingest.warehouse.load import LoadSummary

ROOT = Path(__file__).parents[3]  # where profiles.yml is
INGESTED = IngestSummary(
    sealed=(), elsewhere=(), duplicates=(), failed=(), waiting={}, seconds=1.25
)
LOADED = LoadSummary(loaded=("b",), replaced=(), quarantined=(), live=2, events=1234, seconds=0.5)
BUILT = DbtSummary(passed=70, warned=1, failed=2, skipped=3, failures=(), seconds=20.0)
EXPORTED = ExportSummary(
    url="http://s:9200", index="i", batches=(1, 2), planned=(1, 2), documents=12, created=9,
    updated=2, dead=1, retries=1, total=1234, expected=1235, refused=1, seconds=2.0,
)  # fmt: skip


def test_an_ingest_that_found_only_moved_logs(
    make_settings: Callable[..., Settings],
    ingest_here: Callable[..., IngestSummary],
    access_lines: Callable[..., bytes],
) -> None:
    raw = Path(make_settings().sources[0].uri)
    (raw / "access.log").write_bytes(access_lines(3))
    ingest_here()
    (raw / "access.log").rename(raw / "access.log.1")

    assert ingest_line(replace(ingest_here(), seconds=1.25)) == ("nothing new, 1 log moved (1.2 s)")


def test_ingest(
    make_settings: Callable[..., Settings],
    ingest_here: Callable[..., IngestSummary],
    access_lines: Callable[..., bytes],
) -> None:
    raw = Path(make_settings().sources[0].uri)
    (raw / "one.log").write_bytes(access_lines(3) + b"\nbad\n")
    summary = replace(
        ingest_here(),
        elsewhere=("b",),
        duplicates=(Duplicate(key="c.log", original="one.log"),),
        waiting={"w.log": 7},
        special=("pipe.log",),
        failed=(Failed(key="d.log", reason="denied"),),
        seconds=1.25,
    )

    assert ingest_line(summary) == (
        "1 batch, 1 object, 5 lines = 3 ok + 0 warn + 1 skip + 1 reject; "
        "1 batch sealed by another run; 1 copy of known bytes skipped; "
        "1 special file passed over: pipe.log; 1 line waits for its end: w.log; "
        "1 object refused or unreadable: d.log (failed: denied) (1.2 s)"
    )


@pytest.mark.parametrize(
    ("line", "summary", "text"),
    [
        (ingest_line, INGESTED, "nothing new (1.2 s)"),
        (load_line, LOADED, "1 batch, 1,234 events; 2 live batches (0.5 s)"),
        (
            load_line,
            replace(LOADED, loaded=("a", "b"), replaced=("c",), quarantined=("d",), live=1),
            "2 batches, 1,234 events; 1 live batch, 1 replaced, 1 QUARANTINED (0.5 s)",
        ),
        (
            load_line,
            replace(LOADED, loaded=()),
            "nothing new, no rows added; 2 live batches (0.5 s)",
        ),
        (
            dbt_line,
            BUILT,
            "70 models, seeds and tests passed, 1 warned, 2 failed, 3 skipped (20.0 s)",
        ),
        (
            dbt_line,
            replace(BUILT, passed=0, failed=0),
            "nothing new: the marts were already built and tested from these batches and models",
        ),
        (
            export_line,
            EXPORTED,
            "2 batches, 12 documents (9 new, 2 updated, 1 refused), 1 retry, 2.0 s, 6/s; index i "
            "at http://s:9200 holds 1,234 of the lake's 1,235 events, 1 dead letter (see "
            "`clickstream status`)",
        ),
        (
            export_line,
            replace(EXPORTED, total=1235, refused=0, compared=17, sampled=1),
            "2 batches, 12 documents (9 new, 2 updated, 1 refused), 1 retry, 2.0 s, 6/s; index i "
            "at http://s:9200 holds 1,235 of the lake's 1,235 events; 17 values and 1 document "
            "compared",
        ),
        (
            export_line,
            replace(EXPORTED, batches=(), total=1200, expired=34, old_months=("i-2026.01",)),
            "nothing new, no documents added; index i at http://s:9200 holds 1,200 of the lake's "
            "1,235 events, 1 dead letter (see `clickstream status`), 34 in months that are no "
            "longer kept; 1 old month deleted (2.0 s)",
        ),
        (
            export_line,
            replace(EXPORTED, batches=(), planned=(), total=1235, refused=0, quarantined=("b1",)),
            "nothing new, no documents added; index i at http://s:9200 holds 1,235 of the lake's "
            "1,235 events, 1 QUARANTINED (2.0 s)",
        ),
        (
            export_line,
            replace(EXPORTED, batches=(), planned=(7,), total=None),
            "would export batch 7 to index i at http://s:9200",
        ),
        (
            export_line,
            replace(EXPORTED, batches=(), total=None, old_months=("i-2026.01", "i-2026.02")),
            "would export batches 1, 2 to index i at http://s:9200 and delete i-2026.01, "
            "i-2026.02 (search.keep_months)",
        ),
        (
            export_line,
            ExportSummary(old_months=("i-2026.01",)),
            "would delete i-2026.01 (search.keep_months)",
        ),
        (export_line, ExportSummary(seconds=0.5), "nothing to export"),
        (
            export_line,
            replace(EXPORTED, total=None, expected=None, refused=0),
            "2 batches, 12 documents (9 new, 2 updated, 1 refused), 1 retry, 2.0 s, 6/s",
        ),
        (export_line, ExportSummary(skipped=True), "search is off: nothing was indexed"),
    ],
)
def test_a_line_per_hop(line: Callable[[Any], str], summary: object, text: str) -> None:
    assert line(summary) == text


def test_a_job_has_no_next_steps(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert "Next steps" not in summary_text(make_settings(), RunSummary(load=LOADED))
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT")
    assert "Next steps" in summary_text(make_settings(), RunSummary(load=LOADED))


def test_the_text_shows_each_check_and_the_next_steps(
    make_settings: Callable[..., Settings],
) -> None:
    checks = (
        Check(name="landing = lake", expected=1000, found=1000, detail="b1"),
        Check(name="marts = landing", expected=1000, found=1000, detail="7 files"),
    )
    summary = RunSummary(
        load=LOADED,
        verification=Verification(checks=checks, notes=("the index was not compared",)),
        report="report.html",
    )

    lines = summary_text(make_settings(), summary).splitlines()

    assert lines[:6] == [
        "ingest   not done",
        "load     1 batch, 1,234 events; 2 live batches (0.5 s)",
        "dbt      not done",
        "export   not done",
        "verify   the books balance: 2 comparisons",
        "report   report.html",
    ]
    assert lines[7:10] == [
        "  landing = lake         1,000  = 1,000",
        "  marts = landing        1,000  = 1,000  7 files",
        "  note: the index was not compared",
    ]
    assert lines[11].startswith("Next steps ")
    assert any("clickstream status" in line for line in lines[11:])


def test_the_text_shows_what_differs_and_the_problems(
    make_settings: Callable[..., Settings],
) -> None:
    check = Check(name="landing = lake", expected=1000, found=999, detail="b1")
    summary = RunSummary(verification=Verification(checks=(check,)))
    summary.add_problem("verification: the books do not balance: landing = lake", 4)

    lines = summary_text(make_settings(), summary).splitlines()

    assert "verify   THE BOOKS DO NOT BALANCE: 1 comparison" in lines
    assert "  landing = lake        1,000 != 999  b1" in lines
    assert lines[-1] == "problem: verification: the books do not balance: landing = lake"
    assert not any(line.startswith("Next steps") for line in lines)


def test_a_build_is_a_success_without_failures() -> None:
    assert BUILT.success
    assert not replace(BUILT, failures=(Failure(name="x", message="y"),)).success


def test_the_next_steps_repeat_the_settings_and_name_a_mart_with_rows(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKSTREAM_LAKE", "lake")
    monkeypatch.setenv("DBT_PROFILES_DIR", "/profiles")
    counts = {"number_of_events_per_brand": 0, "number_of_sessions_per_ip": 5}
    checks = tuple(
        Check(name=f"{mart} = landing", expected=n, found=n) for mart, n in counts.items()
    )
    summary = RunSummary(verification=Verification(checks=checks))
    data = tmp_path / "my data"
    settings = replace(
        make_settings(), root=tmp_path, data=data, lake="/lake", target="local_large"
    )

    text = summary_text(settings, summary)

    given = (
        f"CLICKSTREAM_DATA='{data}' CLICKSTREAM_LAKE=/lake CLICKSTREAM_TARGET=local_large"
        " DBT_PROFILES_DIR=/profiles clickstream"
    )
    assert f'{given} query "select * from number_of_sessions_per_ip"' in text  # noqa: S608
    for command in ("report --open", "docs --open", "status"):
        assert f"{given} {command}\n" in f"{text}\n"

    monkeypatch.delenv("CLICKSTREAM_LAKE")
    monkeypatch.delenv("DBT_PROFILES_DIR")
    plain = summary_text(replace(settings, data=tmp_path / "data", target="local"), RunSummary())
    assert '  query    clickstream query "select * from number_of_events_per_brand"' in plain


SECRETS = {
    "REDSHIFT_PASSWORD": "hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "ES_URL": "https://me:hunter2@search:9200",
    "ES_API_KEY": "hunter2",
}
ELSEWHERE = {
    "REDSHIFT_ENDPOINT": "cluster:5439/dev",
    "REDSHIFT_USER": "the loader",
    "AWS_PROFILE": "logs",
    "AWS_REGION": "eu-central-1",
    "ES_INDEX": "shop",
}


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ELSEWHERE, **SECRETS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


@pytest.mark.usefixtures("_elsewhere")
def test_the_next_steps_work_in_a_shell_that_knows_nothing_and_show_no_secret(
    make_settings: Callable[..., Settings],
) -> None:
    settings = replace(make_settings(), root=ROOT, target="redshift")

    text = summary_text(settings, RunSummary())

    assert (
        " CLICKSTREAM_TARGET=redshift REDSHIFT_ENDPOINT=cluster:5439/dev REDSHIFT_USER='the loader'"
        " AWS_PROFILE=logs AWS_REGION=eu-central-1 ES_INDEX=shop clickstream status"
    ) in text
    assert (
        "  first    export REDSHIFT_PASSWORD, AWS_SECRET_ACCESS_KEY, ES_URL, ES_API_KEY "
        "(secrets are not shown)\n"
    ) in text
    assert "hunter2" not in text


@pytest.mark.usefixtures("_elsewhere")
def test_the_next_steps_name_only_what_is_used(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ES_URL", "ES_INDEX", "ES_API_KEY"):
        monkeypatch.delenv(name)
    settings = replace(make_settings(), root=ROOT, data=ROOT / "data")
    assert "  books    clickstream status\n" in f"{summary_text(settings, RunSummary())}\n"
    in_bucket = summary_text(replace(settings, lake="s3://logs/lake"), RunSummary())
    assert "  books    AWS_PROFILE=logs AWS_REGION=eu-central-1 clickstream status" in in_bucket
    assert "first    export AWS_SECRET_ACCESS_KEY (" in in_bucket


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> LocalServerStatus:
    """A local search server that is running."""
    found = LocalServerStatus(
        server=LocalServer(
            pid=1, create_time=0.0, url="http://here", version="8", node_name="n", folder="f",
            started_at="now",
        ),
        memory_bytes=0,
        documents=None,
    )  # fmt: skip
    monkeypatch.setattr("ingest.local_search.control.status", lambda _: found)
    return found


@pytest.mark.parametrize("problem", [None, "load: no space"])
def test_the_local_search_server_is_stopped_where_it_was_started(
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    running: LocalServerStatus,
    problem: str | None,
) -> None:
    data = tmp_path / "mine"
    settings = replace(make_settings(), search=SearchSettings(), data=data, target="local_large")
    summary = RunSummary()
    if problem is not None:
        summary.add_problem(problem, 1)
    assert summary_text(settings, summary).splitlines()[-1] == (
        f"{running.line()}; stop it with: CLICKSTREAM_DATA={data} clickstream search down"
    )


def test_the_next_steps_search_the_server_of_the_export(
    make_settings: Callable[..., Settings],
) -> None:
    settings = replace(make_settings(), search=SearchSettings(url="http://me:hunter2@s"))
    text = summary_text(settings, RunSummary(export=EXPORTED))
    assert "  search   curl 'http://s:9200/i/_search?q=event.action:purchase'" in text
    assert "hunter2" not in text
    assert " is running at " not in text
