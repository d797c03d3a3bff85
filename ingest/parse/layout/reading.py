"""What kernels are told about the lines of a log format string. Nothing here loads numba."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.layout.compiled import Layout
from ingest.parse.layout.places import Places, places_of
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Lines that have one of `layouts`, which differ in their literal texts only.

    `of_gateway` says what else API Gateway's lines are: a blank is one, clients are addresses, any
    text is a user, and the first word behind the last value is the id of the request.
    """

    layouts: tuple[Layout, ...]
    places: Places
    of_gateway: bool = False

    def parse(
        self, lines: Lines, identity: Identity, settings: ParseSettings
    ) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """Read the lines of a usual shape; see `FastPath`."""
        # Machine code is loaded, or compiled, where lines are parsed only: never for --help.
        from ingest.parse.kernels.directives import parse_layout

        return parse_layout(lines, identity, settings, reading=self)


def reading_of(*layouts: Layout, of_gateway: bool = False) -> Reading | None:
    """Return how kernels read `layouts`, None for lines that only the reference parser reads."""
    places = places_of(layouts[0])
    if places is None:
        return None
    return Reading(layouts=layouts, places=places, of_gateway=of_gateway)
