"""The fast path of flat objects of texts, which are read as lines whose columns they name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.flat import Flat, FlatObjects
from ingest.parse.kernels.columns import Codes
from ingest.parse.kernels.events import in_order, read_pieces
from ingest.parse.kernels.grouped import Scanned
from ingest.parse.kernels.leaves import place
from ingest.parse.kernels.separated import Fields, read_fields, room_for
from ingest.parse.kernels.words import Positions
from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings


def parse_flat(
    lines: Lines, identity: Identity, settings: ParseSettings, *, objects: FlatObjects
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Return the events of the lines whose skeletons have a layout; see `read_pieces`."""
    read = partial(_read_piece, identity=identity, settings=settings, objects=objects)
    return read_pieces(lines, settings, read)


def _read_piece(
    lines: Lines,
    names: dict[str, str],
    *,
    identity: Identity,
    settings: ParseSettings,
    objects: FlatObjects,
) -> tuple[Positions, pa.Table]:
    scanned = Scanned(lines, settings)
    planned = scanned.planned(objects.known, lambda plan: id(plan.layout))
    return in_order(
        [
            read_fields(_fields(scanned, *group, lines=lines, settings=settings), names, identity)
            for group in planned
        ]
    )


def _fields(
    scanned: Scanned,
    rows: Positions,
    plan_of: Codes,
    plans: Sequence[Flat],
    *,
    lines: Lines,
    settings: ParseSettings,
) -> Fields:
    fields = Fields(
        lines=lines,
        numbers=rows,
        buffer=scanned.texts,
        spans=room_for(plans[0].layout, rows.size),
        plain=scanned.plain[rows],
        settings=settings,
        layout=plans[0].layout,
    )
    fills = [(slot, slot) for plan in plans for slot in plan.columns]
    starts = np.cumsum([0, *(len(plan.columns) for plan in plans)], dtype=np.uint32)
    place(
        scanned.firsts[rows], plan_of, *scanned.leaves,
        np.array(fills, dtype=np.uint32).reshape(-1, 2), starts, fields.begins, fields.stops,
    )  # fmt: skip
    return fields
