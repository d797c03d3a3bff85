"""Scalars of objects put where their plan says: into columns of texts, and into `extra`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels.compiled import (
    BYTES,
    CODES,
    FLAGS,
    NUMBER_TABLE,
    POSITIONS,
    TABLE,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.extra import put_number
from ingest.parse.kernels.split import ESCAPED
from ingest.parse.kernels.words import (
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    Positions,
    copied,
    find,
    find_either,
    is_same,
)
from ingest.parse.kernels.words import WORD as WORD_BYTES
from ingest.parse.skeletons import Part, Plan

_TEXT: Final = np.uint64(Part.TEXT)
_RAW: Final = np.uint64(Part.RAW)
_MILLISECONDS: Final = np.uint64(Part.MILLISECONDS)
_NUMBER: Final = np.uint64(Part.NUMBER)
# How two texts compare.
OTHER: Final = 0
SAME: Final = 1
UNSURE: Final = 2
_QUOTE: Final = np.uint64(ord('"'))
_COLON: Final = np.uint64(ord(":"))
_BACKSLASH: Final = np.uint64(ord("\\"))
_MILLION: Final = np.int64(1_000_000)
_TEN: Final = np.int64(10)
# The longest number, and the quotes and brackets around all.
_MOST_DIGITS: Final = 24


@kernel(POSITIONS, CODES, POSITIONS, POSITIONS, TABLE, POSITIONS, TABLE, TABLE)
def place(
    firsts: Positions,
    plans: npt.NDArray[np.int32],
    leaf_begins: Positions,
    leaf_stops: Positions,
    fills: npt.NDArray[np.uint32],
    fill_starts: Positions,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
) -> None:
    """Note where the texts of each line are, a row for each slot; empty without one.

    `fills` are pairs of a leaf and its slot; those of plan 3 begin at `fill_starts[3]`.
    """
    for number in range(plans.size):
        line = np.uint64(number)
        plan, first = np.uint64(plans[line]), np.uint64(firsts[line])
        for row in range(begins.shape[0]):
            begins[np.uint64(row), line] = stops[np.uint64(row), line] = 0
        for index in range(fill_starts[plan], fill_starts[plan + ONE]):
            fill = np.uint64(index)
            leaf, slot = first + np.uint64(fills[fill, 0]), np.uint64(fills[fill, 1])
            begins[slot, line], stops[slot, line] = leaf_begins[leaf], leaf_stops[leaf]


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, WORD, WORD, FLAGS)
def compare(
    buffer: Bytes,
    firsts: Positions,
    begins: Positions,
    stops: Positions,
    one: np.uint64,
    other: np.uint64,
    same: Flags,
) -> None:
    """Note where the leaves number `one` and `other` of a line are the SAME text, or OTHER ones.

    Where one has a colon they may be the same address, written in two ways: then it is UNSURE.
    """
    for number in range(firsts.size):
        line = np.uint64(number)
        first, second = np.uint64(firsts[line]) + one, np.uint64(firsts[line]) + other
        at, stop = np.uint64(begins[first]), np.uint64(stops[first])
        behind, end = np.uint64(begins[second]), np.uint64(stops[second])
        if is_same(buffer, at, stop, behind, end):
            same[line] = SAME
        elif find(buffer, at, stop, _COLON) != stop or find(buffer, behind, end, _COLON) != end:
            same[line] = UNSURE
        else:
            same[line] = OTHER


@helper
def _put_escaped(
    buffer: Bytes, at: np.uint64, stop: np.uint64, data: Flags, to: np.uint64
) -> np.uint64:
    """Write [at, stop) to `to` with a backslash before quotes and backslashes."""
    while True:
        special = find_either(buffer, at, stop, _QUOTE, _BACKSLASH)
        to = copied(buffer, at, special, data, to)
        if special == stop:
            return to
        data[to], data[to + ONE] = np.uint8(_BACKSLASH), buffer[special]
        to, at = to + TWO, special + ONE


@helper
def _put_milliseconds(data: Flags, at: np.uint64, nanos: np.int64) -> np.uint64:
    """Write `nanos` as milliseconds the shortest way that has a point, as floats are in JSON."""
    at = put_number(data, at, nanos // _MILLION)
    data[at] = ord(".")
    at += ONE
    rest, unit = nanos % _MILLION, _MILLION // _TEN
    while unit == _MILLION // _TEN or rest > 0:
        data[at] = np.uint8(48 + rest // unit)
        rest %= unit
        unit //= _TEN
        at += ONE
    return at


@kernel(
    BYTES, POSITIONS, POSITIONS, POSITIONS, CODES, FLAGS, NUMBER_TABLE, TABLE, POSITIONS, BYTES,
    POSITIONS, CODES, FLAGS,
)  # fmt: skip
def _write(
    buffer: Bytes,
    firsts: Positions,
    begins: Positions,
    stops: Positions,
    plans: npt.NDArray[np.int32],
    plain: Flags,
    numbers: npt.NDArray[np.int64],
    pieces: npt.NDArray[np.uint32],
    piece_starts: Positions,
    literals: Bytes,
    rows: Positions,
    offsets: npt.NDArray[np.int32],
    data: Flags,
) -> None:
    """Write the object of each row into `data`, nothing for one without members.

    A piece is a part, its number, and where its literal begins and stops.
    """
    to = ZERO
    offsets[0] = 0
    for number in range(rows.size):
        index = np.uint64(number)
        line = np.uint64(rows[index])
        plan, first, begin = np.uint64(plans[line]), np.uint64(firsts[line]), to
        for entry in range(piece_starts[plan], piece_starts[plan + ONE]):
            piece = np.uint64(entry)
            part, name = np.uint64(pieces[piece, 0]), np.uint64(pieces[piece, 1])
            value = np.int64(0)
            if part in (_NUMBER, _MILLISECONDS):
                value = numbers[name, line]
                if value < 0:
                    continue
            literal, literal_stop = np.uint64(pieces[piece, 2]), np.uint64(pieces[piece, 3])
            to = copied(literals, literal, literal_stop, data, to)
            if part in (_TEXT, _RAW):
                leaf = first + name
                at, stop = np.uint64(begins[leaf]), np.uint64(stops[leaf])
                if part == _RAW:
                    to = copied(buffer, at, stop, data, to)
                    continue
                data[to] = np.uint8(_QUOTE)
                if plain[line] & ESCAPED:
                    to = _put_escaped(buffer, at, stop, data, to + ONE)
                else:
                    to = copied(buffer, at, stop, data, to + ONE)
                data[to] = np.uint8(_QUOTE)
                to += ONE
            elif part == _MILLISECONDS:
                to = _put_milliseconds(data, to, value)
            elif part == _NUMBER:
                to = put_number(data, to, value)
        if to != begin:
            data[begin], data[to] = ord("{"), ord("}")
            to += ONE
        offsets[index + ONE] = to


def write_extra(
    buffer: Bytes,
    firsts: Positions,
    leaves: tuple[Positions, Positions],
    plans: Sequence[Plan],
    plan_of: npt.NDArray[np.int32],
    plain: Flags,
    lengths: npt.NDArray[np.int64],
    numbers: dict[str, npt.NDArray[np.int64]],
    rows: Positions,
) -> pa.StringArray:
    """Return the column `extra` of `rows`; `numbers` below 0 are none, `lengths` those of lines."""
    names = {name: index for index, name in enumerate(numbers)}
    pieces, starts, literals = _as_arrays(plans, names)
    sizes = np.array([sum(len(p.literal) + _MOST_DIGITS for p in plan.extra) + 2 for plan in plans])
    # Each byte of a line may need a backslash before it.
    most = int(sizes[plan_of[rows]].sum() + 2 * lengths[rows].sum()) + 2 * WORD_BYTES
    data = np.empty(most, dtype=np.uint8)
    offsets = np.empty(rows.size + 1, dtype=np.int32)
    table = np.array(list(numbers.values()), dtype=np.int64)
    _write(
        buffer,
        firsts,
        *leaves,
        plan_of,
        plain,
        table,
        pieces,
        starts,
        literals,
        rows,
        offsets,
        data,
    )
    valid = pa.py_buffer(np.packbits(offsets[1:] != offsets[:-1], bitorder="little"))
    return pa.StringArray.from_buffers(
        rows.size, pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]]), valid
    )


def _as_arrays(
    plans: Sequence[Plan], names: dict[str, int]
) -> tuple[npt.NDArray[np.uint32], Positions, Bytes]:
    """Return the pieces of all plans, where those of each begin, and their literals."""
    rows, starts, literals = [], [0], b""
    for plan in plans:
        for piece in plan.extra:
            number = names[piece.name] if piece.name in names else int(piece.name or 0)
            rows.append((piece.part, number, len(literals), len(literals) + len(piece.literal)))
            literals += piece.literal
        starts.append(len(rows))
    table = np.array(rows, dtype=np.uint32).reshape(-1, 4)
    texts = np.frombuffer(literals + bytes(WORD_BYTES), dtype=np.uint8)
    return table, np.array(starts, dtype=np.uint32), texts
