"""Fixtures of all tests. Real neighbours are in tests/fixtures, one module each."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.logrotate import has_logrotate
from support.older_python import older_python
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
# Reference inputs are kept beside the project, not in it: a public clone has none.
REFERENCE = ROOT.parent / "shared"
REFERENCE_FIXTURES = ("seed_csv", "hackers_log", "field_cases", "format_specification")
LIVE = "redshift_live"
# Folders of tests that share a Spark, a cluster or a server.
_NEIGHBOURS = ("tests/aws", "tests/e2e", "tests/integration")
# Modules there that need none of these, but a neighbour that no other module has.
_ON_THEIR_OWN = ("test_opensearch", "test_redshift_")
_LEFT_OUT = pytest.StashKey[list[str]]()

pytest_plugins = [
    f"fixtures.{path.stem}" for path in sorted((ROOT / "tests/fixtures").glob("*.py"))
]


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives the tests of one folder of real neighbours to one worker, all others by their module.

    `--dist loadgroup` would do, but xdist 3.8 sets names of tests that pytest 9 does not read.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        folder, _, name = module.rpartition("/")
        if name.startswith(_ON_THEIR_OWN):
            return module
        return folder if folder in _NEIGHBOURS else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    """Start one Spark and one search server for each folder, however many workers there are.

    The folders of real neighbours come first, in the order of their names: they take longest.
    """
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the reference inputs, or a program, where there are none at all."""
    missing: dict[str, str] = {}
    if not REFERENCE.is_dir():
        missing |= dict.fromkeys(REFERENCE_FIXTURES, f"{REFERENCE} is not there")
    if not has_logrotate():
        missing["logrotate"] = "logrotate is not installed (Debian: apt install logrotate)"
    if not older_python():
        missing["older_python_here"] = "no Python 3.11 that is older than this one was found"
    _leave_out_live(config, items)
    reasons = [(item, _reason(item, missing)) for item in items]
    items[:] = [item for item, reason in reasons if not reason]
    config.hook.pytest_deselected(items=[item for item, reason in reasons if reason])
    config.stash[_LEFT_OUT] = [f"{item.nodeid}: {reason}" for item, reason in reasons if reason]


def _leave_out_live(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs an account of somebody's, unless -m asks for it."""
    if LIVE not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker(LIVE)]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what lives as long as the run: a tenth of the time."""
    gc.collect()
    gc.freeze()


def _reason(item: pytest.Item, missing: Mapping[str, str]) -> str:
    """Return why the test, or a fixture of it, cannot be run; "" when it can."""
    names = getattr(item, "fixturenames", ())
    return next((missing[name] for name in names if name in missing), "")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker tell the terminal which tests it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(_LEFT_OUT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep what a worker told; each of them collects all tests, so one answer is enough."""
    node.config.stash[_LEFT_OUT] = node.workeroutput["left_out"]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name the tests that were left out, and why."""
    left_out = config.stash.get(_LEFT_OUT, [])
    if left_out:
        terminalreporter.section("left out")
        for line in left_out:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI: what was not tested must not look tested there."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI skips nothing: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def logrotate() -> None:
    """Ask for the program: a test without it is left out."""


@pytest.fixture(scope="session")
def older_python_here() -> None:
    """Ask for an older Python 3.11: a test without it is left out."""


@pytest.fixture(scope="session")
def seed_csv() -> Path:
    """The reference input that users start with: 18,501 rows."""
    return REFERENCE / "data" / "Schematic_Log.csv"


@pytest.fixture(scope="session")
def hackers_log() -> Path:
    """3,456 real combined lines of an attacked server."""
    return REFERENCE / "data" / "hackers-access.log"


@pytest.fixture(scope="session")
def format_specification() -> str:
    """The specification of formats; see REFERENCE."""
    return (REFERENCE / "spec/formats.md").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def field_cases() -> Path:
    """Small inputs after public bug reports, a folder each with its right values."""
    return REFERENCE / "cases" / "field"
