"""Which log each object of a listing continues: decided by content, not by name.

A log is a file through its whole life: it grows, is renamed, compressed, touched, deleted. The
ledger knows of each how many content bytes are consumed, and the fingerprint of these bytes: a
hash of the first 4 KiB and one of the last 4 KiB of them. An object continues a log when its
content is at least as long and both agree.

Nothing is written here. Of a plain object, whatever its size, at most 8 KiB are read where its log
moved and 12 KiB where it grew, and 4 KiB more for each further log with an equal head; of what may
be a copy 12 KiB, and as much of the original. Where times have to decide, `begins_after` reads the
first 64 KiB besides. So a byte changed between the first and the last 4 KiB, with the length
unchanged, is not seen: the object counts as touched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.errors import ObjectError
from ingest.lake.identity import FINGERPRINT_BYTES, OPENING_BYTES, fingerprint
from ingest.lake.ownership import Log, holders
from ingest.parse.peek import Content
from ingest.storage import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """An object that continues `log`; `length` counts its content bytes, None = not known."""

    found: StoredObject
    log: Log
    length: int | None
    is_compressed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """An object that begins a log not seen before, to be known as `name`."""

    found: StoredObject
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """An object whose whole content is the beginning of another's, which lies at `original`."""

    found: StoredObject
    original: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An object that may be a correction of `log`, or another log: only a person knows."""

    found: StoredObject
    log: Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An object that could not be looked at, and why."""

    found: StoredObject
    reason: str


@dataclass(slots=True, kw_only=True)
class Following:
    """What a listing means. `missing` are logs that lie nowhere any more; their events stay."""

    continued: list[Continued] = field(default_factory=list)
    new: list[New] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    missing: tuple[Log, ...] = ()


# Whether the content of an object begins after a log in time; False where that cannot be known.
BeginsAfter = Callable[[StoredObject, Log], bool]


def follow(
    objects: Iterable[StoredObject],
    logs: Sequence[Log],
    *,
    look: Callable[[StoredObject], Content],
    begins_after: BeginsAfter,
    name_of: Callable[[str], str],
    rotation: bool,
    accept_copies: bool = False,
    as_new: Collection[str] = (),
) -> Following:
    """Return what `objects`, all that lies in a source now, mean for its `logs`.

    `look` gives the content of an object, the same each time. `name_of` gives the name of the
    first log at a key. Without `rotation` an object is compared with the log of its own key only.
    `as_new` are keys where a question is answered: what lies there is another log. Where nothing
    would be asked they change nothing. `accept_copies` takes copies for logs of their own.
    """
    run = _Follower(objects, logs, look)
    run.continue_logs(rotation=rotation)
    if rotation and not accept_copies:
        run.set_copies_apart()
    run.judge_the_rest(begins_after, name_of, as_new)
    return run.finish()


class _Follower:
    """The steps over one listing: each takes objects out of `_open` and logs out of `_missing`.

    Wherever an object is looked at, it may turn out to be unreadable, and is open no more.
    """

    def __init__(
        self,
        objects: Iterable[StoredObject],
        logs: Sequence[Log],
        look: Callable[[StoredObject], Content],
    ) -> None:
        self._result = Following()
        self._look = look
        self._logs = logs
        self._names = {log.name for log in logs}
        self._holders = holders(logs)
        self._explained: dict[str, StoredObject] = {}
        self._apart: set[str] = set()
        self._open: dict[str, StoredObject] = {}
        self._missing = {log.name: log for log in logs}
        for found in sorted(objects, key=lambda found: found.key.encode()):
            holder = self._holders.get(found.key)
            if holder is not None and holder.lies_in(found):
                self._explained[found.key] = found
                del self._missing[holder.name]
            else:
                self._open[found.key] = found

    def continue_logs(self, *, rotation: bool) -> None:
        """Match what is open with the logs, longest first.

        A log that lies where it was may go on elsewhere all the same: of equal copies one was
        taken for the log, and it was another one that grew.
        """
        claims = self._claims(rotation=rotation)
        for log in sorted(self._logs, key=lambda log: (-log.consumed, log.name)):
            free = [claim for claim in claims.get(log.name, ()) if claim[1].key in self._open]
            if log.name not in self._missing:
                free = [claim for claim in free if claim[0] > log.consumed]
            if free:
                # The longest has all there is; of equal ones the log's own key, then the first
                # one: the others are copies of it.
                length, found = max(free, key=lambda claim: (claim[0], claim[1].key == log.key))
                self._continue(found, log, length)

    def _claims(self, *, rotation: bool) -> dict[str, list[tuple[int, StoredObject]]]:
        """Return by the name of a log what may continue it, with the length of the content."""
        index = _HeadIndex(log for log in self._logs if log.consumed and self._open)
        claims: dict[str, list[tuple[int, StoredObject]]] = defaultdict(list)
        for key, found in list(self._open.items()):
            holder = self._holders.get(key)
            if not (index.heads if rotation else holder and holder.consumed):
                continue
            logs = index.find(self._opening(found)) if rotation else [self._holders[key]]
            length, matching = self._matching(found, logs)
            for log in matching:
                claims[log.name].append((length, found))
        return claims

    def set_copies_apart(self) -> None:
        """Take out what is the beginning, or all, of the content of another object."""
        if not self._open:
            return
        index = _OpeningIndex(self._opening)
        for found in self._explained.values():
            index.add(found, self._holders[found.key].opening)
        for continued in self._result.continued:
            index.add(continued.found, continued.log.opening)
        for found in list(self._open.values()):
            opening = self._opening(found)
            index.add(found, fingerprint(opening[:OPENING_BYTES]) if opening else None)
        for key, found in list(self._open.items()):
            original = self._original_of(found, index)
            if original is not None:
                del self._open[key]
                self._apart.add(key)
                self._result.copies.append(Copy(found=found, original=original.key))

    def judge_the_rest(
        self, begins_after: BeginsAfter, name_of: Callable[[str], str], as_new: Collection[str]
    ) -> None:
        """Decide about objects that continue nothing: a new log, or a question."""
        for found in list(self._open.values()):
            try:
                self._judge(found, name_of(found.key), begins_after, as_new)
            except ObjectError as error:
                self._give_up(found, error)

    def _judge(
        self,
        found: StoredObject,
        name: str,
        begins_after: BeginsAfter,
        as_new: Collection[str],
    ) -> None:
        holder = self._holders.get(found.key)
        is_taken = name in self._names
        # Only a name that is taken has to be looked at for: a task reads the object anyway.
        opening = self._look(found).opening if is_taken else b""
        if holder is not None and not holder.consumed:
            # Nothing of it was read so far: it was empty, or refused.
            self._continue_unread(found, holder)
        elif is_taken and not opening:
            return  # the next generation has no line yet: nothing to be known by
        elif (
            holder is None
            or holder.name not in self._missing
            or found.key in as_new
            or begins_after(found, holder)
        ):
            self._result.new.append(New(found=found, name=self._name(name, opening)))
        else:
            self._result.questions.append(Question(found=found, log=holder))

    def finish(self) -> Following:
        """Return the result."""
        self._result.missing = tuple(log for log in self._missing.values() if log.consumed)
        return self._result

    def _matching(self, found: StoredObject, logs: Sequence[Log]) -> tuple[int, list[Log]]:
        """Return the content's length, and those of `logs` whose head and tail it has."""
        opening = self._opening(found)
        alike = [log for log in logs if _has_head(opening, log)]
        if not alike:
            return 0, []
        try:
            content = self._look(found)
            length, before = content.scan({log.consumed for log in alike})
        except ObjectError as error:
            self._give_up(found, error)
            return 0, []
        if content.is_damaged:
            return 0, []
        tails = {offset: fingerprint(data) for offset, data in before.items()}
        return length, [log for log in alike if tails.get(log.consumed) == log.tail]

    def _continue(self, found: StoredObject, log: Log, length: int) -> None:
        del self._open[found.key]
        if self._missing.pop(log.name, None) is None:
            self._open[log.key] = self._explained.pop(log.key)
        self._result.continued.append(
            Continued(
                found=found,
                log=log,
                length=length,
                is_compressed=self._look(found).is_compressed,
            )
        )

    def _continue_unread(self, found: StoredObject, log: Log) -> None:
        self._missing.pop(log.name, None)
        self._result.continued.append(Continued(found=found, log=log, length=None))

    def _original_of(self, found: StoredObject, index: _OpeningIndex) -> StoredObject | None:
        opening = self._opening(found)
        if not opening:
            return None
        rivals = [
            other
            for other in index.beginning_with(opening)
            if other.key != found.key and other.key not in self._apart
        ]
        if not rivals:
            return None
        try:
            content = self._look(found)
            length, before = content.scan(())
            if content.is_damaged:
                return None
            return next(
                (
                    other
                    for other in sorted(rivals, key=lambda other: other.key in self._open)
                    if self._holds(other, found, length, before[length])
                ),
                None,
            )
        except ObjectError as error:
            self._give_up(found, error)
            return None

    def _holds(self, other: StoredObject, found: StoredObject, length: int, tail: bytes) -> bool:
        """Return whether the content of `other` begins with all of that of `found`.

        Of two equal contents that are both new, only the one of the first key holds the other.
        """
        try:
            their_length, before = self._look(other).scan({length})
        except ObjectError:
            return False
        if before.get(length) != tail:
            return False
        if other.key not in self._open:
            return True
        return their_length > length or other.key.encode() < found.key.encode()

    def _opening(self, found: StoredObject) -> bytes:
        """Return the first bytes of the content; none where they cannot be read."""
        try:
            return self._look(found).opening
        except ObjectError as error:
            self._give_up(found, error)
            return b""

    def _give_up(self, found: StoredObject, error: ObjectError) -> None:
        if self._open.pop(found.key, None) is not None:
            self._result.unreadable.append(Unreadable(found=found, reason=str(error)))

    def _name(self, first: str, opening: bytes) -> str:
        """Return a name that no log has: `first` itself, or as a later generation of it."""
        name, number = first, 1
        while name in self._names:
            more = "" if number == 1 else f"-{number}"
            name = f"{first}@{fingerprint(opening)[:12]}{more}"
            number += 1
        self._names.add(name)
        return name


def _has_head(opening: bytes, log: Log) -> bool:
    size = min(FINGERPRINT_BYTES, log.consumed)
    return len(opening) >= size and fingerprint(opening[:size]) == log.head


class _HeadIndex:
    """Logs by the length and the hash of their head."""

    def __init__(self, logs: Iterable[Log]) -> None:
        self.heads: dict[int, dict[str | None, list[Log]]] = defaultdict(lambda: defaultdict(list))
        for log in logs:
            self.heads[min(FINGERPRINT_BYTES, log.consumed)][log.head].append(log)

    def find(self, opening: bytes) -> list[Log]:
        """Return the logs whose head the content that begins with `opening` has."""
        return [
            log
            for size, logs in self.heads.items()
            if size <= len(opening)
            for log in logs.get(fingerprint(opening[:size]), ())
        ]


class _OpeningIndex:
    """Objects by the hash of their first 64 bytes, so that the openings of few have to be read."""

    def __init__(self, read: Callable[[StoredObject], bytes]) -> None:
        self._read = read
        self._groups: dict[str, list[StoredObject]] = defaultdict(list)
        self._sorted: dict[str, list[tuple[bytes, str, StoredObject]]] = {}

    def add(self, found: StoredObject, opening: str | None) -> None:
        """Add an object with the hash of its first 64 bytes, None = it has no content."""
        if opening is not None:
            self._groups[opening].append(found)

    def beginning_with(self, opening: bytes) -> Iterator[StoredObject]:
        """Yield the objects whose first 4 KiB begin with `opening`."""
        group = fingerprint(opening[:OPENING_BYTES])
        if len(self._groups.get(group, ())) < 2:
            return  # the object that is asked about
        if group not in self._sorted:
            openings = ((self._read(one), one.key, one) for one in self._groups[group])
            self._sorted[group] = sorted(openings, key=lambda entry: entry[:2])
        entries = self._sorted[group]
        for data, _, found in entries[bisect_left(entries, opening, key=lambda e: e[0]) :]:
            if not data.startswith(opening):
                return
            yield found
