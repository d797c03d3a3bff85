"""Keeps freed memory for the next large piece, instead of giving it back to the system each time.

Pages that come back must be cleared again: for blocks of some MiB that costs as much as the work.
"""

from __future__ import annotations

import ctypes

# Parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# The most that glibc takes as limit of a block, and how much freed memory it may keep.
_LARGEST_BLOCK, _MOST_KEPT = 32 << 20, 128 << 20


def keep_freed_memory() -> None:
    """Tell the C library of this process; one that has no such setting is left alone."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        mallopt(_TRIM_THRESHOLD, _MOST_KEPT)
