"""Other readers of the same logs: wall time on two cores, and CPU time a line."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import polars as pl
import psutil
import pyarrow.json
import pyarrow.parquet as pq

from bench.contenders import CSV_NAMES, Contender, arrow_csv, clickstream, emptied
from bench.lines import Visit, combined
from ingest.lake.parquet import ROW_GROUP_ROWS
from ingest.settings import ParseSettings

ROUNDS = 3
OURS = "clickstream"
GOACCESS = "GoAccess"
NO_GOACCESS = "GoAccess is not installed: `apt-get install goaccess` brings it, and its row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How long one pass took: wall time and the CPU time of all processes, in seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log that several programs read: how a visit is written, and who reads it."""

    written: Callable[[Visit], str]
    contenders: Mapping[str, Callable[[], AbstractContextManager[Contender]]]


def nginx_json(visit: Visit) -> str:
    """Return the line of `visit` as nginx writes objects, of eight members."""
    return (
        f'{{"time_iso8601":"{visit.at:%Y-%m-%dT%H:%M:%S}+00:00","remote_addr":"{visit.client}",'
        f'"request":"GET {visit.target} HTTP/1.1","status":"{visit.status}",'
        f'"body_bytes_sent":"{visit.size}","request_time":"0.{visit.number % 1000:03}",'
        f'"http_referer":"{visit.referrer}","http_user_agent":"{visit.agent}"}}\n'
    )


@contextmanager
def polars_csv() -> Iterator[Contender]:
    """Yield polars' scan_csv: columns split at blanks outside quotes, none of them interpreted."""
    scan = partial(
        pl.scan_csv,
        separator=" ",
        has_header=False,
        new_columns=list(CSV_NAMES),
        infer_schema=False,
        truncate_ragged_lines=True,  # it knows no escaped quotes
        ignore_errors=True,
    )
    yield lambda path, out: _by_polars(scan(path).collect(), out)


@contextmanager
def polars_json() -> Iterator[Contender]:
    """Yield polars' read_ndjson: a column for each member."""
    yield lambda path, out: _by_polars(pl.read_ndjson(path), out)


def _by_polars(frame: pl.DataFrame, out: Path) -> int:
    frame.write_parquet(out / "polars.parquet", compression="snappy", row_group_size=ROW_GROUP_ROWS)
    return frame.height


@contextmanager
def arrow_json() -> Iterator[Contender]:
    """Yield pyarrow.json: a column for each member."""
    yield _by_arrow_json


def _by_arrow_json(path: Path, out: Path) -> int:
    table = pyarrow.json.read_json(path)
    pq.write_table(table, out / "json.parquet", row_group_size=ROW_GROUP_ROWS, compression="snappy")
    return int(table.num_rows)


@contextmanager
def goaccess() -> Iterator[Contender]:
    """Yield GoAccess with its predefined format: it writes a report, not the lines."""
    yield _by_goaccess


def _by_goaccess(path: Path, out: Path) -> int:
    report = out / "report.json"
    # It takes what comes from standard input for a log too.
    subprocess.run(
        ["goaccess", path, "--log-format=COMBINED", "--no-progress", "-o", report],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    return int(json.loads(report.read_bytes())["general"]["valid_requests"])


LOGS: Mapping[str, Log] = {
    "combined": Log(
        written=combined,
        contenders={
            OURS: clickstream,
            "pyarrow.csv": arrow_csv,
            "polars scan_csv": polars_csv,
            GOACCESS: goaccess,
        },
    ),
    "nginx_json": Log(
        written=nginx_json,
        contenders={
            OURS: partial(clickstream, ParseSettings(format="nginx_json")),
            "pyarrow.json": arrow_json,
            "polars read_ndjson": polars_json,
        },
    ),
}


def compare(name: str, path: Path) -> dict[str, list[Round]]:
    """Return the rounds of each contender over the log `name` at `path`, in turn and warm."""
    found: dict[str, list[Round]] = {}
    with ExitStack() as stack:
        contenders = {
            who: stack.enter_context(contender())
            for who, contender in LOGS[name].contenders.items()
            if who != GOACCESS or shutil.which("goaccess")
        }
        for contender in contenders.values():
            _round(contender, path)
        for _ in range(ROUNDS):
            for who, contender in contenders.items():
                found.setdefault(who, []).append(_round(contender, path))
    return found


def _round(contender: Contender, path: Path) -> Round:
    out = emptied(path.parent / "out")
    wall, cpu = time.perf_counter(), _cpu_seconds()
    rows = contender(path, out)
    done = Round(wall=time.perf_counter() - wall, cpu=_cpu_seconds() - cpu)
    assert rows > 0
    return done


def _cpu_seconds() -> float:
    """Return the CPU time of this process and all its children, those that ended too."""
    this = psutil.Process()
    spent = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    ended = this.cpu_times()
    return sum(t.user + t.system for t in spent) + ended.children_user + ended.children_system


HEADING = (
    f"{'format':14}{'by':20}{'bytes':>8}{'wall s':>9}{'/ ours':>9}{'ns':>9}{'MB/s':>8}"
    "   wall time: median; ns of CPU a line and MB/s of a core: least CPU"
)


def described(name: str, rounds: Mapping[str, Sequence[Round]], size: int, lines: int) -> str:
    """Return the lines of a table: one for each contender of a log of so many bytes and lines."""
    ours = median(one.wall for one in rounds[OURS])
    rows = []
    for who, its in rounds.items():
        wall, cpu = median(one.wall for one in its), min(one.cpu for one in its)
        rows.append(
            f"{name:14}{who:20}{size / lines:8.0f}{wall:9.2f}{wall / ours:9.2f}"
            f"{cpu / lines * 1e9:9,.0f}{size / cpu / 1e6:8.0f}"
        )
    return "\n".join(rows)
