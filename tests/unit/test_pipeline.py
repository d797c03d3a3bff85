"""The order of the hops, what a failed one stops, and which exit code a run has in the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.memory_warehouse import MemoryWarehouse
from fixtures.records import make_draft, raw_object

from ingest import pipeline
from ingest.books.verify import Verification
from ingest.errors import (
    BooksError,
    ClickstreamError,
    EmrError,
    EmrStillRunning,
    EmrUnavailable,
    SettingsError,
    TooManyRejects,
)
from ingest.job.discover import Failed
from ingest.job.run import IngestSummary
from ingest.lake.accepted import accepted_ids
from ingest.lake.checks import Check
from ingest.lake.refused import Refused
from ingest.pipeline import RunSummary, run_pipeline
from ingest.search.export import ExportSummary
from ingest.settings import SearchSettings, Settings
from ingest.storage import open_storage
from ingest.warehouse.dbt import DbtSummary, Failure
from ingest.warehouse.load import LoadSummary

INGESTED = IngestSummary(sealed=(), elsewhere=(), duplicates=(), failed=(), waiting={}, seconds=0.0)
LOADED = LoadSummary(loaded=(), replaced=(), quarantined=(), live=1, events=0, seconds=0.0)
BUILT = DbtSummary(passed=9, warned=0, failed=0, skipped=0, failures=(), seconds=0.0)
EXPORTED = ExportSummary(total=7)
BALANCED = Verification(checks=(Check(name="lake = landing", expected=1, found=1),))
OUTCOMES: dict[str, Any] = {
    "ingest": INGESTED,
    "load": LOADED,
    "build": BUILT,
    "export": EXPORTED,
    "verify": BALANCED,
    "write_report": "report.html",
}
IN_ORDER = list(OUTCOMES)


@dataclass
class Hops:
    """Fake hops: each gives its outcome, or raises it, and is noted in `calls`."""

    settings: Settings
    warehouse: MemoryWarehouse = field(default_factory=MemoryWarehouse)
    outcomes: dict[str, Any] = field(default_factory=lambda: dict(OUTCOMES))
    calls: list[str] = field(default_factory=list)
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fake(self, name: str) -> Callable[..., Any]:
        def hop(*positional: Any, **named: Any) -> Any:
            self.calls.append(name)
            self.arguments[name] = {"positional": positional, **named}
            outcome = self.outcomes[name]
            outcome = next(outcome) if isinstance(outcome, Iterator) else outcome
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return hop

    def run(self, **options: Any) -> RunSummary:
        return run_pipeline(
            self.settings,
            self.warehouse,
            ingest=self.fake("ingest"),
            export_tasks=lambda _tasks: [],
            **options,
        )


@pytest.fixture
def hops(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Hops:
    """A pipeline of fake hops over a lake with one record."""
    hops = Hops(settings=make_settings())
    for name in IN_ORDER[1:]:
        monkeypatch.setattr(pipeline, name, hops.fake(name))
    monkeypatch.setattr(pipeline, "read_log", lambda _lake: (make_draft("b1"),))
    return hops


def test_a_run_does_all_hops_in_order(hops: Hops) -> None:
    summary = hops.run(accept=["b1"], truth=Path("truth.json"))

    assert hops.calls == IN_ORDER
    assert summary == RunSummary(
        ingest=INGESTED,
        load=LOADED,
        dbt=BUILT,
        export=EXPORTED,
        verification=BALANCED,
        report="report.html",
        refused=Refused(count=0, objects=()),
    )
    assert accepted_ids(open_storage(hops.settings.lake)) == {"b1"}
    assert hops.arguments["verify"]["truth"] == Path("truth.json")
    assert hops.arguments["write_report"]["indexed"] == 7


DIFFERENT = Verification(
    checks=(Check(name="fct_traffic_hourly = landing", expected=2, found=1),), marts_differ=True
)


@pytest.mark.parametrize("healed", [True, False])
def test_marts_that_are_wrong_are_built_again_from_landing(hops: Hops, healed: bool) -> None:
    hops.outcomes["verify"] = iter([DIFFERENT, BALANCED if healed else DIFFERENT])
    summary = hops.run()
    assert hops.calls == [*IN_ORDER[:-1], "build", "verify", "write_report"]
    assert hops.arguments["build"]["full_refresh"]
    assert summary.exit_code == (0 if healed else BooksError.exit_code)


def test_a_search_server_that_will_not_do_stops_the_run_before_anything(
    hops: Hops, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops.settings = replace(hops.settings, search=SearchSettings(url="https://127.0.0.1:1"))
    monkeypatch.setenv("ES_CA_CERTS", "/none")
    with pytest.raises(SettingsError, match="ES_CA_CERTS: /none cannot be read"):
        hops.run()
    assert hops.calls == []


def test_a_search_server_that_does_not_answer_is_told_first(
    hops: Hops, caplog: pytest.LogCaptureFixture
) -> None:
    hops.settings = replace(hops.settings, search=SearchSettings(url="http://127.0.0.1:1"))
    with caplog.at_level(logging.WARNING):
        hops.run()
    assert hops.calls == IN_ORDER
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("ingest")]
    assert ours[0].startswith("nothing is listening on 127.0.0.1:1: ")


def test_other_books_that_differ_are_not_for_dbt_to_mend(hops: Hops) -> None:
    hops.outcomes["verify"] = replace(DIFFERENT, marts_differ=False)
    assert hops.run().exit_code == BooksError.exit_code
    assert hops.calls == IN_ORDER


def test_marts_that_cannot_be_built_again_are_the_problem(hops: Hops) -> None:
    failure = Failure(name="fct_traffic_hourly", message="no luck")
    hops.outcomes["verify"] = DIFFERENT
    hops.outcomes["build"] = iter([BUILT, replace(BUILT, failed=1, failures=(failure,))])
    summary = hops.run()
    assert hops.calls == [*IN_ORDER[:-1], "build", "write_report"]
    assert "no luck" in summary.problems[0]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_full_refresh_can_be_asked_for(hops: Hops, wanted: bool) -> None:
    hops.run(full_refresh=wanted)
    assert hops.arguments["build"]["full_refresh"] is wanted


@pytest.mark.parametrize(
    ("failing", "left_out"),
    [
        ("ingest", set()),
        ("load", {"build", "verify", "write_report"}),
        ("build", {"verify", "write_report"}),
        ("export", {"verify"}),
        ("verify", set()),
        ("write_report", set()),
    ],
)
@pytest.mark.parametrize("error", [ClickstreamError, SettingsError, TooManyRejects])
def test_a_hop_that_fails_stops_only_what_builds_on_it(
    hops: Hops, failing: str, left_out: set[str], error: type[ClickstreamError]
) -> None:
    hops.outcomes[failing] = error("no luck")

    summary = hops.run()

    assert hops.calls == [name for name in IN_ORDER if name not in left_out]
    assert summary.exit_code == error.exit_code
    (problem,) = summary.problems
    assert problem.endswith(": no luck")


@pytest.mark.parametrize("failing", IN_ORDER)
def test_books_that_do_not_balance_stop_the_run_where_they_do(hops: Hops, failing: str) -> None:
    hops.outcomes[failing] = BooksError("3 != 4")

    summary = hops.run()

    assert hops.calls == IN_ORDER[: IN_ORDER.index(failing) + 1]
    assert summary.exit_code == 4
    (problem,) = summary.problems
    assert problem.endswith(": 3 != 4")
    done = [summary.ingest, summary.load, summary.dbt, summary.export, summary.verification]
    assert [one is not None for one in done] == [
        name in hops.calls and name != failing for name in IN_ORDER[:5]
    ]


def test_a_job_that_failed_has_sealed_whole_batches(hops: Hops) -> None:
    """One object that is denied must not keep all others from the marts."""
    hops.outcomes["ingest"] = EmrError("job 1 ended as FAILED: exit code 1")

    summary = hops.run()

    assert hops.calls == list(IN_ORDER)
    assert summary.exit_code == 1


@pytest.mark.parametrize(
    "error", [EmrStillRunning("job 1 keeps running"), EmrUnavailable("no answer")]
)
def test_a_job_that_may_go_on_stops_the_run(hops: Hops, error: EmrError) -> None:
    error.done = replace(INGESTED, elsewhere=("b1",))
    hops.outcomes["ingest"] = error

    summary = hops.run()

    assert hops.calls == ["ingest"]
    assert (summary.problems, summary.exit_code) == ([f"ingest: {error}"], 1)
    assert summary.ingest == replace(INGESTED, elsewhere=("b1",))


def test_what_a_hop_did_before_its_books_failed_is_kept(hops: Hops) -> None:
    error = BooksError("3 != 4")
    error.done = replace(EXPORTED, batches=(1,))
    hops.outcomes["export"] = error

    summary = hops.run()

    assert summary.export == replace(EXPORTED, batches=(1,))
    assert summary.exit_code == 4
    assert "verify" not in hops.calls


def test_what_a_hop_did_before_it_failed_is_kept_but_not_built_on(hops: Hops) -> None:
    error = ClickstreamError("the server is gone")
    error.done = replace(EXPORTED, batches=(1,))
    hops.outcomes["export"] = error

    summary = hops.run()

    assert summary.export == replace(EXPORTED, batches=(1,))
    assert "verify" not in hops.calls
    assert hops.arguments["write_report"]["indexed"] is None


@pytest.mark.parametrize(
    ("codes", "most_severe"),
    [
        ([], 0),
        ([3], 3),
        ([1, 3], 1),
        ([3, 1], 1),
        ([1, 2], 2),
        ([2, 3], 2),
        ([2, 4], 4),
        ([4, 2], 4),
        ([1, 4, 3], 4),
        ([3, 1, 2, 4], 4),
    ],
)
def test_the_most_severe_exit_code_is_kept(codes: list[int], most_severe: int) -> None:
    summary = RunSummary()
    for code in codes:
        summary.add_problem("p", code)
    assert (summary.exit_code, len(summary.problems)) == (most_severe, len(codes))


@pytest.mark.parametrize(
    ("name", "outcome", "code", "problem"),
    [
        (
            "ingest",
            replace(INGESTED, failed=(Failed(key="a\x1b.log", reason="denied"),)),
            1,
            r"ingest: 1 object could not be read; the next run will try again: a\x1b.log",
        ),
        (
            "load",
            replace(LOADED, quarantined=("b1",)),
            3,
            "load: 1 batch exceeds the reject limit of its source and is quarantined "
            "(`clickstream status` shows why); accept it with: clickstream run --accept b1",
        ),
        (
            "load",
            replace(LOADED, quarantined=("b1", "b2")),
            3,
            "load: 2 batches exceed the reject limits of their sources and are quarantined "
            "(`clickstream status` shows why); accept them with: "
            "clickstream run --accept b1 --accept b2",
        ),
        (
            "export",
            replace(EXPORTED, quarantined=("b1",)),
            3,
            "export: 1 batch exceeds the reject limit of its source and is quarantined "
            "(`clickstream status` shows why); accept it with: clickstream run --accept b1",
        ),
        (
            "export",
            replace(EXPORTED, max_dead=1, over_limit=(2, 4)),
            3,
            "export: the server refused more documents of batches 2, 4 than search.max_dead = 1 "
            "allows: `clickstream status` lists them; after a fix of the contract or the mapping "
            "run `clickstream export --replay`, or raise search.max_dead",
        ),
        (
            "verify",
            Verification(checks=(*BALANCED.checks, Check(name="a = b", expected=1, found=2))),
            4,
            "verification: the books do not balance: a = b",
        ),
    ],
)
def test_what_a_hop_reports_becomes_a_problem(
    hops: Hops, name: str, outcome: Any, code: int, problem: str
) -> None:
    hops.outcomes[name] = outcome

    summary = hops.run()

    assert (summary.problems, summary.exit_code) == ([problem], code)
    assert hops.calls == IN_ORDER


def test_as_many_dead_letters_as_are_allowed_are_no_problem(hops: Hops) -> None:
    hops.outcomes["export"] = replace(EXPORTED, dead=2, max_dead=2)

    assert hops.run().exit_code == 0


def test_a_build_that_failed_is_reported_and_nothing_is_verified(hops: Hops) -> None:
    failure = Failure(name="assert_x", message="got\x1b 3 rows " + "x" * 1000)
    hops.outcomes["build"] = replace(BUILT, failed=1, failures=(failure,))

    summary = hops.run()

    assert "verify" not in hops.calls
    assert "write_report" in hops.calls
    assert summary.exit_code == 1
    (problem,) = summary.problems
    assert problem.startswith("dbt: 1 model or test failed; see ")
    assert r"assert_x: got\x1b 3 rows xxx" in problem
    assert len(problem.splitlines()[-1]) < 400


def test_problems_of_several_hops_are_all_reported(hops: Hops) -> None:
    hops.outcomes["ingest"] = ClickstreamError("no luck")
    hops.outcomes["load"] = replace(LOADED, quarantined=("b1",))

    summary = hops.run()

    assert [problem.split(":")[0] for problem in summary.problems] == ["ingest", "load"]
    assert summary.exit_code == 1


def test_a_run_over_an_empty_lake_fails(hops: Hops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "read_log", lambda _lake: ())

    with pytest.raises(ClickstreamError, match=r"there is nothing to read in .*/raw: put raw logs"):
        hops.run()
    assert hops.calls == ["ingest"]


def test_why_the_lake_is_empty_is_reported(hops: Hops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "read_log", lambda _lake: ())
    hops.outcomes["ingest"] = SettingsError("no such folder")

    with pytest.raises(ClickstreamError, match="ingest: no such folder") as caught:
        hops.run()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("replaced", [(), ("b1",)])
def test_what_was_replaced_is_dropped_with_the_build(hops: Hops, replaced: tuple[str, ...]) -> None:
    hops.outcomes["load"] = replace(LOADED, replaced=replaced)
    hops.run()

    assert hops.arguments["build"]["drop_replaced"] is bool(replaced)


def test_an_unknown_acceptance_stops_the_run_before_its_first_hop(hops: Hops) -> None:
    with pytest.raises(SettingsError, match="--accept nobody: the lake has no such batch"):
        hops.run(accept=["b1", "nobody"])

    assert hops.calls == []
    assert accepted_ids(open_storage(hops.settings.lake)) == set()


def test_load_and_export_name_the_same_batches_once(hops: Hops) -> None:
    hops.outcomes["load"] = replace(LOADED, quarantined=("b1",))
    hops.outcomes["export"] = replace(EXPORTED, quarantined=("b1",))

    (problem,) = hops.run().problems

    assert problem.startswith("load and export: 1 batch exceeds the reject limit")


@pytest.mark.parametrize(
    ("loaded", "exported"), [(("b1",), ("b1", "b2")), (("b1",), ("b2",)), (("b1", "b2"), ("b1",))]
)
def test_load_and_export_that_differ_are_both_told(
    hops: Hops, loaded: tuple[str, ...], exported: tuple[str, ...]
) -> None:
    hops.outcomes["load"] = replace(LOADED, quarantined=loaded)
    hops.outcomes["export"] = replace(EXPORTED, quarantined=exported)

    problems = hops.run().problems

    assert [problem.split(":")[0] for problem in problems] == ["load", "export"]


def test_a_run_in_which_all_content_was_refused_fails(hops: Hops) -> None:
    record = make_draft("b1", raw_object("a.bin", status="rejected"))
    hops.outcomes["ingest"] = replace(INGESTED, sealed=(record,))

    summary = hops.run()

    assert summary.exit_code == 1
    assert summary.problems == [
        "ingest: nothing could be read: all content was refused (1 object); see"
        " `clickstream status --rejects`"
    ]
    assert summary.refused is not None
    assert [one.source_file for one in summary.refused.objects] == ["a.bin"]
    assert hops.calls == IN_ORDER
