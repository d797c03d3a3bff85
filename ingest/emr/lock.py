"""What a job on a cluster needs of requirements.lock: all that we run, without Spark and tests."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection

from ingest.errors import SettingsError

# The cluster's own; what nothing else needs stays behind with it.
PROVIDED = ("pyspark",)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_VIA = re.compile(r"^    # +(?:via )?([A-Za-z0-9._-]+)$", re.MULTILINE)


def needed_packages(project: str) -> list[str]:
    """Return the names of the packages that the text of a pyproject.toml needs to run."""
    needed = tomllib.loads(project)["project"]["dependencies"]
    return [name[0] for one in needed if (name := _NAME.match(one))]


def job_lock(lock: str, packages: Collection[str]) -> str:
    """Return the entries of `lock` for `packages` and what they need, without what is PROVIDED.

    Hashes are kept, the order is that of the names. `lock` is text as `uv pip compile
    --generate-hashes` writes it: the comments below an entry name who needs it. Raises
    SettingsError when it has no entry for one of `packages`.
    """
    entries = _entries(lock)
    for name in packages:
        if name not in entries:
            raise SettingsError(f"requirements.lock has no {name}: regenerate it with: make lock")
    left = {name: entry for name, entry in entries.items() if name not in PROVIDED}
    wanted = left.keys() & packages
    while more := {n for n, e in left.items() if n not in wanted and _needed_by(e) & wanted}:
        wanted |= more
    return "".join(_without_comments(entries[name]) for name in sorted(wanted))


def _entries(lock: str) -> dict[str, str]:
    starts = [*_ENTRY.finditer(lock)]
    ends = [start.start() for start in starts[1:]] + [len(lock)]
    return {start[1]: lock[start.start() : end] for start, end in zip(starts, ends, strict=True)}


def _needed_by(entry: str) -> set[str]:
    return set(_VIA.findall(entry))


def _without_comments(entry: str) -> str:
    lines = (line for line in entry.splitlines() if not line.lstrip().startswith("#"))
    return "".join(f"{line}\n" for line in lines)
