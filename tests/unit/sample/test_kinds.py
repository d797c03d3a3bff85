"""Each format that is read has a kind, whose lines mean what the sample says of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fixtures.sampled import Read, check_events, check_marts, check_verdicts, parsed

from ingest.parse.registry import check_settings, names
from ingest.sample import FORMATS, write_sample
from ingest.settings import ParseSettings

# Room for all odd lines: rejects stay below 1 %.
LINES = 400 * len(FORMATS)
NAMED = ("apigw_clf", "cloudfront_rt", "json_mapping", "log_format")
SUMS = {"views": "view_count", "purchases": "purchase_count", "response_bytes": "response_bytes"}
INSIDE = {
    "docker_json": {"access"},
    "jsonl": {"caddy_json", "cloudfront_v2", "nginx_json", "traefik_json"},
}
# Those that a sample of the usual formats has not.
CODES = {
    "bad_json", "bad_percent_encoding", "control", "duplicate_key", "json_array", "not_an_object",
    "trailing_data", "unknown_type", "unplaced_text", "wrong_log_type",
}  # fmt: skip


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each format, and what is broken."""
    directory = tmp_path_factory.mktemp("mixed")
    write_sample(directory, lines=LINES, seed=7, formats=["mixed", *NAMED])
    return directory


@pytest.fixture(scope="module")
def truth(sample: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def read(sample: Path, truth: dict[str, Any]) -> Read:
    """What the parser makes of each file, by its content or as a source would name it."""
    return {
        name: parsed(sample / "raw" / name, name, settings_for(name, truth))
        for name in truth["files"]
    }


def settings_for(name: str, truth: dict[str, Any]) -> ParseSettings:
    given = truth["sample"]["settings"].get(name.partition("/")[0], {})
    settings = ParseSettings(**{key: _plain(value) for key, value in given.items()})
    check_settings(settings)
    return settings


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list) else value


def files_of(kind: str, truth: dict[str, Any]) -> dict[str, Any]:
    return {name: file for name, file in truth["files"].items() if name.startswith(f"{kind}/")}


def test_every_format_that_is_read_has_a_kind() -> None:
    assert set(FORMATS) == set(names()) - {"auto"}


def test_a_mixed_sample_has_one_file_of_each_format(truth: dict[str, Any]) -> None:
    broken = {name for name in truth["files"] if "/2025-03-09/" in name}
    good = Counter(name.partition("/")[0] for name in truth["files"].keys() - broken)
    endings = Counter(Path(name).suffix for name in truth["files"].keys() - broken)

    assert good == dict.fromkeys(FORMATS, 1)
    # The first has the broken files too.
    lines = {truth["formats"][kind]["lines_read"] for kind in FORMATS}
    assert lines == {LINES // len(FORMATS)}
    assert min(endings[ending] for ending in (".log", ".gz", ".bz2", ".zst")) >= 4
    assert {truth["files"][name]["file_status"] for name in broken} >= {"corrupt_gzip", "rejected"}
    assert sorted(truth["sample"]["settings"]) == list(NAMED)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_lines_have_the_verdicts_that_the_sample_says(
    read: Read, truth: dict[str, Any], kind: str
) -> None:
    check_verdicts(read, {"files": files_of(kind, truth)})


@pytest.mark.parametrize("kind", FORMATS)
def test_the_events_of_a_format_add_up(read: Read, truth: dict[str, Any], kind: str) -> None:
    rows = [row for name in files_of(kind, truth) for row in read[name][0]]
    expected = truth["formats"][kind]

    assert {name: sum(row[column] or 0 for row in rows) for name, column in SUMS.items()} == {
        name: expected[name] for name in SUMS
    }
    assert len(rows) == expected["events"]
    assert {row["source_format"] for row in rows} == formats_in(kind, truth)


def formats_in(kind: str, truth: dict[str, Any]) -> set[str]:
    """Return the formats of the events of a kind: objects and wrapped lines name their own."""
    if kind in INSIDE:
        return INSIDE[kind]
    shown = {file["source_format"] for file in files_of(kind, truth).values()} - {None}
    return {kind} if shown == {"jsonl"} else shown


def test_the_formats_add_up_to_the_whole(truth: dict[str, Any]) -> None:
    formats = truth["formats"].values()

    assert sum(one["events"] for one in formats) == truth["events"]["all"]
    assert sum(one["views"] for one in formats) == truth["events"]["views"]
    assert sum(one["files"] for one in formats) == truth["totals"]["files"]


def test_all_events_add_up_to_the_marts(read: Read, truth: dict[str, Any]) -> None:
    check_marts(read, truth)
    check_events(read, truth)


def test_lines_of_each_code_are_there(truth: dict[str, Any]) -> None:
    assert truth["totals"]["counts"].keys() >= CODES
    for kind in FORMATS:
        counts = truth["formats"][kind]["counts"]
        assert {"blank", "future_timestamp"} <= counts.keys() or kind.startswith("w3c")
        assert truth["formats"][kind]["lines_reject"] > 0


def test_the_same_seed_gives_the_same_files(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, lines=LINES, seed=7, formats=["mixed", *NAMED])

    for path in (sample / "raw").rglob("*"):
        if path.is_file():
            again = tmp_path / "raw" / path.relative_to(sample / "raw")
            assert again.read_bytes() == path.read_bytes()
