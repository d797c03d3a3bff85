"""The log of batches: records, sealing against other writers, ownership and checkpoints."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.errors import BooksError, SettingsError, StorageError
from ingest.lake.ownership import read_ownership
from ingest.lake.records import (
    BatchRecord,
    NamedFile,
    ObjectRecord,
    Totals,
    batch_id,
    content_hash,
    is_quarantined,
    open_lake,
    read_content_hash,
    read_log,
    record_to_json,
)
from ingest.lake.seal import RETRY_SECONDS, seal
from ingest.storage import Storage, StoredObject
from ingest.storage.folder import FolderStorage

NOON = datetime(2025, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
MIB = 1 << 20


def _object(key: str, *, status: str = "ok", etag: str = "1-1", size: int = 1) -> ObjectRecord:
    return ObjectRecord(
        source_file=key,
        size=size,
        etag=etag,
        content_hash=f"hash of {key}",
        source_format="access",
        file_status=status,
        file_reason=None,
        lines_read=0,
        lines_ok=0,
        lines_warn=0,
        lines_skip=0,
        lines_reject=0,
        events=0,
    )


def _totals(*, read: int = 0, reject: int = 0) -> Totals:
    return Totals(
        objects=1,
        bytes=1,
        lines_read=read,
        lines_ok=read - reject,
        lines_warn=0,
        lines_skip=0,
        lines_reject=reject,
        events=read - reject,
        rejects=reject,
        min_event_time=NOON,
        max_event_time=None,
        counts={"no_match": reject},
    )


def _draft(
    name: str, *objects: ObjectRecord, writer: str = "me", replaces: tuple[str, ...] = ()
) -> BatchRecord:
    return BatchRecord(
        format=1,
        number=0,
        batch_id=name,
        writer=writer,
        sealed_at=NOON,
        ingest_time=NOON,
        source="raw",
        contract_version=1,
        parser_version=1,
        settings_hash="s",
        range_bytes=64 * MIB,
        replaces=replaces,
        objects=objects or (_object(f"{name}.log"),),
        files={
            "events": (NamedFile(path="events/ü", rows=1, bytes=2, min_event_time=NOON),),
            "rejects": (),
            "files": (NamedFile(path="files/x", rows=1, bytes=2),),
        },
        totals=_totals(),
    )


@pytest.fixture
def lake(tmp_path: Path) -> Storage:
    return open_lake(str(tmp_path / "lake"))


def _sealed(lake: Storage, draft: BatchRecord, *, after: int = 0) -> BatchRecord:
    record = seal(lake, draft, after=after, pause=_no_pause)
    assert record is not None
    return record


def _no_pause(_: float) -> None:
    raise AssertionError("nothing to wait for")


def test_a_record_comes_back_as_it_was_written(lake: Storage) -> None:
    record = _sealed(lake, _draft("a", _object("ü.log"), replaces=("x", "y")))
    assert record.number == 1
    assert record.sealed_at > NOON
    assert read_log(lake) == (record,)


def test_a_record_is_canonical_json(lake: Storage) -> None:
    _sealed(lake, _draft("a", _object("ü.log")))
    raw = lake.read("batches/00000000000000000001.json")
    fields = json.loads(raw)
    assert list(fields) == sorted(fields)
    assert b'"ingest_time":"2025-06-01T12:00:00.123456Z"' in raw
    assert '"source_file":"ü.log"'.encode() in raw
    assert fields["files"]["events"][0]["max_event_time"] is None


def test_read_log_after_a_number_and_of_no_lake(lake: Storage, tmp_path: Path) -> None:
    for number in range(3):
        _sealed(lake, _draft(f"b{number}"), after=number)
    assert [record.number for record in read_log(lake, after=1)] == [2, 3]
    assert read_log(lake, after=3) == ()
    assert read_log(FolderStorage(tmp_path / "none")) == ()


def test_a_hole_in_the_log_stops_the_reader(lake: Storage) -> None:
    for number in range(3):
        _sealed(lake, _draft(f"b{number}"), after=number)
    (Path(lake.uri) / "batches" / f"{2:020}.json").unlink()
    with pytest.raises(BooksError, match=f"{2:020}.json is missing"):
        read_log(lake)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"[]", b"\xff", b'{"format":1,"x":2}', b"[" * 100_000]
)
def test_what_is_no_record_stops_the_reader(lake: Storage, content: bytes) -> None:
    lake.put(f"batches/{1:020}.json", content)
    with pytest.raises(BooksError, match="not a batch record"):
        read_log(lake)


def test_a_record_with_parts_of_another_kind_stops_the_reader(lake: Storage) -> None:
    found = json.loads(record_to_json(replace(_draft("a"), number=1))) | {"files": []}
    lake.put(f"batches/{1:020}.json", json.dumps(found).encode())
    with pytest.raises(BooksError, match="not a batch record"):
        read_log(lake)


def test_a_record_under_another_number_stops_the_reader(lake: Storage) -> None:
    lake.put(f"batches/{1:020}.json", record_to_json(replace(_draft("a"), number=2)))
    with pytest.raises(BooksError, match="holds record 2"):
        read_log(lake)


def test_leftovers_of_a_crashed_writer_are_no_records(lake: Storage) -> None:
    lake.put(f"batches/.{1:020}.json.abc.tmp", b"half a rec")
    record = _sealed(lake, _draft("a"))
    assert read_log(lake) == (record,)


def test_newer_formats_are_refused(lake: Storage) -> None:
    newer = json.loads(record_to_json(replace(_draft("a"), number=1))) | {"format": 2}
    lake.put(f"batches/{1:020}.json", json.dumps(newer).encode())
    with pytest.raises(SettingsError, match="format 2"):
        read_log(lake)
    lake.put("lake.json", b'{"format": 2, "id": "x"}')
    with pytest.raises(SettingsError, match="format 2"):
        open_lake(lake.uri)
    with pytest.raises(SettingsError, match="format 2"):
        read_log(lake)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"id":"x"}'])
def test_what_is_no_lake_json_says_so(lake: Storage, content: bytes) -> None:
    lake.put("lake.json", content)
    with pytest.raises(BooksError, match=r"lake\.json: says no format"):
        open_lake(lake.uri)


def test_the_lake_keeps_its_id(lake: Storage) -> None:
    before = lake.read("lake.json")
    open_lake(lake.uri)
    assert lake.read("lake.json") == before
    assert json.loads(before)["format"] == 1


@pytest.mark.parametrize(
    ("read", "reject", "quarantined"),
    [(999, 999, False), (1_000, 10, False), (1_000, 11, True), (0, 0, False)],
)
def test_a_batch_is_held_above_the_limit(read: int, reject: int, quarantined: bool) -> None:
    record = replace(_draft("a"), totals=_totals(read=read, reject=reject))
    assert is_quarantined(record, reject_limit_ratio=0.01) is quarantined


def _plan_id(
    *entries: StoredObject, replaces: tuple[str, ...] = (), range_bytes: int = 64 * MIB
) -> str:
    return batch_id(
        entries,
        range_bytes=range_bytes,
        parser_version=1,
        contract_version=1,
        settings_hash="s",
        replaces=replaces,
    )


def test_batch_id_is_the_hash_of_the_plan() -> None:
    a, b = StoredObject(key="a", size=1, etag="x"), StoredObject(key="b", size=2, etag="y")
    text = (
        '{"contract_version":1,"objects":[["a",1,"x"],["b",2,"y"]],"parser_version":1,'
        '"range_bytes":67108864,"settings_hash":"s"}'
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:32]
    assert _plan_id(a, b) == _plan_id(b, a) == expected
    others = {_plan_id(a), _plan_id(a, b, range_bytes=8 * MIB), _plan_id(a, b, replaces=("z",))}
    assert len(others | {expected}) == 4


def test_content_hash_is_made_of_chunks(lake: Storage) -> None:
    data = os.urandom(17 * MIB)
    lake.put("raw", data)
    digests = [hashlib.sha256(data[at : at + 8 * MIB]).digest() for at in (0, 8 * MIB, 16 * MIB)]
    expected = hashlib.sha256(b"".join(digests)).hexdigest()
    assert read_content_hash(lake, lake.stat("raw")) == expected == content_hash(digests)


# --- sealing: every branch of the state machine -------------------------------------------------


def test_sealing_takes_the_next_number(lake: Storage) -> None:
    assert _sealed(lake, _draft("a")).number == 1
    assert _sealed(lake, _draft("b"), after=1).number == 2


def test_an_answer_that_was_lost_is_found_again(lake: Storage) -> None:
    first = _sealed(lake, _draft("a"))
    assert _sealed(lake, _draft("a")) == first
    assert len(read_log(lake)) == 1


def test_the_same_batch_of_another_run_stands(lake: Storage) -> None:
    other = _sealed(lake, _draft("a", writer="other"))
    assert _sealed(lake, _draft("a")) == other
    assert len(read_log(lake)) == 1


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (_draft("m", _object("x")), _draft("t", _object("x"), _object("y"), writer="other")),
        (_draft("m", _object("x", etag="2-2")), _draft("t", _object("x"), writer="other")),
        (_draft("m", replaces=("old", "b")), _draft("t", writer="other", replaces=("old",))),
    ],
    ids=["same object", "another version of it", "same replaced batch"],
)
def test_a_batch_that_shares_is_given_up(
    lake: Storage, mine: BatchRecord, theirs: BatchRecord
) -> None:
    _sealed(lake, theirs)
    assert seal(lake, mine, after=0, pause=_no_pause) is None
    assert len(read_log(lake)) == 1


def test_others_that_share_nothing_are_stepped_over(lake: Storage) -> None:
    failed = _object("x", status="failed")
    _sealed(lake, _draft("t1", writer="other"))
    _sealed(lake, _draft("t2", failed, _object("y"), writer="other"), after=1)
    assert _sealed(lake, _draft("m", _object("x"))).number == 3


class _Flaky(FolderStorage):
    """Fails `failures` times; if `late`, after it wrote."""

    def __init__(self, root: str, *, failures: int, late: bool = False) -> None:
        super().__init__(Path(root))
        self.failures = failures
        self.late = late

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.late:
            super().put_if_absent(key, data)
        if self.failures:
            self.failures -= 1
            raise StorageError("503 Slow Down")
        return super().put_if_absent(key, data)


@pytest.mark.parametrize("late", [False, True])
def test_a_busy_store_is_asked_again(lake: Storage, late: bool) -> None:
    pauses: list[float] = []
    flaky = _Flaky(lake.uri, failures=3, late=late)
    record = seal(flaky, _draft("a"), after=0, pause=pauses.append)
    assert pauses == [0.2, 0.4, 0.8]
    assert read_log(lake) == (record,)


def test_a_store_that_stays_away_ends_the_run(lake: Storage) -> None:
    pauses: list[float] = []
    flaky = _Flaky(lake.uri, failures=99)
    with pytest.raises(StorageError, match="Slow Down"):
        seal(flaky, _draft("a"), after=0, pause=pauses.append)
    assert len(pauses) == len(RETRY_SECONDS) == 10
    assert flaky.failures == 99 - 11


def _race(target: Callable[[str, int], None], lake: str, writers: int) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=target, args=(lake, writer)) for writer in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0] * writers


def _seal_ten(lake: str, writer: int) -> None:
    for index in range(10):
        draft = _draft(f"w{writer}-{index}", writer=f"w{writer}")
        assert seal(FolderStorage(Path(lake)), draft, after=0) is not None


def test_racing_processes_get_distinct_numbers_without_a_hole(lake: Storage) -> None:
    _race(_seal_ten, lake.uri, 4)
    records = read_log(lake)
    assert [record.number for record in records] == list(range(1, 41))
    assert len({record.batch_id for record in records}) == 40


def _seal_same_objects(lake: str, writer: int) -> None:
    draft = _draft(f"plan {writer % 2}", _object("a"), _object("b"), writer=f"w{writer}")
    seal(FolderStorage(Path(lake)), draft, after=0)


def test_racing_processes_with_the_same_objects_seal_them_once(lake: Storage) -> None:
    _race(_seal_same_objects, lake.uri, 4)
    assert len(read_log(lake)) == 1


# --- ownership ----------------------------------------------------------------------------------


def test_all_but_failed_objects_are_owned(lake: Storage) -> None:
    statuses = ("ok", "failed", "rejected", "corrupt_gzip", "empty")
    _sealed(lake, _draft("a", *(_object(status, status=status) for status in statuses)))
    ownership = read_ownership(lake)
    assert set(ownership.live) == set(statuses) - {"failed"}
    assert ownership.last == 1


def test_a_replaced_batch_owns_nothing_any_more(lake: Storage) -> None:
    _sealed(lake, _draft("old", _object("a"), _object("b")))
    _sealed(lake, _draft("new", _object("a", etag="9-9"), replaces=("old",)), after=1)
    ownership = read_ownership(lake)
    assert {key: owned.etag for key, owned in ownership.live.items()} == {"a": "9-9"}
    assert [owned.replaced_by for owned in ownership.ledger] == ["new", "new", None]


def test_checkpoints_are_written_and_read_and_change_nothing(lake: Storage) -> None:
    for number in range(103):
        replaces = (f"b{number - 60}",) if number >= 60 else ()
        _sealed(lake, _draft(f"b{number}", replaces=replaces), after=number)
    first = read_ownership(lake)
    assert [entry.key for entry in lake.list("checkpoints/")] == [
        f"checkpoints/{number:020}.parquet" for number in (50, 100)
    ]
    assert len(first.live) == 103 - 43
    assert first.last == 103
    for number in range(1, 101):  # what the checkpoint says need not be read again
        (Path(lake.uri) / f"batches/{number:020}.json").unlink()
    assert read_ownership(lake) == first


def test_a_broken_checkpoint_is_named_with_its_remedy(lake: Storage) -> None:
    for number in range(50):
        _sealed(lake, _draft(f"b{number}"), after=number)
    expected = read_ownership(lake)
    path = Path(lake.uri) / f"checkpoints/{50:020}.parquet"
    whole = path.read_bytes()
    for broken in (b"", b"PAR1", whole[:-10], whole[:50] + bytes(9) + whole[59:]):
        path.write_bytes(broken)
        with pytest.raises(BooksError, match=r"50\.parquet: not a checkpoint .*remove it"):
            read_ownership(lake)
    path.unlink()
    assert read_ownership(lake) == expected
