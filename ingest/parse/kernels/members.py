"""The members of `extra` that are texts or numbers of a line, written as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels.compiled import (
    BYTES,
    CODES,
    FLAGS,
    NUMBERS,
    POSITIONS,
    TABLE,
    WORD,
    helper,
    kernel,
)
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN
from ingest.parse.kernels.words import (
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    Positions,
    copied,
    find,
)
from ingest.parse.kernels.words import WORD as WORD_BYTES

TEXT: Final = 0
DIGITS: Final = 1
# A whole number of which JSON has to show that others have decimals.
NUMBER: Final = 2
_QUOTE: Final = np.uint64(ord('"'))
_BACKSLASH: Final = np.uint64(ord("\\"))
_TEN: Final = np.int64(10)


class MemberOf(NamedTuple):
    """A member: its key, its kind, and the number of its column; of a NUMBER that of its array."""

    key: str
    kind: int
    slot: int


@kernel(BYTES, TABLE, TABLE, POSITIONS, FLAGS)
def doubt_quotes(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    columns: Positions,
    plain: Flags,
) -> None:
    """Lines with a quote or a backslash, which need escapes, in `columns` are not `plain`."""
    for number in range(plain.size):
        line = np.uint64(number)
        if plain[line] & ESCAPED:
            for index in range(columns.size):
                slot = np.uint64(columns[np.uint64(index)])
                at, stop = np.uint64(begins[slot, line]), np.uint64(stops[slot, line])
                has_quote = find(buffer, at, stop, _QUOTE) != stop
                if has_quote or find(buffer, at, stop, _BACKSLASH) != stop:
                    plain[line] = NOT_PLAIN


@helper
def _digits(number: np.int64) -> np.uint64:
    count = ONE
    while number >= _TEN:
        number //= _TEN
        count += ONE
    return count


@kernel(TABLE, TABLE, TABLE, NUMBERS, WORD, POSITIONS, CODES)
def _measure(
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    members: npt.NDArray[np.uint32],
    numbers: npt.NDArray[np.int64],
    lines: np.uint64,
    rows: Positions,
    offsets: npt.NDArray[np.int32],
) -> None:
    """Fill where the object of each row begins; one without members has no bytes."""
    total = ZERO
    offsets[0] = 0
    for number in range(rows.size):
        index = np.uint64(number)
        line = np.uint64(rows[index])
        before = total
        for entry in range(members.shape[0]):
            member = np.uint64(entry)
            kind, slot = members[member, 0], np.uint64(members[member, 1])
            name = np.uint64(members[member, 3] - members[member, 2])
            if kind == NUMBER:
                value = numbers[slot * lines + line]
                if value >= 0:
                    total += name + _digits(value) + TWO
            else:
                length = np.uint64(stops[slot, line] - begins[slot, line])
                if length != ZERO:
                    total += name + length + (ONE if kind == TEXT else ZERO)
        if total != before:
            total += ONE
        offsets[index + ONE] = np.int32(total)


@helper
def _put_number(value: np.int64, data: Flags, to: np.uint64) -> np.uint64:
    end = to + _digits(value)
    at = end
    while at > to:
        at -= ONE
        data[at] = np.uint8(ord("0") + value % _TEN)
        value //= _TEN
    data[end], data[end + ONE] = ord("."), ord("0")
    return end + TWO


@kernel(BYTES, TABLE, TABLE, BYTES, TABLE, NUMBERS, WORD, POSITIONS, CODES, FLAGS)
def _write(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    names: Bytes,
    members: npt.NDArray[np.uint32],
    numbers: npt.NDArray[np.int64],
    lines: np.uint64,
    rows: Positions,
    offsets: npt.NDArray[np.int32],
    data: Flags,
) -> None:
    """Write the objects one behind the other, and up to seven bytes more behind the last.

    A name comes with the comma before it, of which the first becomes the brace of the object.
    """
    for number in range(rows.size):
        index = np.uint64(number)
        line = np.uint64(rows[index])
        begin = to = np.uint64(offsets[index])
        for entry in range(members.shape[0]):
            member = np.uint64(entry)
            kind, slot = members[member, 0], np.uint64(members[member, 1])
            name, name_stop = np.uint64(members[member, 2]), np.uint64(members[member, 3])
            if kind == NUMBER:
                value = numbers[slot * lines + line]
                if value >= 0:
                    to = copied(names, name, name_stop, data, to)
                    to = _put_number(value, data, to)
                continue
            at, stop = np.uint64(begins[slot, line]), np.uint64(stops[slot, line])
            if at == stop:
                continue
            to = copied(names, name, name_stop, data, to)
            to = copied(buffer, at, stop, data, to)
            if kind == TEXT:
                data[to] = ord('"')
                to += ONE
        if to != begin:
            data[begin], data[to] = ord("{"), ord("}")


def write_members(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    members: Sequence[MemberOf],
    numbers: Sequence[npt.NDArray[np.int64]],
    rows: Positions,
) -> pa.StringArray:
    """Return an object of the `members` for each of `rows`, null without any.

    No text needs an escape; an empty one, and a number below 0, is no member. `numbers` are arrays
    with an item per line.
    """
    names, table = _as_arrays(members)
    lines = np.uint64(numbers[0].size if numbers else 0)
    flat = np.concatenate(numbers) if numbers else np.empty(0, dtype=np.int64)
    offsets = np.empty(rows.size + 1, dtype=np.int32)
    _measure(begins, stops, table, flat, lines, rows, offsets)
    data = np.empty(offsets[-1] + 2 * WORD_BYTES, dtype=np.uint8)
    _write(buffer, begins, stops, names, table, flat, lines, rows, offsets, data)
    valid = pa.py_buffer(np.packbits(offsets[1:] != offsets[:-1], bitorder="little"))
    return pa.StringArray.from_buffers(
        rows.size, pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]]), valid
    )


def _as_arrays(members: Sequence[MemberOf]) -> tuple[Bytes, npt.NDArray[np.uint32]]:
    names = b""
    table = np.zeros((len(members), 4), dtype=np.uint32)
    for index, member in enumerate(sorted(members)):
        name = f',"{member.key}":{chr(34) if member.kind == TEXT else ""}'.encode()
        table[index] = (member.kind, member.slot, len(names), len(names) + len(name))
        names += name
    # Kernels read up to a word behind the last name.
    return np.frombuffer(names + bytes(WORD_BYTES), dtype=np.uint8), table
