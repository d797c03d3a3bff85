"""The build marker: what the marts were last built from, and so what the next build has to do.

Pre-aggregates count each batch once and keep the counts. So another ledger needs an ordinary build
only, but another project a full refresh: otherwise only new batches would show the change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ingest.errors import ClickstreamError, ObjectUnreadable
from ingest.settings import Settings
from ingest.warehouse import Warehouse
from ingest.warehouse.clients import pseudonyms_of_marts
from ingest.warehouse.target import profiles_dir

# What decides the rows of a mart; the rest of a project only checks them, or tunes the engine.
_PROJECT = ("dbt_project.yml", "macros", "models", "seeds")
_NOTE = "built"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildMarker:
    """What a build is made from.

    `ledger` is the version that readers see. `project` is a hash of models, macros, seeds and vars,
    with the names of target and schema and the key of pseudonyms, `checks` one of the data tests
    and profiles. `built_by` is what dbt itself noted of the state of the project that the
    pre-aggregates are from, None before the first build: a bare `dbt run` changes it.
    """

    ledger: str
    project: str
    checks: str
    built_by: str | None

    def needs_full_refresh(self, last: BuildMarker | None) -> bool:
        """Return whether the pre-aggregates of the `last` good build (None = unknown) are wrong."""
        return last is None or (self.project, self.built_by) != (last.project, last.built_by)


def current_marker(settings: Settings, warehouse: Warehouse) -> BuildMarker:
    """Return what a build would be made from now."""
    schemas = warehouse.schemas
    profiles = profiles_dir(settings)
    return BuildMarker(
        ledger=warehouse.ledger().version,
        project=_hash(settings.root, _PROJECT, settings.target, schemas.marts, *_key(settings)),
        checks=_hash(settings.root, ("tests/dbt",), _hash(profiles, ("profiles.yml",))),
        built_by=_built_by(warehouse),
    )


def read_marker(warehouse: Warehouse) -> BuildMarker | None:
    """Return what the last successful build was made from, None when it is not known."""
    try:
        return BuildMarker(**json.loads(warehouse.notes.read(_NOTE)))
    except (ObjectUnreadable, ValueError, TypeError):  # never built, or by an older clickstream
        return None


def forget_marker(warehouse: Warehouse) -> None:
    """Forget the last build: a full refresh may be interrupted."""
    warehouse.notes.put(_NOTE, b"")  # whoever runs jobs on a cluster may not delete in the lake


def write_marker(warehouse: Warehouse, marker: BuildMarker) -> None:
    """Remember a successful build."""
    warehouse.notes.put(_NOTE, json.dumps(asdict(marker)).encode())


def _key(settings: Settings) -> tuple[str, ...]:
    """Return the mark of the key of pseudonyms, nothing where the marts have none."""
    pseudonyms = pseudonyms_of_marts(settings)
    return () if pseudonyms is None else (pseudonyms.mark,)


def _built_by(warehouse: Warehouse) -> str | None:
    relation = f"{warehouse.schemas.intermediate}.built_by"
    if not warehouse.exists(relation):
        return None
    try:
        ((state,),) = warehouse.query(f"select state from {relation}").rows  # noqa: S608
    except (ClickstreamError, ValueError):  # damaged, or empty: a full refresh makes it again
        return None
    return str(state)


def _hash(root: Path, names: Sequence[str], *texts: str) -> str:
    """Return the hash of `texts`, and of the path and bytes of each file below `names`."""
    digest = hashlib.sha256(repr(texts).encode())
    for path in _files(root, names):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{path.relative_to(root)} {content}".encode())
    return digest.hexdigest()


def _files(root: Path, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        place = root / name
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        yield from (path for path in found if path.is_file())
