"""The generator: same bytes, honest numbers, every verdict."""

from __future__ import annotations

import gzip
import json
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fixtures.sampled import Read, check_events, check_marts, check_verdicts, parsed

from ingest.errors import SettingsError
from ingest.sample import FORMATS, USUAL_FORMATS, write_sample

LINES = 3000
SKIPS = {"blank", "comment", "header"}
REJECTS = {"bad_csv", "bad_timestamp", "line_too_long", "no_match", "wrong_field_count"}
WARNINGS = {
    "bad_request_line",
    "bytes_overflow",
    "control_char",
    "extra_fields",
    "future_timestamp",
    "invalid_client_ip",
    "invalid_number",
    "invalid_status",
    "invalid_utf8",
    "leap_second",
    "missing_fields",
    "no_timestamp",
    "no_timezone",
    "nul_byte",
    "stale_timestamp",
    "truncated_field",
    "unterminated_quote",
}
STATUSES = {
    "ok",
    "misnamed",
    "trailing_garbage",
    "double_gzip",
    "empty",
    "corrupt_gzip",
    "rejected",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    write_sample(directory, lines=LINES, seed=7)
    return directory


@pytest.fixture(scope="module")
def truth(sample: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    return read


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, lines=LINES, seed=7)

    assert contents(tmp_path) == contents(sample)


def test_another_seed_gives_other_logs(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, lines=LINES, seed=8)

    name = "raw/combined/2025-03-04/access-00.log"
    assert contents(tmp_path)[name] != contents(sample)[name]


def test_what_is_there_already_is_left_untouched(tmp_path: Path) -> None:
    write_sample(tmp_path, lines=500, seed=1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    write_sample(tmp_path, lines=500, seed=1)

    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_no_line_of_a_sample_waits_for_its_end(tmp_path: Path) -> None:
    write_sample(tmp_path, lines=500, seed=1)
    longest = timedelta(days=7)  # that a source may wait

    logs = [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]
    newest = max(path.stat().st_mtime for path in logs)

    assert newest < time.time() - longest.total_seconds()


def test_another_sample_replaces_the_files_of_the_first(tmp_path: Path) -> None:
    write_sample(tmp_path, lines=500, seed=1)
    truth = write_sample(tmp_path, lines=500, seed=2, formats=["splunk_tutorial"])

    raw = {str(path.relative_to(tmp_path / "raw")) for path in (tmp_path / "raw").rglob("*.*")}
    assert {name for name in raw if (tmp_path / "raw" / name).is_file()} == set(truth["files"])


def test_files_of_others_are_not_touched(tmp_path: Path) -> None:
    foreign = tmp_path / "raw/combined/2025-03-04/access-00.log"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="not written by `clickstream sample`"):
        write_sample(tmp_path, lines=500, seed=1)

    assert contents(tmp_path) == {"raw/combined/2025-03-04/access-00.log": b"mine\n"}


def test_a_foreign_truth_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text("{}", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"truth\.json was not written by"):
        write_sample(tmp_path, lines=500, seed=1)


def test_a_damaged_note_stops_before_anything_is_lost(tmp_path: Path) -> None:
    write_sample(tmp_path, lines=500, seed=1)
    before = contents(tmp_path / "raw")
    (tmp_path / ".sample-files.json").write_text("[1", encoding="utf-8")

    with pytest.raises(SettingsError, match="is damaged"):
        write_sample(tmp_path, lines=500, seed=2)

    assert contents(tmp_path / "raw") == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"file.* cannot be written"):
        write_sample(tmp_path / "file", lines=500, seed=1)


def test_a_big_day_comes_in_parts_that_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sample.plan.LINES_PER_FILE", 300)

    truth = write_sample(tmp_path, lines=5000, seed=1, formats=["combined"])

    parts = [f"combined/2025-03-04/access-{part:02}.log" for part in range(3)]
    assert [name for name in truth["files"] if name.startswith("combined/2025-03-04")] == parts
    seconds = [
        re.findall(r"^198\.1[89]\..*04/Mar/2025:(\S+)", (tmp_path / "raw" / name).read_text(
            encoding="utf-8", errors="replace"), re.MULTILINE)
        for name in parts
    ]  # fmt: skip
    assert max(seconds[0]) < "08:00:00" <= min(seconds[1])
    assert max(seconds[1]) < "16:00:00" <= min(seconds[2])
    assert truth["totals"]["lines_read"] == 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lines": 100, "seed": 1}, "at least 500 lines, not 100"),
        ({"lines": 1999, "seed": 1, "formats": FORMATS[:5]}, "at least 2,000 lines, not 1,999"),
        ({"lines": 10**9, "seed": 1, "formats": ["mixed"]}, "a mixed sample has at most"),
        ({"lines": 500, "seed": -1}, "seed must not be negative"),
        ({"lines": 500, "seed": 1, "formats": ["xml"]}, "cannot write a sample of xml"),
        ({"lines": 500, "seed": 1, "formats": []}, "cannot write a sample of no format"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, arguments: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        write_sample(tmp_path, **arguments)

    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("lines", "formats"),
    [
        (400 * len(FORMATS), FORMATS),
        (400 * len(FORMATS), ["mixed", *FORMATS]),
        *((lines, USUAL_FORMATS) for lines in (500, 1000, 12_345)),
        *((500, [name]) for name in FORMATS),
        (500, ["cloudfront", "w3c"]),
    ],
)
def test_exactly_the_wanted_lines_with_few_rejects(
    tmp_path: Path, lines: int, formats: list[str]
) -> None:
    totals = write_sample(tmp_path, lines=lines, seed=3, formats=formats)["totals"]

    assert totals["lines_read"] == lines
    assert totals["lines_reject"] * 100 <= max(lines, 1000)


def test_every_verdict_that_these_formats_can_have(truth: dict[str, Any]) -> None:
    assert set(truth["totals"]["counts"]) == SKIPS | REJECTS | WARNINGS
    assert set(truth["totals"]["files_by_status"]) == STATUSES
    reasons = {file["reason"] for file in truth["files"].values() if file["reason"]}
    assert reasons == {
        "nested_gzip",
        "not_utf8",
        "unknown_format",
        "unsupported_content",
        "missing_header",
    }


def test_the_books_of_each_file_balance(sample: Path, truth: dict[str, Any]) -> None:
    on_disk = {
        str(path.relative_to(sample / "raw"))
        for path in (sample / "raw").rglob("*")
        if path.is_file()
    }
    assert set(truth["files"]) == on_disk
    for file in truth["files"].values():
        verdicts = [file[f"lines_{verdict}"] for verdict in ("ok", "warn", "skip", "reject")]
        assert file["lines_read"] == sum(verdicts)
        assert file["events"] == verdicts[0] + verdicts[1]


def test_the_marts_agree_with_the_events(truth: dict[str, Any]) -> None:
    events, marts = truth["events"], truth["marts"]
    brands = marts["number_of_events_per_brand"]["rows"].values()
    actions = marts["number_of_views_per_session"]["rows"].values()
    pages = truth["sessions"]["pages_by_views"]
    hours = marts["fct_traffic_hourly"]["rows"].values()

    assert events["all"] == truth["totals"]["events"]
    assert sum(brand["views"] for brand in brands) == events["views"]
    assert sum(brand["purchases"] for brand in brands) == events["purchases"]
    assert sum(pages.values()) == sum(action["row_count"] for action in actions)
    assert sum(int(views) * count for views, count in pages.items()) == (
        sum(action["number_of_views"] for action in actions)
    )
    assert sum(hour["total_events"] for hour in hours) == events["all"] - events["without_time"]
    assert 0 < events["bots"] < events["all"] / 5
    assert events["by_action"]["view"] > events["by_action"]["addtocart"]
    assert events["by_action"]["addtocart"] > events["by_action"]["purchase"] > 0


def test_zipped_files_hold_whole_lines(sample: Path, truth: dict[str, Any]) -> None:
    name = "schematic-csv/2025-03-05/shop-00.csv.gz"
    content = gzip.decompress((sample / "raw" / name).read_bytes())

    assert content.startswith(b"\xef\xbb\xbfAction,Bytes,Item ,")
    assert content.endswith(b"\r\n")
    records = content.count(b"\r\n")
    assert records == truth["files"][name]["lines_read"]


@pytest.fixture(scope="module")
def read(sample: Path, truth: dict[str, Any]) -> Read:
    """What the parser makes of each file. It and the generator know nothing of each other."""
    return {name: parsed(sample / "raw" / name, name) for name in truth["files"]}


def test_the_parser_gives_each_file_the_same_verdict(read: Read, truth: dict[str, Any]) -> None:
    check_verdicts(read, truth)


def test_the_parsed_events_add_up_to_the_truth(read: Read, truth: dict[str, Any]) -> None:
    check_marts(read, truth)


def test_the_parsed_events_have_the_hours_actions_and_campaigns_of_the_truth(
    read: Read, truth: dict[str, Any]
) -> None:
    check_events(read, truth)
