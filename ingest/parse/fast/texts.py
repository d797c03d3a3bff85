"""Columns of text cut out of the bytes of a chunk, and dictionary columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.parse.fast.words import Bytes, Mask, Positions

_NO_TEXTS = pa.array([], pa.string())
Codes = npt.NDArray[np.int32]


def cut(buffer: Bytes, begins: Positions, ends: Positions) -> pa.StringArray:
    """Return the texts at [begin, end), null where these are empty.

    The ranges ascend and do not overlap. All offsets together are those of one array over the
    buffer, of which every other item is a text: Arrow then copies the texts out of it.
    """
    bounds = np.empty(2 * begins.size, dtype=np.int32)
    bounds[::2], bounds[1::2] = begins, ends
    if not begins.size:
        return _NO_TEXTS
    over_buffer = pa.StringArray.from_buffers(
        bounds.size - 1, pa.py_buffer(bounds), pa.py_buffer(buffer)
    )
    items = np.arange(0, bounds.size, 2, dtype=np.int32)
    return pc.take(over_buffer, column(items, begins == ends), boundscheck=False)


def holds(texts: pa.StringArray, character: bytes) -> bool:
    """Return whether any of `texts` holds the ASCII `character`."""
    data = texts.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == character[0]).any())


# Chunks are cut into pieces of the same number of lines, so these columns can be shared.
@lru_cache(maxsize=64)
def constant(text: str, size: int) -> pa.Array:
    """Return the column of the same text, `size` times."""
    return pa.DictionaryArray.from_arrays(np.zeros(size, dtype=np.int32), pa.array([text]))


@lru_cache(maxsize=64)
def nulls(size: int, kind: pa.DataType) -> pa.Array:
    """Return the column of `size` nulls."""
    return pa.nulls(size, kind)


@dataclass(frozen=True, slots=True)
class DictionaryColumn:
    """A column of texts that repeat: `values`, and per row the index of its value or -1 = null."""

    codes: Codes
    values: pa.StringArray

    def keep(self, rows: Mask) -> DictionaryColumn:
        """Return the column of the chosen rows."""
        return DictionaryColumn(self.codes[rows], self.values)

    def column(self) -> pa.DictionaryArray:
        """Return the Arrow column, of the type that `ParquetSink` writes without hashing again."""
        # Unsafe: that all codes have a value is not checked again, for each of 22 columns.
        return pa.DictionaryArray.from_arrays(_indices(self.codes), self.values, safe=False)

    def texts(self) -> pa.StringArray:
        """Return the Arrow column with every text spelled out."""
        return self.values.take(_indices(self.codes))

    def map(self, function: Callable[[Sequence[str]], Sequence[str | None]]) -> DictionaryColumn:
        """Return the column with each different value replaced; null and empty become null."""
        mapped = dictionary_column(
            pa.array([v or None for v in function(self.values.to_pylist())], pa.string())
        )
        return DictionaryColumn(np.append(mapped.codes, np.int32(-1))[self.codes], mapped.values)


def dictionary_column(texts: pa.StringArray) -> DictionaryColumn:
    """Return the column `texts`, each different value once."""
    encoded = texts.dictionary_encode()
    codes = encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices
    return DictionaryColumn(codes.to_numpy(), encoded.dictionary)


def null_column(size: int) -> DictionaryColumn:
    """Return the column of `size` nulls."""
    return DictionaryColumn(np.full(size, -1, dtype=np.int32), _NO_TEXTS)


def scatter(rows: Positions, texts: DictionaryColumn, size: int) -> DictionaryColumn:
    """Return the column of `size` rows in which only `rows` have texts, one each."""
    codes = np.full(size, -1, dtype=np.int32)
    codes[rows] = texts.codes
    return DictionaryColumn(codes, texts.values)


def _indices(codes: Codes) -> pa.Array:
    return column(codes, codes < 0)


def column(numbers: npt.NDArray[Any], null: Mask) -> pa.Array:
    """Return the Arrow column of `numbers`, null where `null`.

    `pa.array` with a mask takes four times as long.
    """
    if not null.any():
        return pa.array(numbers)
    bits = np.packbits(~null, bitorder="little")
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, numbers.size, [pa.py_buffer(bits), pa.py_buffer(numbers)])
