"""The build marker: whether the marts are up to date with landing and the dbt project.

It holds a hash of everything that determined the last successful build: the version of the ledger
that readers saw, and the bytes of each file of the dbt project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ingest.settings import Settings

_PROJECT = ("dbt_project.yml", "macros", "models", "profiles", "seeds", "tests/dbt")


def build_key(settings: Settings, ledger_version: str) -> str:
    """Return the hash of what a `dbt build` would be made from, over this version of the ledger."""
    digest = hashlib.sha256(f"{settings.target} {ledger_version}".encode())
    for path in _project_files(settings.root):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{path.relative_to(settings.root)} {content}".encode())
    return digest.hexdigest()


def is_built(settings: Settings, key: str) -> bool:
    """Return whether the last successful build was made from the same inputs."""
    marker = _marker(settings)
    return marker.is_file() and marker.read_text() == key


def mark_stale(settings: Settings) -> None:
    """Forget the last build: the next one may be interrupted."""
    _marker(settings).unlink(missing_ok=True)


def mark_built(settings: Settings, key: str) -> None:
    """Remember a successful build."""
    _marker(settings).parent.mkdir(parents=True, exist_ok=True)
    _marker(settings).write_text(key)


def _marker(settings: Settings) -> Path:
    # Beside the tables that it describes, so that both are deleted together.
    return settings.data / "warehouse" / "_built"


def _project_files(root: Path) -> Iterator[Path]:
    for name in _PROJECT:
        place = root / name
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        yield from (path for path in found if path.is_file())
