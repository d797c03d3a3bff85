"""Hop 1 for one source: what a listing means, as readings, moves and what is only reported."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial

from ingest.errors import ObjectError
from ingest.job.copies import split_copies
from ingest.job.discover import Duplicate, Failed, Listing, log_name
from ingest.job.follow import Continued, New, Question, follow
from ingest.job.readings import Move, Reading
from ingest.job.unexplained import find_unexplained
from ingest.lake.ownership import Log, Ownership
from ingest.parse.peek import Content
from ingest.storage import Storage, StoredObject

# Lines of a request are written when it ends: a new log may begin a little before the old one's
# last line. The larger the old log's span, the more of it is allowed.
_OVERLAP = timedelta(hours=1)
# What waits is looked at here, without a task, as long as it is no more than this.
_WAITING_BYTES = 64 << 10


@dataclass(slots=True, kw_only=True)
class Discovered:
    """What is to be done about a listing. `waiting` maps keys to bytes without a line end."""

    readings: list[Reading] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    copies: list[Duplicate] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user said about this run: see `clickstream ingest --help`.

    What lies at `settled_keys` in place of a log is left alone: a replay reads it next.
    """

    accept_duplicates: bool = False
    as_new: frozenset[str] = frozenset()
    final: bool = False
    settled_keys: frozenset[str] = frozenset()


def discover(
    listing: Listing,
    ownership: Ownership,
    *,
    configured: Collection[str],
    wishes: Wishes,
    now: datetime,
    look: Callable[[StoredObject], Content],
    earliest_time: Callable[[StoredObject], datetime | None],
) -> Discovered:
    """Return what `listing` means for the logs that `ownership` knows.

    `configured` are the names of all sources: logs of a source that was renamed are found again.
    `look` gives the content of an object, `earliest_time` the first time in its first 64 KiB.
    """
    source = listing.source
    look, earliest_time = cache(look), cache(earliest_time)

    def begins_after(found: StoredObject, log: Log) -> bool:
        first, last = earliest_time(found), log.max_event_time
        if first is None or last is None or log.min_event_time is None:
            return False
        return first >= last - min(_OVERLAP, (last - log.min_event_time) / 2)

    name_of = partial(log_name, source, listing.root)
    # The logs of the source, and those of sources that are configured no more.
    known = ownership.without_sources({*configured} - {source.name})
    unexplained = find_unexplained(
        listing.objects, known, look=look, name_of=name_of, rotation=source.rotation
    )
    following = follow(
        unexplained.objects,
        unexplained.logs,
        look=look,
        begins_after=begins_after,
        name_of=name_of,
        rotation=source.rotation,
        accept_copies=wishes.accept_duplicates,
        as_new=wishes.as_new,
    )
    if not source.rotation and not wishes.accept_duplicates:
        following.new, following.copies, unavailable = split_copies(
            following.new, known, listing.root
        )
        following.unreadable += unavailable
    result = Discovered(failed=[*listing.failed])
    settled = now - timedelta(minutes=source.settle_minutes)
    places = {log.key for log in unexplained.logs}
    for new in following.new:
        if new.found.key in wishes.settled_keys and new.found.key in places:
            continue
        result.readings.append(_from_start(new, final=_is_final(new.found, settled, wishes)))
    for one in following.continued:
        _continue(one, result, listing.root, final=_is_final(one.found, settled, wishes))
    result.copies += [Duplicate(key=c.found.key, original=c.original) for c in following.copies]
    result.failed += [
        Failed(key=one.found.key, reason=one.reason)
        for one in (*unexplained.unreadable, *following.unreadable)
    ]
    result.failed += [
        Failed(key=question.found.key, reason=_ask(question, source.name))
        for question in following.questions
        if question.found.key not in wishes.settled_keys
    ]
    return result


def _is_final(found: StoredObject, settled: datetime, wishes: Wishes) -> bool:
    """Return whether a last line without its end is taken as it is."""
    return wishes.final or found.is_settled(settled)


def _from_start(new: New, *, final: bool) -> Reading:
    return Reading(name=new.name, found=new.found, final=final)


def _continue(one: Continued, result: Discovered, root: Storage, *, final: bool) -> None:
    log, found = one.log, one.found
    if log.consumed and one.length == log.consumed:
        result.moves.append(Move(log=log, found=found))
        return
    waiting = 0 if one.length is None else one.length - log.consumed
    if waiting and not final and _has_no_line_end(root, one, waiting):
        result.waiting[found.key] = waiting
        if found.key != log.key:
            result.moves.append(Move(log=log, found=found, waiting_bytes=waiting))
        return
    result.readings.append(
        Reading(
            name=log.name,
            found=found,
            resume=log.consumed,
            log=log,
            first_line=log.lines + 1,
            final=final,
        )
    )


def _has_no_line_end(root: Storage, one: Continued, waiting: int) -> bool:
    """Return whether nothing but the beginning of a line follows what is consumed."""
    start = one.log.consumed
    if one.is_compressed or waiting > _WAITING_BYTES:
        return False
    try:
        return b"\n" not in root.read(one.found.key, start, start + waiting)
    except ObjectError:  # its task says what is wrong with it
        return False


def _ask(question: Question, source: str) -> str:
    """Return what to ask; the answers name the source, for another one may have the key too."""
    key = shlex.quote(question.found.key)
    return (
        "changed: its content is not what was read before, and nothing tells whether it corrects "
        f"that or is another log; if it corrects it: clickstream replay {source} --key {key}; "
        f"if both count: clickstream ingest {source} --as-new {key}"
    )
