"""Columns of Arrow from arrays of numbers, and dictionary columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels.cut import spread_texts

_NO_TEXTS = pa.array([], pa.string())
Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


def holds(texts: pa.StringArray, character: bytes) -> bool:
    """Return whether the ASCII `character`, one byte, is in any of `texts`."""
    data = texts.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == character[0]).any())


# Chunks are cut into pieces of the same number of lines, so these two columns can be shared.
@lru_cache(maxsize=64)
def constant(text: str, size: int) -> pa.Array:
    """Return a dictionary column with `text` in each of its `size` rows."""
    return pa.DictionaryArray.from_arrays(np.zeros(size, dtype=np.int32), pa.array([text]))


@lru_cache(maxsize=64)
def nulls(size: int, kind: pa.DataType) -> pa.Array:
    """Return an Arrow column of type `kind` with `size` rows, all null."""
    return pa.nulls(size, kind)


@dataclass(frozen=True, slots=True)
class DictionaryColumn:
    """A column of few different texts: `values`, and in `codes` each row's index into them.

    The code -1 is null.
    """

    codes: Codes
    values: pa.StringArray

    def keep(self, rows: Mask) -> DictionaryColumn:
        """Return the column with only the rows that are true in `rows`."""
        return DictionaryColumn(self.codes[rows], self.values)

    def column(self) -> pa.DictionaryArray:
        """Return it as an Arrow dictionary, which `ParquetSink` writes without hashing again."""
        # safe=False: whether every code has a value is not checked, for each of 22 columns.
        return pa.DictionaryArray.from_arrays(_indices(self.codes), self.values, safe=False)

    def texts(self) -> pa.StringArray:
        """Return it as a plain Arrow column of texts, without a dictionary."""
        if not len(self.values):
            return nulls(self.codes.size, pa.string())
        return spread_texts(self.values, self.codes)

    def or_else(self, other: DictionaryColumn) -> DictionaryColumn:
        """Return the column with the texts of `other` where it is null."""
        if not len(other.values) or not (self.codes < 0).any():
            return self
        both = dictionary_column(pa.concat_arrays([self.values, other.values]))
        theirs = np.where(other.codes < 0, -1, other.codes + len(self.values))
        codes = np.where(self.codes < 0, theirs, self.codes)
        return DictionaryColumn(np.append(both.codes, np.int32(-1)).take(codes), both.values)

    def map(self, function: Callable[[Sequence[str]], Sequence[str | None]]) -> DictionaryColumn:
        """Return the column with its values replaced by what `function` returns for all of them.

        What becomes None or empty is null; null stays null.
        """
        return spread(self.codes, function(self.values.to_pylist()))


def spread(codes: Codes, texts: Sequence[str | None]) -> DictionaryColumn:
    """Return the column of which each row has the one of `texts` that its code says.

    Texts may repeat; what is None or empty is null, and so is the code -1.
    """
    mapped = dictionary_column(pa.array([text or None for text in texts], pa.string()))
    return DictionaryColumn(np.append(mapped.codes, np.int32(-1)).take(codes), mapped.values)


def dictionary_column(texts: pa.StringArray) -> DictionaryColumn:
    """Return `texts` as a dictionary column, with each different text once in its values."""
    encoded = texts.dictionary_encode()
    codes = encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices
    return DictionaryColumn(codes.to_numpy(), encoded.dictionary)


def null_column(size: int) -> DictionaryColumn:
    """Return a dictionary column with `size` rows, all null."""
    return DictionaryColumn(np.full(size, -1, dtype=np.int32), _NO_TEXTS)


def _indices(codes: Codes) -> pa.Array:
    return column(codes, codes < 0)


def column(numbers: npt.NDArray[Any], null: Mask) -> pa.Array:
    """Return `numbers` as an Arrow column, null where `null` is true.

    `pa.array(numbers, mask=null)` takes four times as long.
    """
    if not null.any():
        return pa.array(numbers)
    bits = np.packbits(~null, bitorder="little")
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, numbers.size, [pa.py_buffer(bits), pa.py_buffer(numbers)])
