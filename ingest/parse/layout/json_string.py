"""nginx's log_format with escape=json: which key holds which variable, section 4.3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ingest.parse.json_keys import Key, Keys, is_kept_as_it_is
from ingest.parse.json_object import Path
from ingest.parse.layout.meanings import Meaning, variable
from ingest.parse.layout.strings import LayoutError, check_length

_OBJECT = re.compile(r'\s*\{\s*"')
_NAME = r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))"
_VARIABLE = re.compile(_NAME)
# A text of JSON, or a variable outside of one: nginx writes numbers like that.
_TEXT_OR_VARIABLE = re.compile(rf'"(?:[^"\\]|\\.)*"|{_NAME}', re.DOTALL)
_SECONDS = 1000  # in milliseconds


def is_json(string: str) -> bool:
    """Return whether the log format `string` writes objects of JSON."""
    return _OBJECT.match(string) is not None


@lru_cache(maxsize=256)
def variables_of(string: str) -> tuple[tuple[Path, Meaning], ...]:
    """Return where in an object the value of which variable is, in the order of `string`.

    A text around several variables is none of them. Raises LayoutError.
    """
    check_length(string)
    try:
        found = tuple(_variables(json.loads(_TEXT_OR_VARIABLE.sub(_quoted, string)), ()))
    except RecursionError:
        raise LayoutError("objects are nested too deeply", string, 0) from None
    except json.JSONDecodeError as error:
        at = error.pos - _added_before(string, error.pos)
        raise LayoutError("this is not valid JSON", string, at) from None
    if not found:
        raise LayoutError("has no nginx $variable as a value", string, 0)
    return found


def names_of(string: str) -> Keys:
    """Return the table of `string`: of several keys for one target the lowest rank comes first."""
    table: dict[str, list[Key]] = {}
    for path, meaning in sorted(variables_of(string), key=lambda pair: pair[1].rank):
        # What is there under its own name anyway keeps the type that it has.
        if path != (meaning.target,) or not is_kept_as_it_is(meaning.target):
            table.setdefault(meaning.target, []).append(Key((path,), _unit(meaning)))
    return table


def _unit(meaning: Meaning) -> str | None:
    is_seconds = meaning.time is not None or meaning.unit == _SECONDS
    return "s" if is_seconds else None


def _quoted(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else f'"{match[0]}"'


def _added_before(string: str, at: int) -> int:
    """Return how many quotes were added to `string` before character `at` of the result."""
    added = 0
    for match in _TEXT_OR_VARIABLE.finditer(string):
        if not match[0].startswith('"') and match.start() + added < at:
            added += len('""')
    return added


def _variables(value: Any, path: Path) -> Iterator[tuple[Path, Meaning]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _variables(member, (*path, name))
    elif isinstance(value, str) and (match := _VARIABLE.fullmatch(value)) is not None:
        yield path, variable(match[1] or match[2])
