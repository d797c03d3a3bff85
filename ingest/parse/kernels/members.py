"""The column `extra` of lines with texts that JSON writes in another way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.fields.extra import encoded
from ingest.parse.fields.text import unescape
from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.extra import MILLISECONDS, NUMBER, TEXT, Item, plan_of, write_extra
from ingest.parse.kernels.laid_out import Numbers, Values
from ingest.parse.kernels.settled import find_odd
from ingest.parse.kernels.split import PLAIN
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.words import Positions
from ingest.parse.lines import READ_AHEAD


def members_column(
    values: Values, numbers: dict[str, Numbers], rows: Positions
) -> tuple[pa.StringArray, Mask]:
    """Return the column `extra` of `rows`, and which are sure; `numbers` are members too."""
    items = list(_items(values, list(numbers)))
    buffer = _write_again(values, [item.row for item in items if item.kind == TEXT], rows)
    table = np.array(list(numbers.values()), dtype=np.int64).reshape(-1, values.size)
    plain = np.full(values.size, PLAIN, dtype=np.uint8)
    return write_extra(buffer, values.places, table, rows, plain, plan_of(items))


def _items(values: Values, numbers: Sequence[str]) -> Iterator[Item]:
    for key, slot in values.reading.places.members:
        yield Item(key, TEXT, slot)
    yield Item("tail", TEXT, values.tail)
    yield Item("request_line", TEXT, values.odd)
    for row, name in enumerate(numbers):
        yield Item(name, MILLISECONDS if name.endswith("_ms") else NUMBER, row)


def _write_again(values: Values, slots: Sequence[int], rows: Positions) -> npt.NDArray[np.uint8]:
    """Point to texts that are written as in JSON, where that differs; return the buffer of all."""
    odd = np.empty(values.size, dtype=np.uint8)
    taken = np.zeros(values.size, dtype=np.bool_)
    taken[rows] = True
    buffer, more, end = values.buffer, [], values.buffer.size
    for slot in slots:
        begins, stops = values.at(slot)
        is_bare = slot not in values.reading.places.quoted
        find_odd(values.buffer, begins, stops, values.plain, is_bare, values.has_tabs, odd)
        of_slot = np.flatnonzero(odd.view(np.bool_) & taken).astype(np.uint32)
        if not of_slot.size:
            continue
        texts = encode(values.buffer, begins, stops, of_slot)
        written = [_in_json(text, values, slot) for text in texts.values.to_pylist()]
        sizes = np.array([len(text) for text in written], dtype=np.uint32)
        ends = np.cumsum(sizes, dtype=np.uint32) + np.uint32(end)
        begins[of_slot], stops[of_slot] = (ends - sizes)[texts.codes], ends[texts.codes]
        more += written
        end = int(ends[-1])
    if not more:
        return buffer
    return np.frombuffer(b"".join([buffer.tobytes(), *more, bytes(READ_AHEAD)]), dtype=np.uint8)


def _in_json(text: str, values: Values, slot: int) -> bytes:
    """Return `text` as it stands between quotes in JSON; other texts than values keep escapes."""
    return encoded(text if slot >= values.tail else unescape(text))[1:-1]
