"""Which log an object continues: by content, whatever its name, time or compression."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from fixtures.packs import PACKS, SUFFIXES, each_kind

from ingest.errors import ObjectUnreadable
from ingest.job.follow import Following, follow
from ingest.lake.identity import FINGERPRINT_BYTES, OPENING_BYTES, fingerprint
from ingest.lake.ownership import Log
from ingest.parse.peek import Content
from ingest.storage import StoredObject


def text(name: str, lines: int, *, first: int = 0) -> bytes:
    """Return lines that no other name has."""
    return b"".join(
        f"192.0.2.1 - - [10/Oct/2024:13:00:00 +0000] GET /{name}/{number} 200\n".encode()
        for number in range(first, first + lines)
    )


class Denied(bytes):
    """Stored bytes that nobody may read."""


class Vanishing(bytes):
    """Stored bytes that are gone after some reads."""

    reads_left: int


@dataclass
class Place:
    """A source: what was sealed of it, and what lies in it now."""

    logs: dict[str, Log] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    later: frozenset[str] = frozenset()

    def sealed(self, key: str, data: bytes, *, name: str = "", waiting: int = 0) -> None:
        """Have `data`, but for what waits, consumed as the log at `key`."""
        name = name or key
        done = data[: len(data) - waiting]
        self.logs[name] = Log(
            name=name,
            source="web",
            key=key,
            size=len(data),
            etag=_etag(data),
            placed=len(self.logs) + 1,
            consumed=len(done),
            waiting_bytes=waiting,
            lines=done.count(b"\n"),
            opening=fingerprint(done[:OPENING_BYTES]) if done else None,
            head=fingerprint(done[:FINGERPRINT_BYTES]) if done else None,
            tail=fingerprint(done[-FINGERPRINT_BYTES:]) if done else None,
            content_hash=None,
            source_format="access",
            min_event_time=None,
            max_event_time=None,
            batches=("b",),
        )

    def now(self, contents: Mapping[str, bytes], **options: Any) -> Following:
        """Follow what lies there now."""

        @cache
        def look(found: StoredObject) -> Content:
            def read(start: int, end: int) -> bytes:
                self.reads.append(found.key)
                if isinstance(contents[found.key], Denied):
                    raise ObjectUnreadable("denied")
                if isinstance(data := contents[found.key], Vanishing):
                    data.reads_left -= 1
                    if data.reads_left < 0:
                        raise ObjectUnreadable("gone")
                return contents[found.key][start:end]

            return Content(read, found.size)

        return follow(
            [
                StoredObject(key=key, size=len(data), etag=_etag(data))
                for key, data in contents.items()
            ],
            list(self.logs.values()),
            look=look,
            name_of=lambda key: key,
            **{
                "rotation": True,
                "begins_after": lambda found, _: found.key in self.later,
                **options,
            },
        )


def _etag(data: bytes) -> str:
    return fingerprint(data)[:8]


def continued(found: Following) -> dict[str, str]:
    """Return key -> the log that it continues."""
    return {one.found.key: one.log.name for one in found.continued}


def new(found: Following) -> dict[str, str]:
    """Return key -> the name of the new log."""
    return {one.found.key: one.name for one in found.new}


def copies(found: Following) -> dict[str, str]:
    return {one.found.key: one.original for one in found.copies}


A, B, C = text("a", 200), text("b", 3), text("c", 3)


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_first_listing_is_all_new(place: Place) -> None:
    assert new(place.now({"access.log": A, "access.log.1": B})) == {
        "access.log": "access.log",
        "access.log.1": "access.log.1",
    }


def test_what_lies_unchanged_is_not_even_opened(place: Place) -> None:
    place.sealed("access.log", A)
    found = place.now({"access.log": A})
    assert found == Following()
    assert place.reads == []


@pytest.mark.parametrize("data", [A, B])
def test_growth_continues_the_log(place: Place, data: bytes) -> None:
    place.sealed("access.log", data)
    (one,) = place.now({"access.log": data + C}).continued
    assert (one.log.name, one.length) == ("access.log", len(data + C))


def test_numbered_rotation_moves_every_log(place: Place) -> None:
    for key, data in {"access.log": A, "access.log.1": B, "access.log.2": C}.items():
        place.sealed(key, data)
    place.later = frozenset(("access.log",))
    found = place.now(
        {"access.log": text("d", 2), "access.log.1": A + text("a", 1, first=200), "access.log.2": B}
    )
    assert continued(found) == {"access.log.1": "access.log", "access.log.2": "access.log.1"}
    assert new(found) == {"access.log": f"access.log@{fingerprint(text('d', 2))[:12]}"}
    assert [log.name for log in found.missing] == ["access.log.2"]


def test_a_new_log_in_place_of_a_moved_one_needs_no_times(place: Place) -> None:
    place.sealed("access.log", A)
    found = place.now({"access.log": B, "old.log": A})
    assert continued(found) == {"old.log": "access.log"}
    assert list(new(found)) == ["access.log"]


def test_truncation_in_place_is_known_by_its_times(place: Place) -> None:
    place.sealed("access.log", A)
    place.later = frozenset(("access.log",))
    assert list(new(place.now({"access.log": B}))) == ["access.log"]


@pytest.mark.parametrize("data", [B, A[:-10] + b"corrected\n", A[: len(A) // 2]])
def test_another_content_that_is_not_later_is_asked_about(place: Place, data: bytes) -> None:
    place.sealed("access.log", A)
    found = place.now({"access.log": data, "other.log": C})
    assert [(one.found.key, one.log.name) for one in found.questions] == [
        ("access.log", "access.log")
    ]
    assert list(new(found)) == ["other.log"]


def test_the_answer_as_new_makes_it_another_log(place: Place) -> None:
    place.sealed("access.log", A)
    found = place.now({"access.log": B}, as_new={"access.log"})
    assert list(new(found)) == ["access.log"]
    assert (found.questions, found.continued) == ([], [])


def test_the_answer_as_new_counts_only_where_something_is_asked(place: Place) -> None:
    """So the same command may be repeated after the log has grown."""
    place.sealed("access.log", A)
    found = place.now({"access.log": A + B}, as_new={"access.log"})
    assert continued(found) == {"access.log": "access.log"}
    assert not found.new


def test_a_line_that_waited_is_looked_at_again(place: Place) -> None:
    place.sealed("access.log", A + b"half", waiting=4)
    assert continued(place.now({"access.log": A + b"half"})) == {"access.log": "access.log"}


def test_without_rotation_only_the_own_key_counts(place: Place) -> None:
    place.sealed("2024/a.log", A)
    found = place.now({"2024/a.log": A + B, "2024/b.log": A}, rotation=False)
    assert continued(found) == {"2024/a.log": "2024/a.log"}
    assert new(found) == {"2024/b.log": "2024/b.log"}


def test_without_rotation_new_keys_are_not_even_opened(place: Place) -> None:
    """S3 has thousands of them a day, and a request for each would be made by the driver."""
    place.sealed("a.log", A)
    assert new(place.now({"a.log": A, "b.log": B, "c.log": C}, rotation=False)) == {
        "b.log": "b.log",
        "c.log": "c.log",
    }
    assert place.reads == []


@pytest.mark.parametrize("data", [A, B, A[: 70 * 3], A[: 70 * 100], B[:63]])
def test_a_copy_of_all_or_of_the_beginning_is_set_apart(place: Place, data: bytes) -> None:
    original = A if A.startswith(data) else B
    place.sealed("access.log", original)
    # Only what has its first 64 bytes in common is found to be the beginning.
    expected = {"copy.log": "access.log"} if len(data) >= OPENING_BYTES else {}
    assert copies(place.now({"access.log": original, "copy.log": data})) == expected


def test_of_two_equal_new_objects_the_first_key_is_the_log(place: Place) -> None:
    found = place.now({"access.log": A, "access.log.gz": gzip.compress(A), "b.log": A[:7_000]})
    assert list(new(found)) == ["access.log"]
    assert copies(found) == {"access.log.gz": "access.log", "b.log": "access.log"}


def test_a_moved_log_that_was_copied_goes_on_in_the_longer_one(place: Place) -> None:
    place.sealed("access.log", A)
    found = place.now({"a.copy": A, "access.log.1": A + B})
    assert continued(found) == {"access.log.1": "access.log"}
    assert copies(found) == {"a.copy": "access.log.1"}


def test_copies_count_where_that_is_wanted(place: Place) -> None:
    place.sealed("access.log", A)
    found = place.now({"access.log": A, "copy.log": A}, accept_copies=True)
    assert new(found) == {"copy.log": "copy.log"}


def test_the_longest_of_two_logs_that_fit_goes_on(place: Place) -> None:
    place.sealed("gone.log", A)
    place.sealed("gone.log.1", A + B)
    assert continued(place.now({"back.log": A + B + C})) == {"back.log": "gone.log.1"}


def test_an_empty_log_is_known_by_its_key_only(place: Place) -> None:
    place.sealed("access.log", b"")
    place.sealed("old.log", A)
    found = place.now({"access.log": B, "moved.log": A})
    assert continued(found) == {"access.log": "access.log", "moved.log": "old.log"}


def test_what_was_refused_at_a_key_may_turn_out_to_be_a_moved_log(place: Place) -> None:
    """While gzip runs, half a file lies under the new name; then it is the old log."""
    place.sealed("access.log.1", A)
    place.sealed("access.log.1.gz", b"")
    assert continued(place.now({"access.log.1.gz": A})) == {"access.log.1.gz": "access.log.1"}


def test_an_empty_new_generation_waits_for_a_line(place: Place) -> None:
    place.sealed("access.log", A)
    found = place.now({"access.log": b"", "access.log.1": A})
    assert continued(found) == {"access.log.1": "access.log"}
    assert (found.new, found.questions) == ([], [])


def test_generations_with_the_same_beginning_have_names_of_their_own(place: Place) -> None:
    for _ in range(3):
        place.later = frozenset(("access.log",))
        (one,) = place.now({"access.log": B}).new
        place.sealed("access.log", C, name=one.name)
    digest = fingerprint(B)[:12]
    assert list(place.logs) == ["access.log", f"access.log@{digest}", f"access.log@{digest}-2"]


@each_kind
def test_a_log_that_logrotate_compresses_goes_on(place: Place, kind: str) -> None:
    place.sealed("access.log", A)
    packed, key = PACKS[kind](A + B), f"access.log.1{SUFFIXES[kind]}"
    found = place.now({key: packed})
    assert continued(found) == {key: "access.log"}
    assert (found.continued[0].length, found.continued[0].is_compressed) == (len(A + B), True)


@each_kind
def test_damaged_content_continues_nothing(place: Place, kind: str) -> None:
    place.sealed("access.log.1", A)
    key = f"access.log.1{SUFFIXES[kind]}"
    assert new(place.now({key: PACKS[kind](A)[:-9]})) == {key: key}


def test_what_cannot_be_looked_at_is_named(place: Place) -> None:
    place.sealed("access.log", A)
    found = place.now({"access.log": Denied(B), "other.log": C})
    assert [(one.found.key, one.reason) for one in found.unreadable] == [("access.log", "denied")]
    assert new(found) == {"other.log": "other.log"}


def test_what_fails_when_its_times_are_read_is_named(place: Place) -> None:
    def begins_after(*_: object) -> bool:
        raise ObjectUnreadable("gone")

    place.sealed("access.log", A)
    found = place.now({"access.log": B, "other.log": C}, begins_after=begins_after)
    assert [(one.found.key, one.reason) for one in found.unreadable] == [("access.log", "gone")]
    assert (new(found), found.questions) == ({"other.log": "other.log"}, [])


@pytest.mark.parametrize("rotation", [True, False])
@pytest.mark.parametrize("readable", range(4))
@pytest.mark.parametrize("known", [C, b""], ids=["a log is known", "none is"])
def test_an_object_may_become_unreadable_at_any_moment(
    place: Place, rotation: bool, readable: int, known: bytes
) -> None:
    """As when it is renamed or deleted after it was listed."""
    place.sealed("gone.log", known)
    gone = Vanishing(B)
    gone.reads_left = readable
    found = place.now({"a.log": A, "b.log": gone, "b.log.1": B + C}, rotation=rotation)
    if readable == 0 and rotation:  # without it nobody looks before the task
        assert [one.found.key for one in found.unreadable] == ["b.log"]
    named = [*new(found), *copies(found), *(one.found.key for one in found.unreadable)]
    assert sorted(named) == ["a.log", "b.log", "b.log.1"]


def test_holes_look_alike_and_are_told_apart_by_what_follows(place: Place) -> None:
    hole = bytes(2 * FINGERPRINT_BYTES)
    place.sealed("access.log", hole + B)
    place.later = frozenset({"access.log"})
    found = place.now({"access.log": hole + C, "access.log.1": hole + B})
    assert continued(found) == {"access.log.1": "access.log"}
    assert [one.found.key for one in found.new] == ["access.log"]
    assert (found.questions, found.copies) == ([], [])


def test_a_hole_that_was_read_before_its_first_line_goes_on(place: Place) -> None:
    hole = bytes(2 * FINGERPRINT_BYTES)
    place.sealed("access.log", hole)
    (one,) = place.now({"access.log": hole + B}).continued
    assert (one.log.name, one.length) == ("access.log", len(hole + B))
