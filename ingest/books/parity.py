"""Two targets of one lake hold the same marts: every row of every mart, exactly.

Engines differ in how they return a value, not in the value: a total is a bigint here and a numeric
there. So rows are compared as texts that spell each value in one way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

from ingest.books.verify import Verification
from ingest.errors import ClickstreamError, SettingsError
from ingest.lake.checks import Check, first_few
from ingest.lake.states import LIVE
from ingest.terminal.text import count_of, printable
from ingest.warehouse import Warehouse
from ingest.warehouse.marts import MartTable, read_tables

# Rows of a mart that are named; the count says how many there are.
_SHOWN = 10
_NOTHING = "null"
# More digits than a decimal of either engine has.
_EXACT = Context(prec=60)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A target and its rows of one mart, those that the other one has as well included."""

    target: str
    rows: Counter[Row]


def compare_targets(root: Path, warehouses: Mapping[str, Warehouse]) -> Verification:
    """Compare what the targets have loaded, and their marts, with those of the first one.

    `warehouses` are by target, `root` is the dbt project. Raises ClickstreamError when the marts of
    a target cannot be read, which names the target, SettingsError when it lacks one.
    """
    tables = read_tables(root)
    (first, of_first), *others = warehouses.items()
    checks: list[Check] = []
    for second, of_second in others:
        checks.append(_loaded_check({first: of_first, second: of_second}))
        checks += [
            _mart_check(table, _read(table, first, of_first), _read(table, second, of_second))
            for table in tables
        ]
    return Verification(checks=tuple(checks))


def _loaded_check(warehouses: Mapping[str, Warehouse]) -> Check:
    live = {target: _live(warehouse) for target, warehouse in warehouses.items()}
    (first, of_first), (second, of_second) = live.items()
    only = {first: of_first - of_second, second: of_second - of_first}
    return Check(
        name=f"live batches: {first} = {second}",
        expected=len(of_first | of_second),
        found=len(of_first & of_second),
        detail="; ".join(
            f"only in {target}: {first_few(sorted(ids))}; run `clickstream run` on the other target"
            for target, ids in only.items()
            if ids
        ),
    )


def _live(warehouse: Warehouse) -> set[str]:
    return {one for one, batch in warehouse.ledger().batches.items() if batch.state == LIVE}


def _read(table: MartTable, target: str, warehouse: Warehouse) -> _Side:
    columns = ", ".join(table.columns)
    try:
        found = warehouse.query(f"select {columns} from {warehouse.schemas.marts}.{table.name}")  # noqa: S608
    except ClickstreamError as error:
        if not warehouse.exists(f"{warehouse.schemas.marts}.{table.name}"):
            raise SettingsError(
                f"target {target} has no {table.name}:"
                f" run `clickstream run --target {target}` first"
            ) from error
        error.args = (f"{table.name} of target {target} cannot be read: {error}",)
        raise
    return _Side(target=target, rows=Counter(tuple(map(_spelled, row)) for row in found.rows))


def _spelled(value: Any) -> str:
    """Return the one spelling of a value, whatever type the engine gives it."""
    match value:
        case None:
            return _NOTHING
        case bool():
            return str(value).lower()
        case int() | Decimal() | float():
            return _number(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
        case datetime():
            utc = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
            return utc.isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
    return repr(str(value))  # so that no text is null, or a number


def _number(value: Decimal) -> str:
    if not value.is_finite():
        return str(value)
    return f"{_EXACT.normalize(value) or Decimal(0):f}"  # -0 is 0


def _mart_check(table: MartTable, first: _Side, second: _Side) -> Check:
    differing = [*_differences(table, first, second)]
    some = differing[:_SHOWN]
    left_out = f"; and {len(differing) - len(some):,} more" if len(differing) > len(some) else ""
    return Check(
        name=f"{table.name}: {first.target} = {second.target}",
        expected=(first.rows | second.rows).total(),
        found=(first.rows & second.rows).total(),
        detail="; ".join(some) + left_out,
    )


def _differences(table: MartTable, first: _Side, second: _Side) -> Iterator[str]:
    """Yield what differs about each key, in the order of keys: both values, or who lacks it."""
    sides = [_by_key(table, first, second), _by_key(table, second, first)]
    for key in sorted(sides[0].keys() | sides[1].keys()):
        left, right = (side.get(key, []) for side in sides)
        named = printable(", ".join(map("{}={}".format, table.key, key)))
        if len(left) == len(right) == 1:
            yield f"{named}: {_unequal(table, left[0], right[0])}"
        else:
            yield (
                f"{named}: {count_of(len(left), 'row')} in {first.target}, {len(right)} in"
                f" {second.target}"
            )


def _by_key(table: MartTable, side: _Side, other: _Side) -> dict[Row, list[Row]]:
    """Return the rows that only `side` has by their keys."""
    places = [table.columns.index(name) for name in table.key]
    found: dict[Row, list[Row]] = {}
    for row in (side.rows - other.rows).elements():
        found.setdefault(tuple(row[place] for place in places), []).append(row)
    return found


def _unequal(table: MartTable, left: Sequence[str], right: Sequence[str]) -> str:
    return ", ".join(
        printable(f"{name} {one} != {other}")
        for name, one, other in zip(table.columns, left, right, strict=True)
        if one != other
    )
