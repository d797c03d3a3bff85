"""Rotated logs as the field reports them: each line once in lake, landing, marts and index."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixtures.product import ROOT, Commands, Index, OneProcess, Product

pytestmark = pytest.mark.e2e

# Source -> its case, the folders that it holds one after another, the events after each of them.
SEQUENCES = {
    "numbered": ("f21-numbered-rotation-oldest-dropped", ("day1", "day2"), (12, 14)),
    "dated": ("f23-dateext-and-retention", ("day1", "day2", "day3"), (9, 11, 14)),
    "copied": ("f25-rotation-that-works", ("a1", "a2"), (7, 11)),
    "renamed": ("f25-rotation-that-works", ("b1", "b2"), (4, 6)),
    "holes": ("f18-copytruncate-hole", (".",), (4 + 56 + 8,)),
    "odd": ("f19-refused-without-a-word", ("raw",), (1 + 1 + 3,)),
    "special": ("f32-special-files", (".",), (4,)),
}
DAYS = 3
# What dbt needs of the project, where clickstream.toml names other sources.
PROJECT = ("dbt_project.yml", "profiles.yml", "profiles", "models", "macros", "seeds", "tests/dbt")
LIVE = "from landing.events as e join landing.batches as b using (batch_id) where b.state = 'live'"
QUERIES = {
    "landing": "select split(source_file, '/')[0], count(*), count(distinct source_file, url_path)"
    f" {LIVE} group by 1",
    "ids": f"select count(*), count(distinct event_id) {LIVE}",
    "marts": "select (select sum(total_events) from fct_traffic_hourly),"
    " (select sum(total_events) from number_of_events_per_http_response),"
    " (select sum(total_events) from number_of_sessions_per_ip)",
}


LANDING = ("landing", "ids")


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day's ingest, and the rows of QUERIES after it; those of the marts on the last day only."""

    ingest: dict[str, Any]
    answers: dict[str, list[list[Any]]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All days, the run of the last one, and the size of the index after it."""

    days: list[Day]
    run: dict[str, Any]
    documents: int


def expected(day: int) -> dict[str, int]:
    """Return source -> events after that day, counted from 0."""
    return {name: events[min(day, len(events) - 1)] for name, (_, _, events) in SEQUENCES.items()}


@pytest.fixture(scope="module")
def outcome(
    tmp_path_factory: pytest.TempPathFactory,
    one_process: OneProcess,
    search_url: str,
    field_cases: Path,
) -> Outcome:
    """Let every source hold one folder of its case after another, a day each.

    Each day is ingested and loaded; marts and index are made on the last one.
    """
    root = make_project(tmp_path_factory.mktemp("project"))
    product = Product(
        root=root, data=root / "data", environ={"ES_URL": search_url, "ES_INDEX": "sequences"}
    )
    index = Index(url=search_url, name="sequences")
    commands, days = one_process.of(product), []
    for day in range(DAYS):
        for name, (case, folders, _) in SEQUENCES.items():
            if day < len(folders):
                replace_content(root / name, field_cases / case / folders[day])
        if day == 0:
            add_special_files(root / "special")
        ingest = commands.json("ingest")
        commands.json("load")
        days.append(Day(ingest=ingest, answers=answers(commands, *LANDING)))
    run = commands.json("run")
    days[-1].answers.update(answers(commands, "marts"))
    return Outcome(days=days, run=run, documents=index.count())


def answers(commands: Commands, *names: str) -> dict[str, list[list[Any]]]:
    """Return the rows of these QUERIES by their names."""
    return dict(zip(names, commands.sql(*(QUERIES[name] for name in names)), strict=True))


def make_project(root: Path) -> Path:
    """Copy the dbt project to `root`, with a source for each sequence."""
    for name in PROJECT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    tables = [f'[[sources]]\nname = "{name}"\nuri = "{name}"\n' for name in SEQUENCES]
    (root / "clickstream.toml").write_text("\n".join(tables), encoding="utf-8")
    return root


def replace_content(folder: Path, content: Path) -> None:
    """Leave in `folder` what `content` holds, with the time of now."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    for path in content.iterdir():
        if path.is_file() and path.suffix not in (".json", ".sh"):
            shutil.copyfile(path, folder / path.name)


def add_special_files(folder: Path) -> None:
    """Put beside the log what the nginx image and its users put there."""
    (folder / "access.log").write_text(
        "".join(
            f'192.0.2.{n} - - [24/May/2024:19:00:0{n} +0000] "GET /s{n} HTTP/1.1" 200 10 "-" "x"\n'
            for n in range(1, 5)
        )
    )
    os.mkfifo(folder / "pipe.log")
    for name, target in (
        ("other.log", "/dev/stdout"),
        ("error.log", "/dev/null"),
        ("current.log", "access.log"),
    ):
        (folder / name).symlink_to(target)


@pytest.mark.parametrize("day", range(DAYS))
def test_each_line_is_in_landing_once(outcome: Outcome, day: int) -> None:
    rows = outcome.days[day].answers
    landing = {name: (events, urls) for name, events, urls in rows["landing"]}
    assert landing == {name: (events, events) for name, events in expected(day).items()}
    ((events, ids),) = rows["ids"]
    assert events == ids


def test_marts_and_index_agree(outcome: Outcome) -> None:
    total = sum(expected(DAYS - 1).values())
    assert outcome.days[-1].answers["marts"] == [[total, total, total]]
    assert outcome.documents == total
    assert outcome.run["problems"] == []


def test_what_is_refused_or_passed_over_is_named(outcome: Outcome) -> None:
    first = outcome.days[0].ingest
    refused = first["refused"]["objects"]
    assert [(one["source_file"], one["file_status"], one["file_reason"]) for one in refused] == [
        ("odd/error.log", "rejected", "unknown_format"),
    ]
    assert first["special"] == ["error.log", "other.log", "pipe.log"]
    assert [one["key"] for one in first["duplicates"]] == ["current.log"]
