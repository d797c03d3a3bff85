"""The lake and its log of batches: made once, read by all, and never silently wrong."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.records import MIB, NOON, make_draft, raw_object, sealed
from fixtures.storage import MemoryStorage

from ingest.errors import BooksError, SettingsError, StorageError
from ingest.lake.identity import batch_id, content_hash, read_content_hash
from ingest.lake.ownership import read_ownership
from ingest.lake.records import (
    LAKE_FORMAT,
    create_lake,
    lake_id,
    open_lake,
    read_log,
    record_key,
    record_to_json,
)
from ingest.storage import SCHEMES, Storage, StoredObject


def test_a_record_comes_back_as_it_was_written(lake: Storage) -> None:
    record = sealed(lake, make_draft("a", raw_object("ü.log"), replaces=("x", "y")))
    assert record.number == 1
    assert record.sealed_at > NOON
    assert read_log(lake) == (record,)


def test_a_record_is_canonical_json(lake: Storage) -> None:
    sealed(lake, make_draft("a", raw_object("ü.log")))
    raw = lake.read("batches/00000000000000000001.json")
    fields = json.loads(raw)
    assert list(fields) == sorted(fields)
    assert b'"ingest_time":"2025-06-01T12:00:00.123456Z"' in raw
    assert '"source_file":"ü.log"'.encode() in raw
    assert fields["files"]["events"][0]["max_event_time"] is None


def test_read_log_after_a_number_and_of_no_lake(
    lake: Storage, in_memory: Callable[[str], Storage]
) -> None:
    for number in range(3):
        sealed(lake, make_draft(f"b{number}"), after=number)
    assert [record.number for record in read_log(lake, after=1)] == [2, 3]
    assert read_log(lake, after=3) == ()
    assert read_log(in_memory("none")) == ()


def test_a_hole_in_the_log_stops_the_reader(lake: Storage) -> None:
    for number in range(3):
        sealed(lake, make_draft(f"b{number}"), after=number)
    lake.delete([record_key(2)])
    with pytest.raises(BooksError, match=f"{2:020}.json is missing"):
        read_log(lake)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"{}", b"[]", b"\xff", b'{"format":1,"x":2}', b"[" * 100_000]
)
def test_what_is_not_a_record_stops_the_reader(lake: Storage, content: bytes) -> None:
    lake.put(f"batches/{1:020}.json", content)
    with pytest.raises(BooksError, match="not a batch record"):
        read_log(lake)


def test_a_record_with_parts_of_another_kind_stops_the_reader(lake: Storage) -> None:
    found = json.loads(record_to_json(replace(make_draft("a"), number=1))) | {"files": []}
    lake.put(f"batches/{1:020}.json", json.dumps(found).encode())
    with pytest.raises(BooksError, match="not a batch record"):
        read_log(lake)


def test_a_record_under_another_number_stops_the_reader(lake: Storage) -> None:
    lake.put(f"batches/{1:020}.json", record_to_json(replace(make_draft("a"), number=2)))
    with pytest.raises(BooksError, match="holds record 2"):
        read_log(lake)


def test_leftovers_of_a_crashed_writer_are_no_records(lake: Storage) -> None:
    lake.put(f"batches/.{1:020}.json.abc.tmp", b"half a rec")
    record = sealed(lake, make_draft("a"))
    assert read_log(lake) == (record,)


@pytest.mark.parametrize(
    ("number", "remedy"), [(1, "delete it, and the folders"), (3, "use a newer clickstream")]
)
def test_other_formats_are_refused(lake: Storage, number: int, remedy: str) -> None:
    other = json.loads(record_to_json(replace(make_draft("a"), number=1))) | {"format": number}
    lake.put(f"batches/{1:020}.json", json.dumps(other).encode())
    with pytest.raises(SettingsError, match=f"format {number}.* reads format 2"):
        read_log(lake)
    lake.put("lake.json", b'{"format": %d, "id": "x"}' % number)
    for opened in (open_lake, create_lake):
        with pytest.raises(SettingsError, match=f"format {number}.*{remedy}"):
            opened(lake.uri)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"id":"x"}'])
def test_an_invalid_lake_json_is_reported(lake: Storage, content: bytes) -> None:
    lake.put("lake.json", content)
    for opened in (open_lake, create_lake):
        with pytest.raises(BooksError, match=r"lake\.json has no valid format field"):
            opened(lake.uri)


def test_the_lake_keeps_its_id(lake: Storage) -> None:
    content = json.loads(lake.read("lake.json"))
    assert content["format"] == LAKE_FORMAT
    for opened in (open_lake, create_lake):
        assert lake_id(opened(lake.uri)) == content["id"]
    lake.put("lake.json", b'{"format": 2}')
    with pytest.raises(BooksError, match=r"lake\.json has no valid id field"):
        lake_id(lake)


def test_readers_take_a_missing_lake_for_an_empty_one_and_make_none(
    in_memory: Callable[[str], Storage],
) -> None:
    store = in_memory("none")
    lake = open_lake(store.uri)
    assert (read_log(lake), lake_id(lake), read_ownership(lake).logs) == ((), "", {})
    with pytest.raises(SettingsError, match=rf"no lake at {store.uri}: run `clickstream ingest`"):
        open_lake(store.uri, must_exist=True)
    assert list(store.list()) == []
    create_lake(store.uri)
    assert lake_id(open_lake(store.uri, must_exist=True))


def test_records_without_the_lake_json_are_no_lake(lake: Storage) -> None:
    sealed(lake, make_draft("a"))
    lake.delete(["lake.json"])
    for must_exist in (False, True):
        with pytest.raises(BooksError, match=r"lake\.json is missing .* export --recreate"):
            open_lake(lake.uri, must_exist=must_exist)
    assert lake_id(create_lake(lake.uri))  # the remedy
    assert len(read_log(open_lake(lake.uri))) == 1


class _Denied(MemoryStorage):
    """A lake of which the folder `folder` may not be listed."""

    def __init__(self, folder: str) -> None:
        super().__init__("memory://denied", Path("not used"))
        self._folder = folder

    def list(
        self,
        prefix: str = "",  # noqa: ARG002
        *,
        after: str = "",  # noqa: ARG002
    ) -> Iterator[StoredObject]:
        yield StoredObject(key=self._folder, size=0, etag="", problem="Permission denied")


@pytest.mark.parametrize("denied", ["", "batches/"])
def test_a_folder_that_is_denied_is_not_an_empty_log(denied: str) -> None:
    with pytest.raises(StorageError, match=rf"/{denied}: Permission denied"):
        read_log(_Denied(denied))


def test_a_lake_that_is_denied_is_not_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMES, "denied", lambda _: _Denied(""))
    with pytest.raises(StorageError, match="Permission denied"):
        open_lake("denied://lake")


def _plan_id(
    *readings: tuple[str, int], replaces: tuple[str, ...] = (), range_bytes: int = 64 * MIB
) -> str:
    return batch_id(
        readings,
        range_bytes=range_bytes,
        parser_version=1,
        contract_version=1,
        settings_hash="s",
        replaces=replaces,
    )


def test_batch_id_is_the_hash_of_the_plan() -> None:
    a, b = ("a", 1), ("b", 2)
    text = (
        '{"contract_version":1,"moves":[],"parser_version":1,"range_bytes":67108864,'
        '"readings":[["a",1],["b",2]],"settings_hash":"s"}'
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


@pytest.mark.parametrize("table", ["totals", "objects"])
def test_a_record_without_a_count_stops_the_reader(lake: Storage, table: str) -> None:
    """What is missing must not pass for 0."""
    record = sealed(lake, make_draft("a", raw_object("a.log")))
    fields = json.loads(record_to_json(record))
    del (fields["totals"] if table == "totals" else fields["objects"][0])["lines_reject"]
    lake.put(record_key(1), json.dumps(fields).encode())

    with pytest.raises(BooksError, match=r"not a batch record .*lines_reject"):
        read_log(lake)


@pytest.mark.parametrize("count", ["x", None, 1.5])
def test_a_count_that_is_no_number_stops_the_reader(lake: Storage, count: object) -> None:
    record = sealed(lake, make_draft("a", raw_object("a.log")))
    fields = json.loads(record_to_json(record))
    fields["totals"]["events"] = count
    lake.put(record_key(1), json.dumps(fields).encode())

    with pytest.raises(BooksError, match=r"not a batch record .*events"):
        read_log(lake)
