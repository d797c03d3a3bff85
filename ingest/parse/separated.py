"""What a format declares of lines whose columns are between delimiters, for kernels to read them.

The rules stay those of the format: a `put` is the function of its reference parser, and asked once
for each different text. Nothing here loads numba.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.model import Identity, Lines
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings

# Lines with more columns would need large arrays, and are no log that there is.
MOST_COLUMNS = 128
# Stores a text, neither empty nor `-`; raises Unsure, or BadTime.
Put = Callable[[Event, str], None]


class Unsure(Exception):
    """Only the reference parser knows what this text means."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A column of few different texts: `put` is asked what it stores of each.

    Lines of which it fills `extra` are left to the reference parser. Of two that store the same
    event column the first that stores something wins, and neither may warn.
    """

    put: Put


@dataclass(frozen=True, slots=True)
class AskedClient:
    """A column of clients: `put` is asked as that of `Asked` is, but not about IPv4 addresses.

    Those are many, and go into both client columns as they are.
    """

    put: Put


@dataclass(frozen=True, slots=True)
class Together:
    """One of the columns whose `put`s store one event, in order, and may fill `extra`.

    They are asked once for each different row of the texts of all these columns.
    """

    put: Put


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number for the event column `column`."""

    column: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text for the event column `column`, as it is."""

    column: str


@dataclass(frozen=True, slots=True)
class Domain:
    """A URL whose domain is for the event column `column`."""

    column: str


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """A decimal, in `unit` milliseconds, for the event column `column`."""

    column: str
    unit: int


@dataclass(frozen=True, slots=True)
class Member:
    """A text of `extra`, under `key`."""

    key: str


@dataclass(frozen=True, slots=True)
class PortMember:
    """A port: a number of `extra`, under `key`."""

    key: str


@dataclass(frozen=True, slots=True)
class SecondsMember:
    """A decimal in seconds: a number of milliseconds in `extra`, under `key`."""

    key: str


class Role(Enum):
    """A column that means something together with others of its line.

    The time of a line is one of the EPOCHs, or DATE and CLOCK, or what a `put` stores as
    event_time. A line without any has no timestamp.
    """

    DATE = "yyyy-MM-dd"
    CLOCK = "HH:mm:ss"
    EPOCH_MS = "milliseconds since 1970"
    EPOCH_S = "seconds since 1970"
    PATH = "path of a request"
    QUERY = "query of a request"
    REFERRER = "referrer of a request"
    COOKIE = "cookies of a request"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The column of a role, percent-encoded once more than it was sent."""

    role: Role


Reader = (
    Asked
    | AskedClient
    | Together
    | Count
    | Text
    | Domain
    | Milliseconds
    | Member
    | PortMember
    | SecondsMember
    | Role
    | Encoded
)
Kind = TypeVar("Kind")


def _leave(_event: Event) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Separated:
    """How lines are read whose columns are between delimiters. With a PATH they are web requests.

    `readers` are pairs of the number of a column, from 0, and what reads it; a column may have
    several, or none. `width` is the number of columns, `widths` are all numbers that a line may
    have without a warning. `path_has_query`: the query follows the path behind the first `?`; it is
    put where the column of queries is, which may be a further one behind those of the line.
    `quotes`: columns may be quoted as in CSV. `merges`: several delimiters are as one. `finish` is
    called on the event of the columns read `Together`. `usual` are the values of event columns
    where no reader stores one. `memory` is what was found out for earlier lines: answers of the
    `put`s, and the readers by kind.
    """

    delimiter: str
    width: int
    widths: frozenset[int]
    readers: tuple[tuple[int, Reader], ...]
    quotes: bool = False
    merges: bool = False
    path_has_query: bool = False
    finish: Callable[[Event], None] = _leave
    usual: Mapping[str, str] = field(default_factory=dict)
    memory: dict[object, Any] = field(init=False, default_factory=dict, compare=False)

    def begins_with_time(self) -> bool:
        """Return whether a line begins with its time."""
        times = (Role.DATE, Role.CLOCK, Role.EPOCH_MS, Role.EPOCH_S)
        return any(slot == 0 and reader in times for slot, reader in self.readers)

    def parse(
        self, lines: Lines, identity: Identity, settings: ParseSettings
    ) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        """Read the lines of a usual shape; see `FastPath`."""
        from ingest.parse.kernels.separated import parse_separated

        return parse_separated(lines, identity, settings, layout=self)

    def opening(self, lines: Lines) -> npt.NDArray[np.int64]:
        """Return the numbers of the lines that may end inside a quoted column."""
        from ingest.parse.kernels.separated import opening_lines

        return opening_lines(lines, self.delimiter)

    def of(self, kind: type[Kind]) -> list[tuple[int, Kind]]:
        """Return the readers of one kind, with their columns."""
        if kind not in self.memory:
            self.memory[kind] = [pair for pair in self.readers if isinstance(pair[1], kind)]
        found: list[tuple[int, Kind]] = self.memory[kind]
        return found
