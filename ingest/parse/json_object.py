"""A JSON object that is taken apart, member by member; what nobody takes goes to `extra`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ingest.parse.fields.extra import Number
from ingest.parse.verdict import Event

# Names of members, and digits as indexes of arrays, from the outside inwards.
Path = tuple[str, ...]
_INDEX_DIGITS = 9


def path_of(text: str) -> Path:
    r"""Return the path `text`: steps joined by `.`, where `\.` is a dot inside a name."""
    steps = text.replace("\\.", "\0").split(".")
    return tuple(step.replace("\0", ".") for step in steps)


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one object; `nulls` are texts that say nothing."""

    value: dict[str, Any]
    nulls: frozenset[str]

    def at(self, path: Path) -> Any:
        """Return what is at `path`, None when nothing is."""
        found: Any = self.value
        for step in path:
            found = _member(found, step)
        return found

    def place(self, paths: tuple[Path, ...]) -> tuple[Path, str] | None:
        """Return the first of `paths` at which a text, number or truth value is, and its text."""
        for path in paths:
            value = self.value.get(path[0]) if len(path) == 1 else self.at(path)
            text = None if value is None else self._text_of(value)
            if text is not None:
                return path, text
        return None

    def kept(self, path: Path) -> Any:
        """Return what `extra` keeps of the value at `path`, None for nothing."""
        return self._without_nulls(self.at(path))

    def drop(self, path: Path) -> None:
        """Take away what is at `path`; in an array its place stays."""
        *above, last = path
        holder = self.at(tuple(above))
        if isinstance(holder, dict):
            holder[last] = None
        elif isinstance(holder, list):
            holder[int(last)] = None

    def take(self, *paths: Path) -> str | None:
        """Return the first text at one of `paths`, and take it away."""
        place = self.place(paths)
        if place is None:
            return None
        self.drop(place[0])
        return place[1]

    def take_entry(
        self, array: Path, name: tuple[str, str], values: tuple[Path, ...], *, fold: bool = False
    ) -> str | None:
        """Take the first object in `array` with this (key, name) away; return its first text.

        `fold`: names are equal in any case.
        """
        entries = self.at(array)
        key, wanted = name
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            sent = entry.get(key) if isinstance(entry, dict) else None
            if sent == wanted or (fold and isinstance(sent, str) and sent.lower() == wanted):
                text = Members(entry, self.nulls).take(*values)
                if text is not None:
                    del entries[index]
                return text
        return None

    def _text_of(self, value: Any) -> str | None:
        """Return a text, number or truth value as text, None for all else and for nulls."""
        if isinstance(value, str):
            return None if value in self.nulls else value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            text = repr(value)
            return f"{Decimal(text):f}" if "e" in text else text
        if isinstance(value, int):
            return str(value)
        return value.text if isinstance(value, Number) else None

    def put_rest(self, event: Event) -> None:
        """Keep what nobody took in `extra`; where a key of ours is already, in `unplaced`."""
        rest = self._without_nulls(self.value) or {}
        taken = {key: rest.pop(key) for key in event.extra.keys() & rest.keys()}
        event.extra |= rest
        if taken:
            event.warnings.add("unplaced_text")
            event.extra["unplaced"] = taken

    def _without_nulls(self, value: Any) -> Any:
        """Return `value` without members that say nothing, None when it says nothing itself."""
        if isinstance(value, dict):
            kept = {key: self._without_nulls(member) for key, member in value.items()}
            return {key: member for key, member in kept.items() if member is not None} or None
        if isinstance(value, list):
            elements = [self._element(element) for element in value]
            return elements if any(element is not None for element in elements) else None
        return None if isinstance(value, str) and value in self.nulls else value

    def _element(self, value: Any) -> Any:
        """Return an element of an array: a text in it says something, whatever it is."""
        return self._without_nulls(value) if isinstance(value, dict | list) else value


def _member(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    is_index = step.isascii() and step.isdigit() and len(step) <= _INDEX_DIGITS
    if isinstance(holder, list) and is_index and int(step) < len(holder):
        return holder[int(step)]
    return None
