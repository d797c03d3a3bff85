"""`status --rejects`: why lines were rejected, an example of each reason, and what mends it.

Reasons of lines are those of section 1.3 of the format specification, states of objects those of
section 1.4, the rows of rejects those of section 1.5.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.load_suite import Hop
from fixtures.memory_warehouse import MemoryWarehouse
from fixtures.outcome import CSV_HEADER

from ingest import cli
from ingest.books.rejects import Example, Reason, Rejects, SourceRejects, rejects
from ingest.books.rejects_text import rejects_text
from ingest.books.remedies import Remedy
from ingest.books.verify import verify
from ingest.job.replay import Choice
from ingest.job.run import RunTasks, ingest, replay
from ingest.lake.records import read_log
from ingest.settings import ParseSettings, Settings, Source
from ingest.storage import open_storage

CSV = f"{CSV_HEADER}\n" + "Click,5,,1,200,1,1,B,1,C,192.0.2.1,1,m,1,1,1,1,s,S,,/a\n" * 3
ROOT = Path(__file__).resolve().parents[3]
EVENTS_BY_STATE = """
    select state, (select count(*) from landing.events where batch_id = one.batch_id)
    from landing.batches as one
"""
BINARY = b"PK\x03\x04" + bytes(100) + b"\n"


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return read_as(make_settings(), format="access")


@pytest.fixture
def hop(settings: Settings, run_tasks_here: RunTasks, access_lines: Callable[..., bytes]) -> Hop:
    return Hop(
        settings=settings,
        warehouse=MemoryWarehouse(),
        run_tasks=run_tasks_here,
        lines=access_lines,
    )


def read_as(settings: Settings, **changes: object) -> Settings:
    """Return `settings` whose one source is parsed otherwise."""
    (source,) = settings.sources
    parse: ParseSettings = replace(source.parse, **changes)  # type: ignore[arg-type]
    return replace(settings, sources=(replace(source, parse=parse),))


def rejects_of(settings: Settings) -> SourceRejects:
    """Return the rejects of the one source that has some."""
    (source,) = rejects(settings).sources
    return source


def test_a_lake_without_rejects_says_so(settings: Settings, hop: Hop) -> None:
    assert rejects(settings).sources == ()
    hop.add_log("one.log", 3)
    assert rejects_text(rejects(settings)).endswith("no line is rejected and no object refused")


def test_each_reason_has_its_count_and_a_first_line(settings: Settings, hop: Hop) -> None:
    """Section 1.3: the reasons are a closed list; the most frequent one comes first."""
    late = hop.lines(1).replace(b"10/Oct", b"31/Feb")
    hop.add_bytes("one.log", hop.lines(5) + b"not a log line\n" * 3)
    hop.add_bytes("two.log", hop.lines(2, first=900) + b"broken too\n" * 2 + late)

    source = rejects_of(settings)

    assert (source.source, source.lines_read, source.lines_reject) == ("raw", 13, 6)
    assert [(one.reason, one.source_format, one.lines) for one in source.reasons] == [
        ("no_match", "access", 5),
        ("bad_timestamp", "access", 1),
    ]
    example = source.reasons[0].example
    assert (example.source_file, example.key, example.text) == (
        "raw/one.log", "one.log", "not a log line",
    )  # fmt: skip
    assert (example.source_line, example.source_offset, example.length) == (
        6, len(hop.lines(5)), 14,
    )  # fmt: skip
    assert source.reasons[1].example.source_line == 5


def test_what_was_read_again_counts_once(settings: Settings, hop: Hop) -> None:
    hop.add_log("one.log", 30, broken=3)
    hop.correct_log("one.log", 20, broken=2)
    assert rejects_of(settings).lines_reject == 2
    (reason,) = rejects_of(settings).reasons
    assert reason.lines == 2


def test_a_quarantined_batch_is_there_and_may_be_accepted(settings: Settings, hop: Hop) -> None:
    record = hop.add_log("bad.log", 1000, broken=50)

    source = rejects_of(settings)

    assert (source.quarantined, source.lines_reject) == ((record.batch_id,), 50)
    text = rejects_text(rejects(settings))
    assert "source raw: 50 of 1,050 lines rejected, 0 objects refused\n" in text
    assert (
        "1 batch exceeds the reject limit and is quarantined; accept it with: clickstream run"
        f" --accept {record.batch_id}\n"
    ) in text
    assert "reject_limit_ratio" in text


def test_refused_objects_are_there_by_reason(settings: Settings, hop: Hop) -> None:
    """Section 1.4: their reason is in file_reason; what is wrong with gzip is told in detail."""
    hop.add_bytes("one.log", BINARY)
    hop.add_bytes("two.log.gz", b"\x1f\x8b\x08\0broken")
    hop.add_bytes("misnamed.gz", hop.lines(1))

    source = rejects_of(settings)

    assert source.refused == 2
    assert [(one.reason, one.lines, one.objects) for one in source.reasons] == [
        ("unsupported_content", 0, 1),
        ("corrupt_gzip", 0, 1),
    ]
    unpacked, corrupt = source.reasons
    assert (unpacked.example.source_file, unpacked.example.text) == ("raw/one.log", None)
    assert unpacked.remedy.advice.startswith("unpack or convert it")
    assert corrupt.example.detail
    assert corrupt.remedy.commands[-1] == "clickstream replay raw --rejects"
    assert "  corrupt_gzip: 1 object\n    from     raw/two.log.gz\n    detail   " in rejects_text(
        rejects(settings)
    )


def test_refused_objects_are_shown_behind_many_reasons_of_lines() -> None:
    def reason(name: str, *, lines: int) -> Reason:
        return Reason(
            reason=name,
            source_format="alb" if lines else None,
            lines=lines,
            objects=0 if lines else 1,
            example=Example(source_file=f"raw/{name}", key=name),
            remedy=Remedy(advice="a"),
        )

    reasons = (*(reason(f"r{i}", lines=9 - i) for i in range(7)), reason("not_utf8", lines=0))
    source = SourceRejects(
        source="raw", lines_read=99, lines_reject=42, refused=1, quarantined=(), reasons=reasons
    )
    text = rejects_text(Rejects(lake="lake", sources=(source,)))
    assert "r4, read as alb: 5 lines" in text
    assert "r5" not in text
    assert "... and 2 more reasons why lines were rejected (--json lists all)" in text
    assert text.endswith("  not_utf8: 1 object\n    from     raw/not_utf8\n    remedy   a")


def test_a_refused_object_that_was_read_later_is_no_longer_there(
    settings: Settings, hop: Hop
) -> None:
    hop.add_bytes("one.log", BINARY)
    hop.add_bytes("one.log", hop.lines(3))
    assert rejects(settings).sources == ()


def test_the_text_is_safe_for_a_terminal(settings: Settings, hop: Hop) -> None:
    """A title, a colour, a bell, a C1 control, a change of direction, bytes that are no text."""
    hostile = "\x1b]0;title\x07\x1b[31m \x9b31m \u202e '; rm -rf ~ # ".encode() + b"\xff\x80\0\x7f"
    hop.add_bytes("od'd.log", hop.lines(1) + hostile + b"x" * 5000 + b"\n")

    text = rejects_text(rejects(settings))

    assert text.replace("\n", "").isprintable()
    example = next(line for line in text.splitlines() if line.startswith("    example"))
    assert example.startswith(
        "    example  \\x1b]0;title\\x07\\x1b[31m \\x9b31m \\u202e '; rm -rf ~ #"
    )
    assert example.endswith(f"… ({len(hostile) + 5000:,} bytes)")
    assert len(example) < 200
    assert "--line" not in text  # a shell would get other bytes


def test_a_format_that_reads_the_line_is_proposed(settings: Settings, hop: Hop) -> None:
    hop.add_bytes("one.csv", CSV.encode())

    (reason,) = rejects_of(settings).reasons

    assert reason.lines == 4
    assert 'set format = "schematic-csv" for source raw' in reason.remedy.advice
    parse, again = reason.remedy.commands
    assert parse.startswith("clickstream parse /")
    assert parse.endswith("/raw/one.csv --format schematic-csv")
    assert again == "clickstream replay raw --rejects"


def test_the_example_is_of_the_log_with_most_such_lines(settings: Settings, hop: Hop) -> None:
    """An odd line in a good log does not hide a log of another format."""
    hop.add_log("a.log", 30, broken=2)
    hop.add_bytes("one.csv", CSV.encode())
    (reason,) = rejects_of(settings).reasons
    assert (reason.lines, reason.example.source_file, reason.example.source_line) == (
        6, "raw/one.csv", 1,
    )  # fmt: skip
    assert 'set format = "schematic-csv"' in reason.remedy.advice


def test_another_setting_and_a_replay_make_events_of_what_was_rejected(
    settings: Settings, hop: Hop
) -> None:
    """Nothing is lost and nothing counts twice: every hop is counted again."""
    good = hop.add_log("good.log", 30)
    bad = hop.add_bytes("one.csv", CSV.encode())
    hop.load()
    mended = read_as(settings, format="auto")
    (reason,) = rejects_of(mended).reasons
    assert reason.remedy.advice == "settings or parser have changed since: this line is read now"
    assert reason.remedy.commands == ("clickstream replay raw --rejects",)

    summary = replay(mended, hop.run_tasks, Choice(rejects=True))

    (record,) = summary.sealed
    assert record.replaces == (bad.batch_id,)
    assert (record.totals.lines_reject, record.totals.lines_skip, record.totals.events) == (0, 1, 3)
    hop.load(settings=mended)
    assert sorted(hop.rows(EVENTS_BY_STATE)) == [("live", 3), ("live", 30), ("replaced", 0)]
    checks = verify(replace(mended, root=ROOT), hop.warehouse).checks
    assert len([check for check in checks if check.ok]) >= 4
    assert {check.detail for check in checks if not check.ok} == {"not built: run `dbt build`"}
    assert rejects(mended).sources == ()
    assert replay(mended, hop.run_tasks, Choice(rejects=True)).nothing_new
    assert good.totals.events == 30


def test_a_replay_by_a_wrong_setting_loses_nothing(settings: Settings, hop: Hop) -> None:
    """Its batch is quarantined, so the old one stays live; the next replay replaces both."""
    old = hop.add_log("one.log", 1000, broken=2)
    wrong = read_as(settings, max_line_bytes=64)

    replay(wrong, hop.run_tasks, Choice(rejects=True))
    hop.load()
    assert dict(hop.rows(EVENTS_BY_STATE)) == {"live": 1000, "quarantined": 0}
    assert rejects_of(wrong).lines_reject == 1002
    (waiting,) = rejects_of(wrong).quarantined
    assert waiting != old.batch_id
    (summary,) = replay(settings, hop.run_tasks, Choice(rejects=True)).sealed
    hop.load()

    assert dict(hop.rows(EVENTS_BY_STATE)) == {"live": 1000, "replaced": 0}
    assert (summary.totals.events, rejects_of(settings).lines_reject) == (1000, 2)


def test_the_commands_give_text_and_data(
    settings: Settings,
    hop: Hop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = hop.add_log("one.log", 5, broken=2)
    for place in ("cli.books", "cli.hops"):
        monkeypatch.setattr(f"ingest.{place}.load_settings_for", lambda *_: settings)

    assert cli.run(["status", "--rejects"]) == 0
    text = capsys.readouterr().out
    assert "  no_match, read as access: 2 lines\n    example  not a log line\n" in text
    assert "    try      clickstream formats explain access --line 'not a log line'\n" in text
    assert cli.run(["status", "--rejects", "--json"]) == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert source["reasons"][0]["example"]["text"] == "not a log line"
    assert source["reasons"][0]["remedy"]["commands"][-1] == "clickstream replay raw --rejects"

    assert cli.run(["replay", "--rejects", "--dry-run"]) == 0
    text = capsys.readouterr().out
    assert "would ingest what is new, then read 1 batch again and replace it:" in text
    assert f"1 {record.batch_id[:12]} raw 1 7 2 0 nothing".split() in map(
        str.split, text.splitlines()
    )
    assert "1 batch would get the same verdicts again" in text
    assert cli.run(["replay", "--rejects", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["batches"][0]["number"] == 1
    assert len(read_log(open_storage(settings.lake))) == 1


def test_a_source_that_is_gone_from_the_settings_is_named(settings: Settings, hop: Hop) -> None:
    hop.add_log("one.log", 5, broken=2)
    other = Source(name="other", uri=str(Path(settings.sources[0].uri)))
    (reason,) = rejects_of(replace(settings, sources=(other,))).reasons
    assert "no longer in clickstream.toml" in reason.remedy.advice
    assert reason.remedy.commands == ()


def test_a_run_after_a_raised_limit_reads_long_lines(settings: Settings, hop: Hop) -> None:
    """Section 1.3, `line_too_long`: the remedy is the setting that the longest line needs."""
    short = read_as(settings, max_line_bytes=1024)
    raw, long_line = Path(settings.sources[0].uri), hop.lines(1, first=7, pad=3000)
    longest = len(long_line) - 1
    for name, content in {"one.log": long_line, "two.log": hop.lines(2, pad=1500)}.items():
        (raw / name).write_bytes(content)
        ingest(short, hop.run_tasks)

    (reason,) = rejects_of(short).reasons

    assert (reason.reason, reason.lines) == ("line_too_long", 3)
    assert reason.remedy.advice == f"set max_line_bytes = {longest} or more for source raw"
    replay(read_as(settings, max_line_bytes=longest), hop.run_tasks, Choice(rejects=True))
    assert rejects(settings).sources == ()
