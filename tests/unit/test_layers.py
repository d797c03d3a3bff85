"""Imports run downwards only: each level may import what is below it, never above or beside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "ingest"
# The rooms of `docs/architecture.md`, from the command line down to what knows nothing of logs.
LAYERS = (
    {"cli"},
    {"pipeline"},
    {"books", "report", "weblogs"},
    {"job", "warehouse", "search"},
    {"parse", "spark", "local_search", "sample", "emr"},
    {"lake"},
    {"storage"},
    {"render", "settings", "java"},
    {"pseudonyms"},
    {"allocator", "contract", "errors", "poll", "terminal", "unpack"},
)
LEVELS = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def test_imports_run_downwards_only() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE.parent)} imports ingest.{theirs}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for theirs in _rooms_imported(path)
        if not _allowed(_room(path), theirs)
    ]
    assert wrong == []


def test_every_room_has_a_level() -> None:
    rooms = {_room(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert rooms == LEVELS.keys()


def test_one_module_names_the_classes_of_the_search_client() -> None:
    """Another client, or another search server, is a change of one module."""
    naming = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for name in _modules_imported(path)
        if name.partition(".")[0] in ("elasticsearch", "elastic_transport")
    }
    assert naming == {"search/client.py"}


def test_an_import_upwards_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "probe.py"
    path.write_text(
        "def run():\n    from ingest.cli.common import show\n    import ingest.lake.seal\n"
    )
    assert list(_rooms_imported(path)) == ["cli", "lake"]
    assert not _allowed("job", "cli")
    assert not _allowed("job", "search")
    assert _allowed("job", "lake")


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _allowed(mine: str, theirs: str) -> bool:
    return mine == theirs or LEVELS[mine] < LEVELS[theirs]


def _rooms_imported(path: Path) -> Iterator[str]:
    for name in _modules_imported(path):
        first, _, rest = name.partition(".")
        room = rest.partition(".")[0]
        if first == "ingest" and not room.startswith("__"):
            yield room


def _modules_imported(path: Path) -> Iterator[str]:
    """Yield the modules that `path` imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from ingest import errors` names the room behind the import.
            bare = node.module == "ingest"
            yield from (f"ingest.{a.name}" for a in node.names) if bare else (node.module,)
