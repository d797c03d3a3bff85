"""An acceptance is written once, in the lake, and by an id that cannot be meant for another."""

from __future__ import annotations

import getpass
import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fixtures.records import make_draft
from fixtures.storage import MemoryStorage

from ingest.errors import BooksError, SettingsError, StorageError
from ingest.lake.accepted import (
    accepted_ids,
    find_batches,
    read_acceptance,
    record_acceptances,
)
from ingest.storage import Storage, StoredObject

ONE, TWO, THREE = "0123456789abcdef", "0123456fffffffff", "89abcdef01234567"
RECORDS = [make_draft(name) for name in (ONE, TWO, THREE)]


def test_an_acceptance_says_who_and_when(lake: Storage) -> None:
    before = datetime.now(UTC)
    record_acceptances(lake, [ONE])

    found = read_acceptance(lake, ONE)

    assert accepted_ids(lake) == {ONE}
    assert (found.batch_id, found.who) == (ONE, f"{getpass.getuser()}@{socket.gethostname()}")
    assert before <= found.at <= datetime.now(UTC)
    assert json.loads(lake.read(f"accepted/{ONE}.json"))["at"].endswith("Z")


def test_accepting_twice_keeps_the_first(lake: Storage) -> None:
    record_acceptances(lake, [ONE])
    first = lake.read(f"accepted/{ONE}.json")
    record_acceptances(lake, [ONE, TWO])

    assert lake.read(f"accepted/{ONE}.json") == first
    assert accepted_ids(lake) == {ONE, TWO}


def test_a_user_without_a_name_is_a_number(lake: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", no_name)
    record_acceptances(lake, [ONE])

    assert re.fullmatch(r"\d+@.+", read_acceptance(lake, ONE).who)


def test_what_a_crashed_writer_left_is_not_an_acceptance(lake: Storage) -> None:
    lake.put(f"accepted/.{ONE}.json.abc.tmp", b"{")
    assert accepted_ids(lake) == frozenset()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"who": "x"}', b'{"at": 3}'])
def test_a_broken_acceptance_is_named(lake: Storage, content: bytes) -> None:
    lake.put(f"accepted/{ONE}.json", content)
    with pytest.raises(BooksError, match=rf"accepted/{ONE}\.json: not an acceptance"):
        read_acceptance(lake, ONE)


def test_a_folder_that_is_denied_is_not_an_empty_one() -> None:
    """Otherwise accepted batches would leave the tables."""

    class Denied(MemoryStorage):
        def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:  # noqa: ARG002
            yield StoredObject(key="accepted/", size=0, etag="", problem="Permission denied")

    with pytest.raises(StorageError, match="accepted/: Permission denied"):
        accepted_ids(Denied("memory://denied", Path("not used")))


def test_a_batch_is_named_by_its_id_or_its_first_digits() -> None:
    assert find_batches(RECORDS, [ONE, TWO[:8], THREE[:6]]) == (ONE, TWO, THREE)
    assert find_batches([make_draft("a"), make_draft("ab")], ["a"]) == ("a",)
    assert find_batches(RECORDS, []) == ()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("ffffffff", "--accept ffffffff: the lake has no such batch"),
        (THREE[:5], f"--accept {THREE[:5]}: .*give at least the first 6 digits"),
        (ONE[:6], f"--accept {ONE[:6]}: 2 batches begin with it"),
        ("", "no such batch"),
    ],
)
def test_what_names_no_batch_or_several_is_refused(given: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        find_batches(RECORDS, [THREE, given])
    with pytest.raises(SettingsError, match=problem.replace("--accept", "--batch")):
        find_batches(RECORDS, [THREE, given], option="--batch")
