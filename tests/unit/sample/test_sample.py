"""The generator: same bytes, honest numbers, every verdict."""

from __future__ import annotations

import gzip
import json
import re
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SettingsError
from ingest.parse.model import Identity, ObjectVerdict, Parsed
from ingest.parse.reader import parse_object
from ingest.sample import FORMATS, USUAL_FORMATS, write_sample
from ingest.sample.vocabulary import load_catalog
from ingest.settings import ParseSettings

Row = dict[str, Any]

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
_SAME = (
    "file_status", "lines_read", "lines_ok", "lines_warn", "lines_skip", "lines_reject", "events",
    "source_format",
)  # fmt: skip
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
        ({"lines": 1999, "seed": 1, "formats": FORMATS}, "at least 2000 lines, not 1999"),
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
        (2000, FORMATS),
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
def read(sample: Path, truth: dict[str, Any]) -> dict[str, tuple[list[Row], ObjectVerdict]]:
    """What the parser makes of each file. It and the generator know nothing of each other."""
    return {name: parsed(sample / "raw" / name, name) for name in truth["files"]}


def parsed(path: Path, name: str) -> tuple[list[Row], ObjectVerdict]:
    data = path.read_bytes()
    identity = Identity(
        source_file=name, batch_id="b", ingest_time=datetime(2026, 1, 1, tzinfo=UTC)
    )
    *chunks, verdict = parse_object(
        lambda start, end: data[start:end],
        len(data),
        name=name,
        identity=identity,
        settings=ParseSettings(),
    )
    assert isinstance(verdict, ObjectVerdict)
    if verdict.file_status in ("rejected", "corrupt_gzip"):
        return [], verdict
    rows = [
        row for chunk in chunks if isinstance(chunk, Parsed) for row in chunk.events.to_pylist()
    ]
    return rows, verdict


def test_the_parser_gives_each_file_the_same_verdict(
    read: dict[str, tuple[list[Row], ObjectVerdict]], truth: dict[str, Any]
) -> None:
    check_verdicts(read, truth)


@pytest.mark.parametrize("name", ["cloudfront", "w3c"])
def test_the_parser_reads_logs_in_columns_as_they_were_meant(tmp_path: Path, name: str) -> None:
    truth = write_sample(tmp_path, lines=2000, seed=7, formats=[name])
    read = {file: parsed(tmp_path / "raw" / file, file) for file in truth["files"]}
    check_verdicts(read, truth)
    check_marts(read, truth)


def check_verdicts(read: dict[str, tuple[list[Row], ObjectVerdict]], truth: dict[str, Any]) -> None:
    for name, expected in truth["files"].items():
        verdict = read[name][1]
        found = {column: getattr(verdict, column) for column in expected if column in _SAME}
        assert found == {column: expected[column] for column in _SAME}, name
        assert {code: lines for code, lines in verdict.counts.items() if lines} == (
            expected["counts"]
        ), name
        times = (verdict.min_event_time, verdict.max_event_time)
        assert [time and time.isoformat() for time in times] == [
            expected["min_event_time"],
            expected["max_event_time"],
        ], name
        if expected["reason"]:
            assert (verdict.file_reason or "").startswith(expected["reason"])


def test_the_parsed_events_add_up_to_the_truth(
    read: dict[str, tuple[list[Row], ObjectVerdict]], truth: dict[str, Any]
) -> None:
    check_marts(read, truth)


def check_marts(read: dict[str, tuple[list[Row], ObjectVerdict]], truth: dict[str, Any]) -> None:
    """Count the marts over the parser's events, as slowly and plainly as possible."""
    events = [row for rows, _ in read.values() for row in rows]
    brands = dict(load_catalog().products)
    views: Counter[tuple[str, str, str]] = Counter()
    clients: defaultdict[str, list[Row]] = defaultdict(list)
    by_brand: defaultdict[str, list[Row]] = defaultdict(list)
    for event in events:
        if event["session_id"] and event["view_count"] is not None:
            url = event["url_path"] or (event["referrer"] or "").split("?")[0]
            views[event["session_id"], url, event["event_name"].lower()] += event["view_count"]
        if client := event["client_ip"] or event["client_address"]:
            clients[client].append(event)
        brand = event["brand"] or brands.get((event["product_id"] or "").lower())
        if brand:
            by_brand[brand].append(event)
    marts = truth["marts"]

    assert truth["sessions"]["pages_by_views"] == Counter(map(str, views.values()))
    actions: defaultdict[str, list[int]] = defaultdict(list)
    for (_, _, action), count in views.items():
        actions[action].append(count)
    assert marts["number_of_views_per_session"]["rows"] == {
        action: {"row_count": len(counts), "number_of_views": sum(counts)}
        for action, counts in actions.items()
    }
    assert marts["number_of_sessions_per_ip"]["rows"] == {
        client: {
            "row_count": 1,
            "total_sessions": len({row["session_id"] for row in rows if row["session_id"]}),
            "total_events": len(rows),
        }
        for client, rows in clients.items()
    }
    statuses = Counter(
        str(event["status_code"]) for event in events if event["status_code"] is not None
    )
    assert marts["number_of_events_per_http_response"]["rows"] == {
        status: {"row_count": 1, "total_events": count} for status, count in statuses.items()
    }
    assert marts["number_of_events_per_brand"]["rows"] == {
        brand: {
            "row_count": 1,
            "total_events": len(rows),
            "views": sum(row["view_count"] or 0 for row in rows),
            "purchases": sum(row["purchase_count"] or 0 for row in rows),
        }
        for brand, rows in by_brand.items()
    }
    assert truth["sessions"]["all"] == len({e["session_id"] for e in events} - {None})


def test_the_parsed_events_have_the_hours_actions_and_campaigns_of_the_truth(
    read: dict[str, tuple[list[Row], ObjectVerdict]], truth: dict[str, Any]
) -> None:
    events = [row for rows, _ in read.values() for row in rows]
    # Every bot of the sample says so with a link to its own page.
    bots = ["; +http" in (event["user_agent"] or "") for event in events]
    hours: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for event, is_bot in zip(events, bots, strict=True):
        if event["event_time"]:
            hour = event["event_time"].replace(minute=0, second=0, microsecond=0)
            hours[hour.isoformat()].update(total_events=1, human_events=int(not is_bot))
    campaigns = Counter(
        "/".join(event[f"campaign_{part}"] or "-" for part in ("source", "medium", "name"))
        for event in events
        if event["campaign_source"]
    )

    assert truth["marts"]["fct_traffic_hourly"]["rows"] == {
        hour: {"row_count": 1, **counts} for hour, counts in hours.items()
    }
    assert campaigns == truth["events"]["by_campaign"]
    assert sum(bots) == truth["events"]["bots"]
    assert truth["events"]["by_action"] == Counter(
        event["event_name"].lower() for event in events if event["event_name"]
    )
