"""What is left out before logs are followed changes nothing: the oracle is to leave out nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.errors import ObjectUnreadable
from ingest.job.follow import Following, Unreadable, follow
from ingest.job.unexplained import find_unexplained
from ingest.lake import checkpoint
from ingest.lake.checkpoint import SCHEMA, open_checkpoint, put_checkpoint
from ingest.lake.identity import FINGERPRINT_BYTES, OPENING_BYTES, fingerprint
from ingest.lake.ownership import Log, Ownership
from ingest.parse.peek import Content
from ingest.storage import StoredObject, open_storage

KEYS = ("a", "a!", "a@0", "b")
# Shorter than the part that candidates are found by, longer, and longer than the whole head.
BLOCKS = (b"short\n", b"x" * 63 + b"\n", b"y" * 70 + b"\n", b"z" * 5_000 + b"\n")
contents = st.lists(st.sampled_from(BLOCKS), max_size=3).map(b"".join)


class Lying(NamedTuple):
    """What lies at a key."""

    content: bytes
    is_readable: bool = True


class Site(NamedTuple):
    """Logs of distinct names, several of which may have been at one key, and what lies there now.

    The first `old` of the logs are in a checkpoint.
    """

    logs: list[Log]
    old: int
    lying: dict[str, Lying]


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Return a site; most logs lie where they were, unchanged."""
    generations = st.sampled_from(KEYS).map("{}@3f9c0d12ab34".format)
    names = draw(st.lists(st.one_of(st.sampled_from(KEYS), generations), unique=True, max_size=6))
    logs, lying = [], {}
    for placed, name in enumerate(names, 1):
        key = draw(st.sampled_from((name.removesuffix("@3f9c0d12ab34"), *KEYS)))
        done, waiting = draw(contents), draw(st.sampled_from((b"", b"", b"", b"half")))
        logs.append(_log(name, key, placed, done, waiting))
        lying[key] = Lying(done + waiting)
    others = st.builds(Lying, contents, st.sampled_from((True, True, True, False)))
    lying |= draw(st.dictionaries(st.sampled_from(KEYS), others, max_size=2))
    for key in draw(st.sets(st.sampled_from(KEYS), max_size=2)):
        lying.pop(key, None)
    return Site(logs, draw(st.integers(0, len(logs))), lying)


def _log(name: str, key: str, placed: int, done: bytes, waiting: bytes = b"") -> Log:
    content = done + waiting
    return Log(
        name=name,
        source="web",
        key=key,
        size=len(content),
        etag=_etag(content),
        placed=placed,
        consumed=len(done),
        waiting_bytes=len(waiting),
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


def _etag(content: bytes) -> str:
    return fingerprint(content)[:8]


def _in_a_checkpoint(known: Iterable[Log], newer: Iterable[Log]) -> Ownership:
    """Return the ledger of all these, with those that are not `newer` in groups of two rows."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(checkpoint, "_GROUP_ROWS", 2):
        lake = open_storage(folder)
        tables = (Ownership(newer={log.name: log}).tables(SCHEMA.names) for log in known)
        put_checkpoint(lake, 1, (table for one in tables for table in one))
        opened = open_checkpoint(lake)
    return Ownership(last=2, checkpoint=opened, newer={log.name: log for log in newer})


def _looks(lying: dict[str, Lying]) -> Callable[[StoredObject], Content]:
    @cache
    def look(found: StoredObject) -> Content:
        def read(start: int, end: int) -> bytes:
            if not lying[found.key].is_readable:
                raise ObjectUnreadable("denied")
            return lying[found.key].content[start:end]

        return Content(read, found.size)

    return look


def _meaning(found: Following, unreadable: Iterable[Unreadable] = ()) -> list[object]:
    return [
        sorted((one.found.key, one.log.name, one.length) for one in found.continued),
        sorted((one.found.key, one.name) for one in found.new),
        sorted((one.found.key, one.original) for one in found.copies),
        sorted((one.found.key, one.log.name) for one in found.questions),
        sorted(one.found.key for one in (*found.unreadable, *unreadable)),
    ]


_ONE, _TWO = BLOCKS[2], BLOCKS[2] + BLOCKS[3]
# The beginning of a log that lies where it was, and the content of an older generation again.
_COPY = Site([_log("b", "b", 1, _TWO)], 1, {"b": Lying(_TWO), "a": Lying(_ONE)})
_OLDER = Site(
    [_log("a", "a", 1, _ONE), _log("a@3f9c0d12ab34", "a", 2, _TWO)], 2, {"a": Lying(_ONE)}
)


@example(site=_COPY, rotation=True, accept_copies=False, as_new=set(), later=set())
@example(site=_OLDER, rotation=False, accept_copies=False, as_new=set(), later=set())
@settings(max_examples=400, deadline=None)
@given(
    site=sites(),
    rotation=st.sampled_from((True, True, False)),
    accept_copies=st.sampled_from((False, False, True)),
    as_new=st.sets(st.sampled_from(KEYS)),
    later=st.sets(st.sampled_from(KEYS)),
)
def test_what_is_left_out_changes_nothing(
    site: Site, rotation: bool, accept_copies: bool, as_new: set[str], later: set[str]
) -> None:
    known, lying = site.logs, site.lying
    objects = {
        key: StoredObject(key=key, size=len(one.content), etag=_etag(one.content))
        for key, one in lying.items()
    }

    def followed(objects: Iterable[StoredObject], known: Iterable[Log]) -> Following:
        return follow(
            objects,
            list(known),
            look=_looks(lying),
            begins_after=lambda found, _: found.key in later,
            name_of=str,
            rotation=rotation,
            accept_copies=accept_copies,
            as_new=as_new,
        )

    left = find_unexplained(
        objects,
        _in_a_checkpoint(known[: site.old], known[site.old :]),
        look=_looks(lying),
        name_of=str,
        rotation=rotation,
    )
    assert _meaning(followed(left.objects, left.logs), left.unreadable) == _meaning(
        followed(objects.values(), known)
    )
