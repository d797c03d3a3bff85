"""What an ingest must have after each run: every complete line that lay there at one, once.

The oracle knows which log each file truly is, so it needs neither heads nor tails. Three things
it has to know of each log by the rules of the ledger: how far it was read (halves of a line that
were read as two lines stay two), where it was last seen, and its times (who has to be asked).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from support.log_folder import File
from support.log_lines import line_time, split_lines
from support.rotation import Server

SETTLE = timedelta(minutes=60)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A log of which something was read.

    `consumed` counts content bytes. `places` are the keys where the ledger may have it: one,
    unless a run was killed, or copies are as good. `first` and `last` are the times of its lines.
    """

    consumed: int
    places: frozenset[str]
    first: datetime
    last: datetime


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a run on the folder of this moment has to do.

    `lines` are the new lines by log. `must_ask` are the keys that it must ask about, `may_ask`
    those where the rules leave it open. Of each group in `copies` all but one are reported.
    """

    lines: Mapping[int, tuple[str, ...]]
    after: Mapping[int, Known]
    must_ask: frozenset[str]
    may_ask: frozenset[str]
    copies: tuple[frozenset[str], ...]


@dataclass
class Oracle:
    """`lines` counts what must be in the warehouse now."""

    server: Server
    lines: Counter[str] = field(default_factory=Counter)
    known: dict[int, Known] = field(default_factory=dict)
    _lines_of: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def expect(self, *, final: bool = False, another: str = "") -> Expectation:
        """Return what a run that lists the folder now has to do; nothing counts as done yet.

        What lies at the key `another` is declared to be a log of its own.
        """
        asking = {key for key in self.server.files if key != another and self._overlaps(key)}
        groups = self._groups(asking)
        after = {log: self._read(log, keys, final=final) for log, keys in groups.items()}
        return Expectation(
            lines={log: lines for log, (lines, _) in after.items() if lines},
            after={log: known for log, (_, known) in after.items() if known is not None},
            must_ask=frozenset(asking),
            may_ask=frozenset(key for key in self.server.files if self._is_emptied(key)),
            copies=tuple(frozenset(keys) for keys in groups.values() if len(keys) > 1),
        )

    def complete(self, expected: Expectation) -> None:
        """Count all of `expected` as done."""
        for log in expected.after:
            self._complete(log, expected)

    def complete_what_is_in(self, found: Counter[str], expected: Expectation) -> None:
        """Count as done what of `expected` is in `found`: a log's new lines are there or not.

        For runs that did not come to their end: where they left the logs is not known.
        """
        for log, after in expected.after.items():
            lines = [line for line in expected.lines.get(log, ()) if not self.lines[line]]
            if lines and all(found[line] for line in lines):
                self._complete(log, expected)
            elif log in self.known:
                places = self.known[log].places | after.places
                self.known[log] = replace(self.known[log], places=places)

    def correct(self, key: str) -> None:
        """Count what lies at `key` in place of the log that was read there last."""
        (old,) = self.owners(key)
        file = self.server.files[key]
        file.edited_byte, file.is_intruder = None, False
        self.lines.subtract(self._lines_of.pop(old))
        self.lines += Counter()  # without those that are gone
        del self.known[old]
        end = self._end(key, final=False)
        lines = split_lines(file.content[:end])
        times = [time for line in lines if (time := line_time(line))]
        known = Known(consumed=end, places=frozenset([key]), first=times[0], last=max(times))
        self._count(file.log, lines, known)

    def consumed(self, log: int) -> int:
        """Return how many bytes of `log` must have been read by now."""
        return self.known[log].consumed if log in self.known else 0

    def owners(self, key: str) -> list[int]:
        """Return the logs that the ledger may have seen last at `key`: more than one if unsure."""
        owners = []
        for log in reversed(self.known):
            if key in self.known[log].places:
                owners.append(log)
                if len(self.known[log].places) == 1:
                    break
        return owners

    # --- rules

    def _groups(self, asking: Iterable[str]) -> dict[int, list[str]]:
        """Return the files with content by log, without those that someone is asked about."""
        groups: dict[int, list[str]] = {}
        for key in self.server.files:
            file = self.server.files[key]
            if file.content and key not in asking:
                # An edited log that overlaps nothing would be a log of its own; none is generated.
                assert file.edited_byte is None
                groups.setdefault(file.log, []).append(key)
        return groups

    def _read(
        self, log: int, keys: list[str], *, final: bool
    ) -> tuple[tuple[str, ...], Known | None]:
        """Return the new lines of `log`, which lies at `keys`, and what is known of it then."""
        files = self.server.files
        length = max(len(files[key].content) for key in keys)
        longest = frozenset(key for key in keys if len(files[key].content) == length)
        start = self.consumed(log)
        assert length >= start, f"only short copies of log {log} are left"
        end = max(start, *(self._end(key, final=final) for key in longest))
        lines = split_lines(files[min(longest)].content[start:end])
        times = [time for line in lines if (time := line_time(line))]
        if log not in self.known and not times:
            return (), None
        old = self.known.get(log)
        if old is None:
            old = Known(consumed=0, places=frozenset(), first=times[0], last=times[-1])
        return tuple(lines), Known(
            consumed=end,
            places=old.places & longest or longest,
            first=old.first,
            last=max([old.last, *times]),
        )

    def _end(self, key: str, *, final: bool) -> int:
        """Return where reading ends: a plain object that changed lately may lack its last LF."""
        file = self.server.files[key]
        if final or key.endswith(".gz") or self.server.now - file.changed_at > SETTLE:
            return len(file.content)
        return file.content.rfind(b"\n") + 1

    def _overlaps(self, key: str) -> bool:
        """Whether what lies at `key` may correct the log that was there, or be another one."""
        first = _first_time(self.server.files[key])
        owners = self._unmatched_owners(key)
        return bool(owners) and all(
            not self._is_found(log) and first is not None and first < _latest_start(self.known[log])
            for log in owners
        )

    def _is_emptied(self, key: str) -> bool:
        """Whether a log became empty in place.

        Strictly, what has no times is asked about. But where there is no line there is nothing to
        lose or to double, so both are right.
        """
        is_empty = not self.server.files[key].content
        return is_empty and not all(map(self._is_found, self._unmatched_owners(key)))

    def _unmatched_owners(self, key: str) -> list[int]:
        """Return the owners of `key`, none when what lies there continues a known log."""
        file = self.server.files[key]
        is_known = file.log in self.known and file.edited_byte is None
        return [] if is_known else self.owners(key)

    def _is_found(self, log: int) -> bool:
        files = self.server.files
        sizes = (len(files[key].content) for key in files.holders(log))
        return any(size >= self.consumed(log) for size in sizes)

    def _complete(self, log: int, expected: Expectation) -> None:
        new = [line for line in expected.lines.get(log, ()) if not self.lines[line]]
        self._count(log, new, expected.after[log])

    def _count(self, log: int, new: Sequence[str], known: Known) -> None:
        self.known.pop(log, None)  # what was seen last comes last
        self.known[log] = known
        self._lines_of[log] += new
        self.lines.update(new)


def _first_time(file: File) -> datetime | None:
    """Return the earliest time in `file`: lines ascend, and no hole is 64 KiB long."""
    return next((time for line in split_lines(file.content) if (time := line_time(line))), None)


def _latest_start(log: Known) -> datetime:
    """Return how early a log may begin and still begin after `log`."""
    return log.last - min(timedelta(hours=1), (log.last - log.first) / 2)
