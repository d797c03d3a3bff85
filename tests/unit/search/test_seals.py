"""What the lake records of an export."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.errors import BooksError
from ingest.search.seals import Seal, read_seals, targets, write_seal
from ingest.storage import Storage

NOW = datetime(2026, 1, 1, 12, 0, 0, 1, tzinfo=UTC)


def _seal(number: int, *, revision: int = 1, indexed: int = 10) -> Seal:
    return Seal(
        number=number, batch_id=f"b{number}", revision=revision, target={"index": "i"},
        contract_version=1, events=10, indexed=indexed, newer=0, dead=10 - indexed,
        indices={"i": indexed}, dead_files=("exports/t/dead/x",), swept={"b0": 3}, started_at=NOW,
        finished_at=NOW, requests=1, retries=0, bytes=1, writer="w",
    )  # fmt: skip


def test_no_seals(lake: Storage) -> None:
    assert (targets(lake), read_seals(lake, "t")) == ([], {})


def test_a_seal_comes_back_as_it_was_written(lake: Storage) -> None:
    write_seal(lake, "t", _seal(1))
    assert read_seals(lake, "t") == {"b1": _seal(1)}


def test_targets_do_not_mix(lake: Storage) -> None:
    write_seal(lake, "one", _seal(1))
    write_seal(lake, "two", _seal(2))
    assert targets(lake) == ["one", "two"]
    assert list(read_seals(lake, "two")) == ["b2"]


def test_the_highest_revision_counts_by_number_and_not_by_text(lake: Storage) -> None:
    for revision in (1, 9, 10):
        write_seal(lake, "t", _seal(1, revision=revision, indexed=revision))
    assert read_seals(lake, "t")["b1"].indexed == 10


def test_the_first_of_a_revision_stays(lake: Storage) -> None:
    for indexed in (10, 9):
        write_seal(lake, "t", _seal(1, indexed=indexed))
    assert read_seals(lake, "t")["b1"].indexed == 10


def test_dead_letters_beside_the_seals_are_not_seals(lake: Storage) -> None:
    lake.put(f"exports/t/dead/{1:020}-00000-abc.ndjson.gz", b"letters")
    assert (targets(lake), read_seals(lake, "t")) == (["t"], {})


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"started_at":"x"}'])
def test_an_invalid_seal_stops_the_reader(lake: Storage, content: bytes) -> None:
    lake.put(f"exports/t/{1:020}-1.json", content)
    with pytest.raises(BooksError, match=r"-1\.json is not a valid export seal"):
        read_seals(lake, "t")
