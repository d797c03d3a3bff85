"""Fixtures of all tests. Real neighbours are in tests/fixtures, one module each."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Reference inputs are kept beside the project, not in it: a public clone has none.
REFERENCE = ROOT.parent / "shared"
REFERENCE_FIXTURES = frozenset(("seed_csv", "hackers_log", "field_cases"))
_LEFT_OUT = pytest.StashKey[list[str]]()

pytest_plugins = [
    f"fixtures.{path.stem}" for path in sorted((ROOT / "tests/fixtures").glob("*.py"))
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the reference inputs, where there are none at all."""
    if REFERENCE.is_dir():
        return
    left_out = [item for item in items if needs_reference(item)]
    items[:] = [item for item in items if not needs_reference(item)]
    config.hook.pytest_deselected(items=left_out)
    config.stash[_LEFT_OUT] = [item.nodeid for item in left_out]


def needs_reference(item: pytest.Item) -> bool:
    """Return whether the test, or a fixture of it, takes a reference input."""
    return not REFERENCE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the tests that were left out."""
    left_out = config.stash.get(_LEFT_OUT, [])
    if left_out:
        terminalreporter.section("left out")
        terminalreporter.write_line(f"{REFERENCE} holds the reference inputs, and is not there:")
        for name in left_out:
            terminalreporter.write_line(f"  {name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI: what was not tested must not look tested there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI skips nothing: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def seed_csv() -> Path:
    """The reference input that users start with: 18,501 rows."""
    return REFERENCE / "data" / "Schematic_Log.csv"


@pytest.fixture(scope="session")
def hackers_log() -> Path:
    """3,456 real combined lines of an attacked server."""
    return REFERENCE / "data" / "hackers-access.log"


@pytest.fixture(scope="session")
def field_cases() -> Path:
    """Small inputs after public bug reports, a folder each with its right values."""
    return REFERENCE / "cases" / "field"
