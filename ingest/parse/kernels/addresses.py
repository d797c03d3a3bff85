"""Which texts are IPv4 addresses: section 3.7 of the specification. Most clients are."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.compiled import BYTES, CODES, FLAGS, kernel
from ingest.parse.kernels.words import ONE, Bytes, Flags

_PARTS: Final = 4


@kernel(BYTES, CODES, FLAGS)
def _find_ipv4(data: Bytes, offsets: npt.NDArray[np.int32], found: Flags) -> None:
    for index in range(found.size):
        text = np.uint64(index)
        parts, digits, value, is_ipv4 = 1, 0, 0, True
        for at in range(np.uint64(offsets[text]), np.uint64(offsets[text + ONE])):
            byte = np.int64(data[at])  # without a compiler it would wrap around at 255
            if ord("0") <= byte <= ord("9"):
                is_ipv4 &= digits == 0 or value > 0  # no leading zero
                value = min(value * 10 + byte - ord("0"), 256)
                digits += 1
                is_ipv4 &= value <= 255
            else:
                is_ipv4 &= byte == ord(".") and digits > 0
                parts, digits, value = parts + 1, 0, 0
        found[text] = is_ipv4 and parts == _PARTS and digits > 0


def are_ipv4(texts: pa.StringArray) -> Mask:
    """Return which of `texts` are IPv4 addresses in their canonical form, without a port."""
    found = np.zeros(len(texts), dtype=np.uint8)
    if found.size:
        _, offsets, data = texts.buffers()
        codes = np.frombuffer(offsets, dtype=np.int32)[: found.size + 1].copy()
        _find_ipv4(np.frombuffer(data, dtype=np.uint8), codes, found)
    return found.view(np.bool_)
