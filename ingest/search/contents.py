"""Whether documents say what the lake says, beyond their number: values, sessions, a sample.

Values are counted batch by batch on both sides, so that differences cannot cancel out.
`ingest.books.values` compares the same of lake and marts.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from ingest.contract import EVENTS
from ingest.errors import ObjectUnreadable
from ingest.lake.checks import Check, first_few
from ingest.lake.frames import MOST_SESSIONS
from ingest.lake.records import BatchRecord
from ingest.search.index import Index
from ingest.search.letters import read_letters
from ingest.search.months import MONTH_OF, month_format
from ingest.search.sample import differing
from ingest.search.seals import Seal
from ingest.search.values import SESSIONS, Shown, Values
from ingest.storage import Storage
from ingest.terminal.text import count_of

# Ids in one request; far below the 65,536 that a server takes.
_BATCHES = 500
_ID = "event_id"
# Their values stay in the document; only a search for them finds nothing.
_MAY_BE_IGNORED = {
    column.search.field
    for column in EVENTS.columns
    if column.search and "ignore_above" in dict(column.search.parameters)
}
_REMEDY = "run `clickstream export --recreate`"
# Floats add up exactly below this.
_EXACT = 2**53
_SAMPLE = "documents read back = lake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The documents compared with the lake; `sampled` of them were read and compared whole."""

    checks: tuple[Check, ...]
    sampled: int = 0
    notes: tuple[str, ...] = ()

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return sum(check.expected for check in self.checks if check.name != _SAMPLE)

    @property
    def problems(self) -> list[str]:
        """The checks that fail, as text."""
        return [
            f"{check.name}: {check.expected:,} != {check.found:,}; {check.detail}"
            for check in self.checks
            if not check.ok
        ]


def compare(
    index: Index, lake: Storage, batches: Sequence[tuple[BatchRecord, Seal]], *, sample: bool
) -> Contents:
    """Compare the documents of `batches` with the lake; the index has been refreshed.

    `sample` also reads up to 200 documents of each. Raises BooksError when dead letters are lost.
    """
    shown = Shown(index.marks)
    tally = _Tally(shown)
    # The server adds up its side while we add up ours.
    with ThreadPoolExecutor(1) as server:
        for at in range(0, len(batches), _BATCHES):
            group = batches[at : at + _BATCHES]
            ids = [record.batch_id for record, _ in group]
            found = server.submit(shown.in_index, index, ids)
            ignored = server.submit(index.ignored, ids)
            for record, seal in group:
                refused = frozenset(one.id for one in read_letters(lake, seal)) if seal.dead else ()
                try:
                    wanted = shown.in_lake(lake, record, _where(index, seal, refused))
                    sampled = differing(index, lake, record, refused=refused) if sample else (0, ())
                except ObjectUnreadable:
                    tally.unread.append(record.number)
                    continue
                tally.add(record, wanted, found.result()[record.batch_id])
                tally.add_sample(record, *sampled)
            tally.ignored.update(ignored.result())
    return tally.contents()


class _Tally:
    """What the comparison of batches adds up to."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self.ignored: Counter[str] = Counter()
        self.unread: list[int] = []
        self._values: Counter[str] = Counter()
        self._equal: Counter[str] = Counter()
        self._wrong: defaultdict[str, list[int]] = defaultdict(list)
        self._sampled = 0
        self._differing: list[str] = []

    def add(self, record: BatchRecord, wanted: Values, found: Values) -> None:
        """Compare the values of one batch; those of sessions only while they are counted."""
        for key in wanted.keys() | found.keys():
            name = key[0]
            if name == SESSIONS and self._shown.sessions is None:
                continue
            self._values[name] += 1
            if _is_same(wanted.get(key, 0), found.get(key, 0)):
                self._equal[name] += 1
            elif record.number not in self._wrong[name]:
                self._wrong[name].append(record.number)

    def add_sample(self, record: BatchRecord, sampled: int, wrong: Sequence[str]) -> None:
        """Note which of the documents of a sample differ."""
        self._sampled += sampled
        self._differing += [f"{one} of batch {record.number}" for one in wrong]

    def contents(self) -> Contents:
        """Return the checks, and notes about what was not compared or cannot be searched."""
        return Contents(
            checks=tuple(self._checks()), sampled=self._sampled, notes=tuple(self._notes())
        )

    def _checks(self) -> Iterator[Check]:
        for name in (*(one.name for one in self._shown.dimensions), SESSIONS):
            if name == SESSIONS and self._shown.sessions is None:
                continue
            wrong = self._wrong[name]
            yield Check(
                name=f"index {name} = lake",
                expected=self._values[name],
                found=self._equal[name],
                detail=f"batches {first_few(sorted(wrong))}; {_REMEDY}" if wrong else "values",
            )
        odd = {name: n for name, n in self.ignored.items() if name not in _MAY_BE_IGNORED}
        yield Check(
            name="values that the index left out",
            expected=0,
            found=sum(odd.values()),
            detail=f"{', '.join(sorted(odd))}; {_REMEDY}" if odd else "",
        )
        if self._sampled:
            yield Check(
                name=_SAMPLE,
                expected=self._sampled,
                found=self._sampled - len(self._differing),
                detail=f"{first_few(self._differing)}; {_REMEDY}" if self._differing else "",
            )

    def _notes(self) -> Iterator[str]:
        if self.unread:
            yield (
                f"the documents of batches {first_few(self.unread)} were not compared by value: "
                "their files in the lake cannot be read"
            )
        if self._shown.has_too_many_sessions:
            yield f"sessions were not compared: the index has more than {MOST_SESSIONS:,} of them"
        for name in sorted(_MAY_BE_IGNORED & self.ignored.keys()):
            yield (
                f"{count_of(self.ignored[name], 'value')} of {name} cannot be searched: too long; "
                "the documents are complete"
            )


def _where(index: Index, seal: Seal, refused: Collection[str]) -> pl.Expr | None:
    """Return which events of a batch are in the index; None for all of them."""
    conditions = []
    if refused:
        conditions.append(~pl.col(_ID).is_in(list(refused)))
    if not all(map(index.is_kept, seal.indices)):
        month = pl.col(MONTH_OF).dt.strftime(month_format(index.name))
        conditions.append(month >= (index.oldest or ""))
    return pl.all_horizontal(conditions) if conditions else None


def _is_same(one: float, other: float) -> bool:
    return one == other or (max(one, other) > _EXACT and math.isclose(one, other, rel_tol=1e-9))
