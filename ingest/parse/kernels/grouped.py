"""Lines of JSON that are read together: of the same shape, and with a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson

from ingest.parse.json_lines import Shape
from ingest.parse.kernels.columns import Codes, DictionaryColumn, spread
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.leaves import SAME, UNSURE, compare
from ingest.parse.kernels.readers import Span
from ingest.parse.kernels.scan import scan
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN
from ingest.parse.kernels.texts import FACTOR, SEED, distinct
from ingest.parse.kernels.words import Bytes, Flags, Positions, word
from ingest.parse.lines import READ_AHEAD
from ingest.parse.model import Lines
from ingest.parse.skeletons import Known, P, Plan, Plans
from ingest.settings import ParseSettings

# Of fewer lines in a piece the reference parser is as fast as a plan is made.
_FEW: Final = 4
# Twice as much, and the names of a plan, fit into `extra`.
_LONGEST: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines `rows` of one shape; arrays have an item for each, `leaves` are those of all lines."""

    rows: Positions
    texts: Bytes
    firsts: Positions
    leaves: Span
    plans: Sequence[Plan]
    plan_of: Codes
    escaped: Flags
    lengths: npt.NDArray[np.int64]

    @property
    def shape(self) -> Shape:
        """The shape of all lines."""
        return self.plans[0].shape

    @property
    def is_request(self) -> bool:
        """Whether they are web requests: all are, or none."""
        return self.plans[0].is_request

    def known(self, name: str, rows: Positions) -> DictionaryColumn:
        """Return the values of an event column that the plans know."""
        values = [plan.values.get(name) for plan in self.plans]
        return spread(self.plan_of[rows], values)


class Scanned:
    """The scalars of the lines of a piece, and their skeletons.

    `told` are names of which the texts belong to the skeleton: in the object, and inside arrays.
    """

    def __init__(
        self,
        lines: Lines,
        settings: ParseSettings,
        told: tuple[Sequence[str], Sequence[str]] = ((), ()),
    ) -> None:
        size = lines.starts.size
        self._lines = lines
        self.plain: Flags = np.empty(size, dtype=np.uint8)
        self._skeletons = np.empty(size, dtype=np.int64)
        self.firsts = np.empty(size, dtype=np.uint32)
        # Of two scalars one byte at least is between them.
        room = lines.buffer.size // 2 + size + 1
        begins, stops, loose = (np.empty(room, dtype=np.uint32) for _ in range(3))
        texts = np.empty(lines.buffer.size + READ_AHEAD, dtype=np.uint8)
        totals = np.empty(2, dtype=np.int64)
        top, inner = map(_words, told)
        scan(
            lines.buffer, lines.starts, lines.ends, top, inner,
            np.uint64(min(_LONGEST, settings.max_line_bytes)), SEED, FACTOR, self.plain,
            self._skeletons, self.firsts, begins, stops, texts, loose, totals,
        )  # fmt: skip
        self.leaves = begins, stops
        self.texts: Bytes = lines.buffer
        if totals[0]:
            self.texts = np.concatenate([lines.buffer, texts[: totals[0] + READ_AHEAD]])
        self._doubt(loose[: totals[1]])

    def _doubt(self, loose: Positions) -> None:
        """Leave lines to the reference parser of which JSON would write a number another way."""
        if not loose.size:
            return
        sent = cut(self.texts, *self.leaves, loose).to_pylist()
        again = orjson.dumps(orjson.loads(f"[{','.join(sent)}]")).decode()[1:-1].split(",")
        other = np.array([one != two for one, two in zip(sent, again, strict=True)])
        behind = np.searchsorted(self.firsts, loose[other], side="right")
        self.plain[behind - 1] = NOT_PLAIN

    def planned(
        self, known: Known[P], kind: Callable[[P], object]
    ) -> Iterator[tuple[Positions, Codes, list[P]]]:
        """Yield lines that have plans of one `kind`, the number of each line's plan, and these."""
        rows = np.flatnonzero(self.plain).astype(np.uint32)
        codes, skeletons = distinct(self._skeletons[rows])
        examples = np.zeros(skeletons.size, dtype=np.uint32)
        examples[codes] = rows
        counts = np.bincount(codes, minlength=skeletons.size)
        kinds: dict[object, list[tuple[int, P]]] = {}
        for code, skeleton in enumerate(skeletons.tolist()):
            if counts[code] >= _FEW or skeleton in known:
                plan = known.of(skeleton, partial(self._line, examples[code]))
                if plan is not None:
                    kinds.setdefault(kind(plan), []).append((code, plan))
        for planned in kinds.values():
            number_of = np.full(skeletons.size, -1, dtype=np.int32)
            number_of[[code for code, _ in planned]] = np.arange(len(planned))
            numbers = number_of[codes]
            has_plan = numbers >= 0
            yield rows[has_plan], numbers[has_plan], [plan for _, plan in planned]

    def _line(self, row: int) -> bytes:
        return self._lines.buffer[self._lines.starts[row] : self._lines.ends[row]].tobytes()


def groups_of(lines: Lines, settings: ParseSettings, plans: Plans) -> Iterator[Group]:
    """Yield the lines of each shape that kernels read."""
    scanned = Scanned(lines, settings, (plans.names(inner=False), plans.names(inner=True)))
    lengths = lines.ends - lines.starts
    for planned in scanned.planned(plans.known, lambda plan: (plan.shape.name, plan.is_request)):
        yield _group(scanned, lengths, *planned)


def _group(
    scanned: Scanned,
    lengths: npt.NDArray[np.int64],
    rows: Positions,
    numbers: Codes,
    plans: list[Plan],
) -> Group:
    firsts = scanned.firsts[rows]
    for number, plan in enumerate(list(plans)):
        if plan.pair is not None:
            of_plan = np.flatnonzero(numbers == number)
            same = np.empty(of_plan.size, dtype=np.uint8)
            one, other = map(np.uint64, plan.pair)
            compare(scanned.texts, firsts[of_plan], *scanned.leaves, one, other, same)
            numbers[of_plan[same == UNSURE]] = -1
            numbers[of_plan[same == SAME]] = len(plans) if plan.twin else -1
            if plan.twin:
                plans.append(plan.twin)
    known = numbers >= 0
    rows, numbers, firsts = rows[known], numbers[known], firsts[known]
    return Group(
        rows=rows,
        texts=scanned.texts,
        firsts=firsts,
        leaves=scanned.leaves,
        plans=plans,
        plan_of=numbers,
        escaped=scanned.plain[rows] & np.uint8(ESCAPED),
        lengths=lengths[rows],
    )


def _words(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    return np.array([word(name.encode()) for name in names], dtype=np.uint64)
