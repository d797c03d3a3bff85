"""Layouts of delimited lines as arrays, which the kernel `split` follows: a row per field.

A field is a word up to the text behind it, or a quoted text, in which a backslash takes the
meaning of the character behind it, or the rest of the line. Where a word or a quoted text ends,
all of the text behind it has to follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.words import WORD, mask, word

LAST: Final = np.uint64(0)
TOKEN: Final = np.uint64(1)
QUOTED: Final = np.uint64(2)
REST: Final = np.uint64(3)

Layouts = npt.NDArray[np.uint64]


class Field(NamedTuple):
    """The field number `slot`; `behind` are the one to eight bytes that follow it."""

    slot: int
    kind: np.uint64
    behind: bytes = b""


def layouts(*alternatives: Sequence[Field]) -> Layouts:
    """Return the `alternatives`, of which a line has the first that fits, as one array.

    A row holds kind, slot, first byte, word, mask and length of the text behind the field; a row of
    zeros ends a layout.
    """
    most = max(len(fields) for fields in alternatives)
    table = np.zeros((len(alternatives), most + 1, 6), dtype=np.uint64)
    for number, fields in enumerate(alternatives):
        for index, (slot, kind, behind) in enumerate(fields):
            if kind != REST and not 1 <= len(behind) <= WORD:
                raise ValueError(f"field {slot}: {len(behind)} bytes behind it do not fit a word")
            first = behind[0] if behind else 0
            row = (kind, slot, first, word(behind), mask(len(behind)), len(behind))
            table[number, index] = row
    return table
