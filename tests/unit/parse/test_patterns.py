"""No pattern of the parser depends on how a version of Python treats what it newly can."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ingest.parse

# Broken before Python 3.11.5: (?>...), and with it x*+ and the like.
NEW_IN_3_11 = {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}


# In a process of its own, where nothing else has loaded the patterns.
COUNT = """
from ingest.parse.fields import possessive
possessive.P = ""
import test_patterns
print(len(test_patterns.patterns()), test_patterns.newer())
"""


def patterns() -> dict[str, re.Pattern[Any]]:
    """Return the patterns of all modules of the parser, by their names."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(ingest.parse.__path__, "ingest.parse.")
    ]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    }


def newer() -> list[str]:
    """Return the names of the patterns that are possessive or atomic."""
    return [name for name, pattern in patterns().items() if NEW_IN_3_11 & _operations(pattern)]


def test_no_pattern_is_possessive_or_atomic_where_that_is_wrong() -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    count, names = done.stdout.split(" ", 1)
    assert int(count) > 20
    assert names.strip() == "[]"


def test_some_are_where_that_is_right() -> None:
    assert bool(newer()) == (sys.version_info >= (3, 11, 5))


def test_they_are_found_in_the_depth_of_a_pattern() -> None:
    assert "POSSESSIVE_REPEAT" in _operations(re.compile(rb"(?:a|(b*+))?"))
    assert "ATOMIC_GROUP" in _operations(re.compile("x(?=(?>ab|a)c)"))


def _operations(pattern: re.Pattern[Any]) -> set[str]:
    parsed = importlib.import_module("re._parser").parse(pattern.pattern, pattern.flags)
    return set(_named(parsed))


def _named(part: Any) -> Iterator[str]:
    """Yield the names of all operations in a parsed pattern, which nests lists and tuples."""
    if hasattr(part, "name"):
        yield part.name
    elif isinstance(part, list | tuple) or hasattr(part, "data"):
        for inner in getattr(part, "data", part):
            yield from _named(inner)
