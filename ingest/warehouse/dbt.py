"""dbt in this process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from ingest.errors import ClickstreamError
from ingest.settings import Settings
from ingest.terminal.progress import progress
from ingest.warehouse.target import dbt_environment, profiles_dir


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A dbt node that failed, and what dbt or the engine said about it."""

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtSummary:
    """What one dbt command did: nodes by outcome. `passed` counts models, seeds and tests."""

    passed: int
    warned: int
    failed: int
    skipped: int
    failures: tuple[Failure, ...]
    seconds: float

    @property
    def success(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def run_dbt(settings: Settings, *args: str) -> DbtSummary:
    """Run the dbt command `args` in this process and return its outcome.

    The warehouse must be open: on Spark, dbt uses the session that is there.
    dbt prints nothing; its log is `<data>/logs/dbt.log`, its artifacts are in
    `<data>/dbt`. Failed models and tests are in the summary. Raises ClickstreamError when dbt
    itself cannot work: the project does not parse, an argument is wrong.
    """
    from dbt.cli.main import dbtRunner

    started = time.monotonic()
    with dbt_environment(settings), _shown(f"dbt {args[0]}") as show:
        runner = dbtRunner(callbacks=[show])
        outcome = runner.invoke([*_dbt_quiet(settings), *args, *_dbt_places(settings)])
    if outcome.exception is not None:
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        raise ClickstreamError(f"dbt {args[0]}: {outcome.exception}") from outcome.exception
    return _summary(outcome.result, time.monotonic() - started)


def write_docs(settings: Settings) -> Path:
    """Write dbt's documentation as one page, which needs no server, and return its path.

    Raises ClickstreamError when the project does not parse or dbt writes no page.
    """
    path = settings.data / "dbt" / "static_index.html"
    path.unlink(missing_ok=True)  # dbt does not always say that it failed
    run_dbt(settings, "docs", "generate", "--static")
    if not path.exists():
        raise ClickstreamError(
            f"dbt wrote no documentation; see {settings.data / 'logs' / 'dbt.log'} for the reason"
        )
    return path


@contextmanager
def _shown(label: str) -> Iterator[Callable[[Any], None]]:
    """Yield a listener to dbt's events that shows how many nodes are done."""
    done = count(1)
    # dbt calls from several threads at once: two bars would overwrite each other.
    one_at_a_time = Lock()
    with ExitStack() as stack:
        tell: list[Callable[[int], None]] = []

        def listen(event: Any) -> None:
            with one_at_a_time:
                if event.info.name == "LogStartLine" and not tell:
                    tell.append(stack.enter_context(progress(label, event.data.total)))
                elif event.info.name == "NodeFinished" and tell:
                    tell[0](next(done))

        yield listen


def _dbt_quiet(settings: Settings) -> list[str]:
    return [
        "--log-level=none",
        "--log-level-file=debug",
        f"--log-path={settings.data / 'logs'}",
        "--no-print",
        "--no-version-check",
    ]


def _dbt_places(settings: Settings) -> list[str]:
    return [
        f"--project-dir={settings.root}",
        f"--profiles-dir={profiles_dir(settings)}",
        f"--target={settings.target}",
        f"--target-path={settings.data / 'dbt'}",
    ]


def _summary(result: Any, seconds: float) -> DbtSummary:
    """Return the counts of a dbt result; commands that run no nodes have none."""
    results = list(getattr(result, "results", ()))
    counts = Counter(str(one.status) for one in results if not _is_hook(one))
    failures = tuple(
        Failure(name=_name(one), message=" ".join((one.message or "").split()))
        for one in results
        if str(one.status) in ("error", "fail", "runtime error", "partial success")
    )
    return DbtSummary(
        passed=counts["success"] + counts["pass"],
        warned=counts["warn"],
        failed=len(failures),
        skipped=counts["skipped"],
        failures=failures,
        seconds=seconds,
    )


def _is_hook(result: Any) -> bool:
    """Return whether `result` is of an on-run-start or on-run-end, which is not a node."""
    node = getattr(result, "node", None)
    return node is not None and str(node.unique_id).startswith("operation.")


def _name(result: Any) -> str:
    """Return what ran; the result of `run-operation` has an id and no node."""
    node = getattr(result, "node", None)
    return str(result.unique_id).rpartition(".")[2] if node is None else str(node.name)
