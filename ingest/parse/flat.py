"""JSON objects of texts whose keys are the columns of another log, such as `cloudfront_v2`.

Kernels read them as lines of these columns. Nothing here loads numba.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.json_value import BadValue, read_value
from ingest.parse.model import Identity, Lines
from ingest.parse.separated import Separated
from ingest.parse.skeletons import MOST_PLANS, Known
from ingest.settings import ParseSettings

_NOTHING = frozenset((None, "", "-"))


@dataclass(frozen=True, slots=True)
class Flat:
    """How the objects of one skeleton are read: as lines of `layout`.

    `columns` are the numbers of the members that say something; the others are null in all of them.
    """

    layout: Separated
    columns: tuple[int, ...]


class FlatObjects:
    """The fast path of flat objects. `known` has how those of each skeleton are read."""

    def __init__(
        self,
        fits: Callable[[dict[str, Any]], bool],
        layout_of: Callable[[tuple[str, ...]], Separated | None],
    ) -> None:
        """`fits` tells by their keys which objects are of the format.

        `layout_of` returns how kernels read lines whose columns have these names, in lower case;
        None when they cannot.
        """
        self._fits = fits
        self._layout_of = layout_of
        self._layouts: dict[tuple[str, ...], Separated | None] = {}
        self.known = Known(self._plan)

    def parse(
        self, lines: Lines, identity: Identity, settings: ParseSettings
    ) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """Read the lines of a usual shape; see `FastPath`."""
        from ingest.parse.kernels.flat import parse_flat

        return parse_flat(lines, identity, settings, objects=self)

    def _plan(self, line: bytes) -> Flat | None:
        """Return how objects with the skeleton of `line` are read, None = by reference parser."""
        warnings: set[str] = set()
        try:
            value = read_value(line, warnings)
        except BadValue:
            return None
        if warnings or not self._fits(value):
            return None
        texts = list(value.values())
        names = tuple(name.lower() for name in value)
        is_flat = all(text is None or isinstance(text, str) for text in texts)
        layout = self._layout(names) if is_flat and len(set(names)) == len(names) else None
        if layout is None:
            return None
        return Flat(layout, tuple(i for i, text in enumerate(texts) if text not in _NOTHING))

    def _layout(self, names: tuple[str, ...]) -> Separated | None:
        if names not in self._layouts:
            if len(self._layouts) == MOST_PLANS:
                self._layouts.clear()
            self._layouts[names] = self._layout_of(names)
        return self._layouts[names]
