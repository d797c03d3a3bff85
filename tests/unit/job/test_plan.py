"""The plan of byte ranges, and one task called directly, without Spark."""

from __future__ import annotations

import gzip
import json
import pickle
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from fixtures.packs import PACKS

from ingest.errors import BooksError, ObjectUnavailable
from ingest.job.plan import Plan, make_plan
from ingest.job.readings import Batch, Reading
from ingest.job.tally import Tally, add_up, merge, write_record
from ingest.job.task import RangeFacts, TaskFacts, run_task
from ingest.lake.parquet import open_parquet
from ingest.parse.lines import CHUNK_LINES
from ingest.parse.model import ObjectVerdict, Parsed
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings, Source
from ingest.storage import Storage, StoredObject

MIB = 1 << 20
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
SETTINGS = ParseSettings(format="access")
SOURCE = Source(name="raw", uri="/raw", reject_limit_ratio=0.25)
Lines = Callable[..., bytes]


@pytest.fixture
def raw(in_memory: Callable[[str], Storage]) -> Storage:
    return in_memory("raw")


def _plan(
    raw: Storage,
    *,
    range_bytes: int = 8 * MIB,
    parse: ParseSettings = SETTINGS,
    objects: Iterable[StoredObject] | None = None,
) -> Plan:
    return make_plan(
        Batch(
            readings=tuple(
                Reading(name=found.key, found=found)
                for found in (raw.list() if objects is None else objects)
            )
        ),
        raw,
        lake=raw.uri.removesuffix("raw") + "lake",
        parse=parse,
        range_bytes=range_bytes,
        ingest_time=NOON,
    )


def _cuts(plan: Plan) -> list[list[tuple[str, int, int | None]]]:
    return [
        [(wanted.name, wanted.start, wanted.end) for wanted in task.ranges] for task in plan.tasks
    ]


def _run(plan: Plan) -> list[TaskFacts]:
    return [run_task(task) for task in plan.tasks]


def _rows(lake: Storage, tally: Tally, table: str = "events") -> pa.Table:
    return pa.concat_tables(open_parquet(lake, file.path).read() for file in tally.files[table])


def _contents(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: (row["source_file"], row["source_offset"]))


# --- the plan ----------------------------------------------------------------------------------


def test_small_objects_are_packed_up_to_a_range(raw: Storage) -> None:
    for key, size in {"a": 3, "b": 5, "c": 1, "d": 8, "e": 0}.items():
        raw.put(key, b"\n" * size * MIB)
    assert _cuts(_plan(raw)) == [
        [("a", 0, None), ("b", 0, None)],
        [("c", 0, None)],
        [("d", 0, None), ("e", 0, None)],
    ]


def test_at_most_a_thousand_objects_are_packed(raw: Storage) -> None:
    objects = [StoredObject(key=f"{index:04}", size=1, etag="x") for index in range(2_001)]
    assert [len(task.ranges) for task in _plan(raw, objects=objects).tasks] == [1_000, 1_000, 1]


def test_a_large_plain_object_is_cut_into_ranges(raw: Storage, access_lines: Lines) -> None:
    raw.put("a.log", access_lines(1_000) * 200)
    size = raw.stat("a.log").size
    assert 16 * MIB < size < 24 * MIB
    plan = _plan(raw)
    assert _cuts(plan) == [
        [("a.log", 0, 8 * MIB)],
        [("a.log", 8 * MIB, 16 * MIB)],
        [("a.log", 16 * MIB, size)],
    ]
    assert [task.number for task in plan.tasks] == [0, 1, 2]


def test_auto_decides_the_format_once_for_all_ranges(raw: Storage, access_lines: Lines) -> None:
    raw.put("a.log", access_lines(1_000) * 200)
    plan = _plan(raw, parse=ParseSettings())
    assert len(plan.tasks) == 3
    assert {task.parse.format for task in plan.tasks} == {"access"}


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "zstd", "csv", "unknown"])
def test_what_cannot_be_cut_is_a_task_of_its_own(raw: Storage, kind: str) -> None:
    header = b"Action,Bytes,Item ,# Of Purchases,Response,Pct_Purchase,# Of Views\r\n"
    texts = {"csv": header, "unknown": b"what is this?\n"}
    first = texts[kind] if kind in texts else PACKS[kind](header)
    raw.put("big", first + b"\n" * 9 * MIB)
    raw.put("small", b"\n")
    assert _cuts(_plan(raw, parse=ParseSettings())) == [[("small", 0, None)], [("big", 0, None)]]


def test_an_object_that_is_gone_is_left_to_its_task(raw: Storage) -> None:
    gone = StoredObject(key="gone", size=99 * MIB, etag="x")
    assert _cuts(_plan(raw, objects=[gone])) == [[("gone", 0, None)]]


def test_an_object_that_is_not_given_for_now_is_left_to_its_task(
    raw: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> bytes:
        raise ObjectUnavailable("SlowDown")

    monkeypatch.setattr(raw, "read", busy)
    large = StoredObject(key="large", size=99 * MIB, etag="x")
    assert _cuts(_plan(raw, objects=[large])) == [[("large", 0, None)]]


def test_tasks_travel_by_pickle_and_the_id_is_that_of_the_content(raw: Storage) -> None:
    raw.put("a", b"\n")
    plan = _plan(raw)
    assert pickle.loads(pickle.dumps(plan.tasks)) == plan.tasks  # noqa: S301
    assert _plan(raw).batch_id == plan.batch_id
    assert len(plan.batch_id) == 32
    assert _plan(raw, parse=replace(SETTINGS, timezone="Asia/Tokyo")).batch_id != plan.batch_id


# --- one task ----------------------------------------------------------------------------------


def test_a_task_writes_events_and_rejects_and_says_so(
    raw: Storage, lake: Storage, access_lines: Lines
) -> None:
    raw.put("good.log", access_lines(3))
    raw.put("mixed.log", b"not a log line\n\n" + access_lines(1))
    plan = _plan(raw)
    tally = add_up(plan, _run(plan), raw)
    (file,) = tally.files["events"]
    assert file.path.startswith(f"events/batch_id={plan.batch_id}/part=00000-")
    assert file.path.endswith("/events.parquet")
    assert (file.rows, file.bytes) == (4, lake.stat(file.path).size)
    assert file.min_event_time == datetime(2024, 10, 10, 13, 0, 0, tzinfo=UTC)
    assert file.max_event_time == datetime(2024, 10, 10, 13, 0, 2, tzinfo=UTC)
    events = _contents(_rows(lake, tally))
    assert [row["url_path"] for row in events] == ["/page/0", "/page/1", "/page/2", "/page/0"]
    assert {row["batch_id"] for row in events} == {plan.batch_id}
    (reject,) = _contents(_rows(lake, tally, "rejects"))
    assert (reject["source_file"], reject["reason"]) == ("mixed.log", "no_match")
    mixed = tally.verdicts["mixed.log"]
    assert (mixed.lines_read, mixed.lines_ok, mixed.lines_skip, mixed.lines_reject) == (3, 1, 1, 1)


def test_no_rejects_no_file(raw: Storage, lake: Storage, access_lines: Lines) -> None:
    raw.put("good.log", access_lines(3))
    plan = _plan(raw)
    assert add_up(plan, _run(plan), raw).files["rejects"] == ()
    assert list(lake.list("rejects/")) == []


def test_each_attempt_has_a_folder_of_its_own(
    raw: Storage, lake: Storage, access_lines: Lines
) -> None:
    raw.put("good.log", access_lines(3))
    plan = _plan(raw)
    first, second = (add_up(plan, _run(plan), raw) for _ in range(2))
    assert first.files != second.files
    assert len(list(lake.list("events/"))) == 2
    assert _rows(lake, first) == _rows(lake, second)


def test_an_object_that_cannot_be_read_leaves_the_others_alone(
    raw: Storage, lake: Storage, access_lines: Lines
) -> None:
    for key in ("a", "b", "c", "d"):
        raw.put(key, access_lines(2))
    plan = _plan(raw)
    raw.delete(["b"])
    raw.put("c", access_lines(3))
    tally = add_up(plan, _run(plan), raw)
    assert set(tally.failed) == {"b", "c"}
    assert tally.failed["b"].startswith("unreadable: ")
    assert tally.failed["c"].startswith("changed_during_read: ")
    assert {row["source_file"] for row in _contents(_rows(lake, tally))} == {"a", "d"}


def test_an_empty_object_that_is_gone_has_failed(raw: Storage) -> None:
    raw.put("a", b"")
    plan = _plan(raw)
    assert add_up(plan, _run(plan), raw).verdicts["a"].file_status == "empty"
    raw.delete(["a"])
    assert add_up(plan, _run(plan), raw).verdicts["a"].file_status == "failed"


def test_rows_of_a_cut_gzip_do_not_count(raw: Storage, lake: Storage, access_lines: Lines) -> None:
    whole = gzip.compress(access_lines(1_000))
    raw.put("a.gz", whole)
    raw.put("b.gz", whole[:-9])
    raw.put("c.log", b"broken\n")
    plan = _plan(raw)
    tally = add_up(plan, _run(plan), raw)
    assert {key: verdict.file_status for key, verdict in tally.verdicts.items()} == {
        "a.gz": "ok", "b.gz": "corrupt_gzip", "c.log": "ok",
    }  # fmt: skip
    assert tally.verdicts["b.gz"].lines_read == 0
    assert {row["source_file"] for row in _contents(_rows(lake, tally))} == {"a.gz"}


def test_what_is_too_large_for_the_buffer_gets_a_file_of_its_own(
    raw: Storage, lake: Storage, access_lines: Lines
) -> None:
    large = gzip.compress(access_lines(20_000), compresslevel=1)
    raw.put("a.log", access_lines(5))
    raw.put("b.gz", large)
    raw.put("c.gz", large[:-9])
    raw.put("d.log", access_lines(7))
    plan = _plan(raw, range_bytes=32 * MIB)
    (task,) = plan.tasks
    facts = [run_task(replace(task, buffered_bytes=MIB // 2))]
    tally = add_up(plan, facts, raw)
    owners = [(file.name, file.file.rows) for file in facts[0].files]
    assert owners == [("b.gz", 20_000), (None, 12)]
    assert tally.verdicts["c.gz"].file_status == "corrupt_gzip"
    # Nothing of the corrupt object is left, not even as an orphan.
    assert {found.key for found in lake.list("events/")} == {
        file.path for file in tally.files["events"]
    }


def test_an_error_of_another_kind_leaves_no_named_file(
    raw: Storage, lake: Storage, access_lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.put("a.log", access_lines(5))

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("ingest.lake.parquet.ParquetSink.close", full)
    (task,) = _plan(raw).tasks
    with pytest.raises(OSError, match="disk full"):
        run_task(task)
    assert list(lake.list("events/")) == []


def test_of_skipped_lines_nothing_is_kept(
    raw: Storage, access_lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.put("a.log", access_lines(3) + b"\n" * (3 * CHUNK_LINES))
    raw.put("b.log", access_lines(3))  # for two objects of one task rows are kept until the end
    chunks: list[weakref.ref[pa.Table]] = []
    alive: list[int] = []

    def watched(*given: Any, **named: Any) -> Iterator[Parsed | ObjectVerdict]:
        for item in parse_object(*given, **named):
            if isinstance(item, Parsed) and item.skips.num_rows:
                alive.append(sum(chunk() is not None for chunk in chunks))
                chunks.append(weakref.ref(item.skips))
            yield item

    monkeypatch.setattr("ingest.job.task.parse_object", watched)
    (task,) = _plan(raw).tasks
    run_task(task)
    assert len(chunks) >= 3
    assert max(alive) <= 1


def test_a_worker_keeps_freed_memory(raw: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.put("a.log", b"# nothing\n")
    told: list[bool] = []
    monkeypatch.setattr("ingest.job.task.keep_freed_memory", lambda: told.append(True))
    (task,) = _plan(raw).tasks
    run_task(task)
    assert told == [True]


def test_ranges_give_what_the_whole_gives(raw: Storage, lake: Storage, access_lines: Lines) -> None:
    others = b"what is this\n" + b"\n" * 7 + (b"#" + b"x" * 60_000 + b"\n") * 22
    content = b"".join(access_lines(50, first=n, pad=n * 530 % 9770) + others for n in range(18))
    raw.put("a.log", content[:-20])
    cut, whole = _plan(raw), _plan(raw, range_bytes=64 * MIB)
    assert len(cut.tasks) >= 3
    assert len(whole.tasks) == 1
    tallies = [add_up(plan, _run(plan), raw) for plan in (cut, whole)]
    of_ranges, of_whole = (tally.verdicts["a.log"] for tally in tallies)
    assert of_ranges == of_whole
    for table in ("events", "rejects"):
        rows = [_rows(lake, tally, table) for tally in tallies]
        rows = [t.drop_columns(["batch_id", "source_line"]).sort_by("source_offset") for t in rows]
        assert rows[0].equals(rows[1])
        assert rows[0].num_rows > 0


def test_one_failed_range_voids_its_object(raw: Storage, access_lines: Lines) -> None:
    raw.put("a.log", access_lines(1_000) * 20)
    raw.put("b.log", access_lines(3))
    plan = _plan(raw, range_bytes=MIB)
    facts = _run(plan)
    raw.put("a.log", b"new")
    facts[-1] = run_task(plan.tasks[-1])
    tally = add_up(plan, facts, raw)
    assert set(tally.failed) == {"a.log"}
    assert tally.verdicts["a.log"].lines_read == 0
    assert [file.rows for file in tally.files["events"]] == [3]


# --- adding up ----------------------------------------------------------------------------------


def _range(start: int, status: str = "ok", **fields: Any) -> RangeFacts:
    verdict = ObjectVerdict(source_format="access", file_status=status, file_reason=None, **fields)
    return RangeFacts(name="a", start=start, verdict=verdict)


def test_ranges_are_added_up_in_order_of_their_bytes() -> None:
    later = NOON.replace(hour=13)
    merged = merge(
        [
            _range(8, lines_read=3, lines_ok=2, lines_skip=1, events=2, min_event_time=NOON,
                   max_event_time=later, counts={"blank": 1}, chunk_digests=(b"2", b"3")),
            _range(16),
            _range(0, "misnamed", lines_read=2, lines_warn=1, lines_reject=1, events=1,
                   min_event_time=later, max_event_time=later,
                   counts={"no_match": 1, "blank": 1}, chunk_digests=(b"1",)),
        ]
    )  # fmt: skip
    assert merged == ObjectVerdict(
        source_format="access",
        file_status="misnamed",
        file_reason=None,
        lines_read=5,
        lines_ok=2,
        lines_warn=1,
        lines_skip=1,
        lines_reject=1,
        events=3,
        min_event_time=NOON,
        max_event_time=later,
        counts={"blank": 2, "no_match": 1},
        chunk_digests=(b"1", b"2", b"3"),
    )


def test_a_long_reason_is_cut_to_its_column() -> None:
    verdict = ObjectVerdict(source_format=None, file_status="failed", file_reason="é" * 2_000)
    merged = merge([RangeFacts(name="a", start=0, verdict=verdict)])
    assert merged.file_reason == "é" * 512


def _tampered(facts: list[TaskFacts], **fields: int) -> list[TaskFacts]:
    (done,) = facts[0].ranges
    verdict = replace(done.verdict, **fields)  # type: ignore[arg-type]
    return [replace(facts[0], ranges=(replace(done, verdict=verdict),))]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lines_read": 4}, "lines of a do not balance: expected 4, found 3"),
        ({"events": 4}, "events do not balance: expected 4, found 3"),
        ({"lines_ok": 2, "lines_reject": 1}, "rejects do not balance: expected 1, found 0"),
    ],
)
def test_books_that_do_not_balance_stop_the_batch(
    raw: Storage, access_lines: Lines, fields: dict[str, int], message: str
) -> None:
    raw.put("a", access_lines(3))
    plan = _plan(raw)
    with pytest.raises(BooksError, match=message):
        add_up(plan, _tampered(_run(plan), **fields), raw)


def test_facts_that_are_missing_stop_the_batch(raw: Storage, access_lines: Lines) -> None:
    raw.put("a", access_lines(3))
    with pytest.raises(BooksError, match="ranges of the plan"):
        add_up(_plan(raw), [], raw)


def test_a_file_of_another_size_stops_the_batch(
    raw: Storage, lake: Storage, access_lines: Lines
) -> None:
    raw.put("a", access_lines(3))
    plan = _plan(raw)
    tally = add_up(plan, _run(plan), raw)
    (file,) = tally.files["events"]
    lake.put(file.path, lake.read(file.path) + b"x")
    with pytest.raises(BooksError, match="bytes of events/"):
        write_record(tally, lake, source=SOURCE, writer="me")


def test_the_record_and_its_files_table_say_the_same(
    raw: Storage, lake: Storage, access_lines: Lines
) -> None:
    raw.put("a", access_lines(3))
    raw.put("b", b"broken\n\n")
    plan = _plan(raw)
    record = write_record(add_up(plan, _run(plan), raw), lake, source=SOURCE, writer="me")
    totals = record.totals
    assert (totals.objects, totals.bytes) == (2, len(access_lines(3)) + 8)
    assert (totals.lines_read, totals.events, totals.rejects) == (5, 3, 1)
    assert totals.counts == {"blank": 1, "no_match": 1}
    (file,) = record.files["files"]
    rows = open_parquet(lake, file.path).read().to_pylist()
    assert [(row["source_file"], row["lines_read"], row["events"]) for row in rows] == [
        ("a", 3, 3), ("b", 2, 0),
    ]  # fmt: skip
    assert json.loads(rows[1]["counts"]) == {"blank": 1, "no_match": 1}
    assert [one.source_file for one in record.objects] == ["a", "b"]
    assert (record.source, record.reject_limit_ratio) == ("raw", 0.25)


def test_a_task_is_small(raw: Storage) -> None:
    raw.put("a", b"\n")
    (task,) = _plan(raw).tasks
    assert len(pickle.dumps(task)) < 2_000


def test_what_waits_ends_the_bytes_that_count() -> None:
    """The last line begins in the second of three ranges, and its end is not written yet."""
    merged = merge(
        [
            _range(0, end=8, range_digests=(b"1",)),
            _range(8, end=11, waiting_bytes=9, range_digests=(b"2",)),
            _range(16, end=16, waiting_bytes=4, range_digests=(b"3",)),
        ]
    )
    assert (merged.end, merged.waiting_bytes) == (11, 9)
    assert merged.range_digests == (b"1", b"2")
