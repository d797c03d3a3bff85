"""What a format of fields between blanks declares, so that kernels read its usual lines.

Plain values and rules only: kernels, and numba with them, are imported where lines are parsed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum, auto

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.model import Identity, Lines
from ingest.settings import ParseSettings


class Written(IntEnum):
    """How a field is written. QUOTED ones may be a lone `-`, ANY are words or quoted."""

    WORD = 1
    QUOTED = 2
    ANY = 3
    BRACKETED = 4


class Value(Enum):
    """What a field holds. Durations add up to duration_ms, and are kept as milliseconds."""

    TEXT = auto()
    COUNT = auto()
    STATUS = auto()
    SECONDS = auto()
    MILLISECONDS = auto()
    ISO_TIME = auto()
    CLF_TIME = auto()
    CLIENT = auto()
    HOST_PORT = auto()
    REQUEST = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """A field and where its value goes: `target` is a column, or else a key of `extra`.

    None = only into the columns that its kind of value has anyway. Lines with a text that does not
    pass `check`, or without a `required` one, are left to the reference parser. `event_type` says
    which type an event has that no parameter replaces, None for any other; that of a request is
    asked for what is not one.
    """

    value: Value = Value.TEXT
    target: str | None = None
    written: Written = Written.ANY
    check: Callable[[str], object] | None = None
    required: bool = False
    event_type: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spaced:
    """The usual lines of a format: `fields` in their order, with a blank between two.

    One is a time, one a client, one a request. Lines have as many as one of `widths` says, or more
    than there are: the surplus is `extra_fields`. `escapes` says that a backslash takes the meaning
    of the quote or backslash behind it. `needs_request` is False where a missing request needs no
    warning. `server_is_host`: the host of the URL is the server, unless the line names another.
    """

    fields: tuple[Field, ...]
    widths: frozenset[int]
    bytes_scope: str
    escapes: bool = True
    needs_request: bool = True
    server_is_host: bool = False

    def parse(
        self, lines: Lines, identity: Identity, settings: ParseSettings
    ) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """Read the lines of this shape; see `FastPath`."""
        # Machine code is loaded, or compiled, where lines are parsed only: never for --help.
        from ingest.parse.kernels.spaced import parse_spaced

        return parse_spaced(lines, identity, settings, self)
