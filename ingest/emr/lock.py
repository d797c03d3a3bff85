"""What a job on a cluster needs of requirements.lock: the ingest, without Spark, dbt and tests."""

from __future__ import annotations

import re
from collections.abc import Collection

from ingest.errors import SettingsError

# What driver and tasks import themselves. pyspark is the cluster's own.
JOB_PACKAGES = ("boto3", "click", "numpy", "psutil", "pyarrow", "rich")
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_VIA = re.compile(r"^    # +(?:via )?([A-Za-z0-9._-]+)$", re.MULTILINE)


def job_lock(lock: str, packages: Collection[str] = JOB_PACKAGES) -> str:
    """Return the entries of `lock` for `packages` and what they need, hashes kept, sorted by name.

    `lock` is text as `uv pip compile --generate-hashes` writes it: the comments below an entry name
    who needs it. Raises SettingsError when it has no entry for one of `packages`.
    """
    entries = _entries(lock)
    for name in packages:
        if name not in entries:
            raise SettingsError(f"requirements.lock has no {name}: renew it with: make lock")
    wanted = set(packages)
    while more := {n for n, e in entries.items() if n not in wanted and _needed_by(e) & wanted}:
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
