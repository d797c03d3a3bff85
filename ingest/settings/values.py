"""Typed values from the tables of clickstream.toml; problems are collected, not raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, TypeGuard

FILE = "clickstream.toml"
_A_TEXT = "a non-empty string"
_AUTO = "auto"
_NO_LIMIT = 1_000_000_000


class Table:
    """One table. Each method returns the value of a key, or the default when it is not there.

    A wrong value is noted in `problems` and treated as if it were not there. Keys that no method
    was asked for are unknown: `check_names` notes them, so that no typo is ignored.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        problems: list[str],
        *,
        name: str = "",
        called: Mapping[str, str] | None = None,
        typed: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        """`name` is empty for the whole file; `called` names keys that come from elsewhere.

        `typed` makes the value of a key that is not a text, where all that is there are texts.
        """
        self.problems = problems
        self._values = values
        self._name = name
        self._called = called or {}
        self._typed = typed
        self._asked: dict[str, None] = {}
        self._tables: list[Table] = []

    def table(self, key: str, *, overrides: Mapping[str, tuple[str, str]] | None = None) -> Table:
        """Return the table `[key]`, empty when there is none.

        `overrides` are values of its keys from elsewhere: key -> (name of the place, value).
        """
        found = self._get(key, {})
        if not isinstance(found, dict):
            self.wrong(key, f"written as a [{key}] table")
            found = {}
        called = {name: place for name, (place, _) in (overrides or {}).items()}
        values = {name: value for name, (_, value) in (overrides or {}).items()}
        return self._below({**found, **values}, self._place(key), called)

    def is_empty(self) -> bool:
        """Return whether the table has no key at all."""
        return not self._values

    def tables(self, key: str) -> list[Table]:
        """Return all the tables `[[key]]` in order."""
        found = self._get(key, [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            self.wrong(key, f"written as [[{key}]] tables")
            return []
        return [self._below(entry, f"{self._place(key)}[{i}]") for i, entry in enumerate(found)]

    def text(
        self, key: str, *, fits: Callable[[str], object] = str.strip, wanted: str = _A_TEXT
    ) -> str | None:
        """Return a text that `fits` (default: not blank), None when there is none."""
        value = self._get(key, None)
        if value is not None and not (isinstance(value, str) and fits(value)):
            self.wrong(key, wanted)
            return None
        return value

    def required(
        self, key: str, *, fits: Callable[[str], object] = str.strip, wanted: str = _A_TEXT
    ) -> str:
        """Return a text as `text` does; a missing one is a problem too, and gives empty text."""
        if self._get(key, None) is None:
            self.wrong(key, wanted)
        return self.text(key, fits=fits, wanted=wanted) or ""

    def choice(self, key: str, choices: Sequence[str]) -> str | None:
        """Return one of `choices`, None when there is none."""
        wanted = f"{', '.join(choices[:-1])} or {choices[-1]}"
        return self.text(key, fits=choices.__contains__, wanted=wanted)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "true or false")
            return default
        return value

    def whole(self, key: str, default: int, *, least: int, most: int, step: int = 1) -> int:
        """Return a whole number from `least` to `most` that is a multiple of `step`."""
        value = self._value(key, default)
        if not _is_whole(value, least, most):
            self.wrong(key, f"a whole number from {least} to {most}")
            return default
        if value % step:
            self.wrong(key, f"a multiple of {step}")
            return default
        return value

    def whole_or_auto(self, key: str, *, least: int, most: int) -> int | None:
        """Return a whole number from `least` to `most`, None for "auto", which is the default."""
        value = self._get(key, _AUTO)
        if value == _AUTO:
            return None
        if not _is_whole(value, least, most):
            self.wrong(key, f"{_AUTO} or a whole number from {least} to {most}")
            return None
        return value

    def limit(self, key: str) -> int | None:
        """Return a whole number from 0 on, None when there is none."""
        if self._get(key, None) is None:
            return None
        return self.whole(key, 0, least=0, most=_NO_LIMIT)

    def ratio(self, key: str, default: float) -> float:
        """Return a share from 0 to 1."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            self.wrong(key, "a number from 0 to 1")
            return default
        return float(value)

    def price(self, key: str) -> Decimal:
        """Return an amount of money from 0 on, with the digits that were written.

        A missing one is a problem too, and gives 0.
        """
        value = self._get(key, None)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not isfinite(value) or value < 0:
            self.wrong(key, "a number from 0 on")
            return Decimal(0)
        return Decimal(str(value))

    def time(self, key: str, default: datetime) -> datetime:
        """Return a time in UTC; in the file it must have an offset."""
        value = self._value(key, default)
        try:
            if isinstance(value, datetime) and value.tzinfo is not None:
                return value.astimezone(UTC)
        except OverflowError:  # the first and the last day that Python knows, in another zone
            pass
        self.wrong(key, "a time with an offset, such as 1995-01-01T00:00:00Z, without quotes")
        return default

    def texts(self, key: str, *, least: int = 1) -> tuple[str, ...] | None:
        """Return a list of at least `least` texts, None when there is none."""
        value = self._value(key, None)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) < least or not all(map(_is_text, value)):
            self.wrong(key, "a list of non-empty strings")
            return None
        return tuple(value)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...] | None:
        """Return a table of texts as (key, value) pairs sorted by key, None when there is none."""
        value = self._value(key, None)
        if value is None:
            return None
        if not isinstance(value, dict) or not value or not all(map(_is_text, value.values())):
            self.wrong(key, "a table of non-empty strings")
            return None
        return tuple(sorted(value.items()))

    def wrong(self, key: str, wanted: str) -> None:
        """Note that the value of `key` is not what is `wanted`."""
        value = self._get(key, None)
        found = "is missing" if value is None else f"= {_as_written(value)}"
        place = self._called.get(key) or f"{FILE}: {self._place(key)}"
        self.problems.append(f"{place} {found}: must be {wanted}")

    def check_names(self) -> None:
        """Note each key, here and in the tables below, that nothing was asked for."""
        kind = "key" if self._name else "section"
        for key in self.unknown:
            known = ", ".join(self.known)
            self.problems.append(f"{FILE}: unknown {kind} {self._place(key)}; known: {known}")
        for table in self._tables:
            table.check_names()

    @property
    def known(self) -> tuple[str, ...]:
        """The keys that were asked for so far."""
        return tuple(self._asked)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The keys that are there and were not asked for."""
        return tuple(key for key in self._values if key not in self._asked)

    def _value(self, key: str, default: Any) -> Any:
        return self._typed(self._get(key, default))

    def _get(self, key: str, default: Any) -> Any:
        self._asked[key] = None
        return self._values.get(key, default)

    def _place(self, key: str) -> str:
        return self._called.get(key) or (f"{self._name}.{key}" if self._name else key)

    def _below(
        self, values: Mapping[str, Any], name: str, called: Mapping[str, str] | None = None
    ) -> Table:
        table = Table(values, self.problems, name=name, called=called)
        self._tables.append(table)
        return table


def _as_written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: object, least: int, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
