"""`python -m bench`: speed as ratios, and the peak memory of a task. README.md explains them."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench import formats, rivals, search
from bench.contenders import Contender, arrow_csv, clickstream, emptied, spark_regexp
from bench.discovery import OBJECTS, Discovery, discovery
from bench.first_task import first_task
from bench.follow import FILES, LARGE_BYTES, appended_line, known_files
from bench.gateway import GatewayMissing
from bench.lines import write_lines
from bench.memory import peak_memory
from bench.search import CEILING, OURS, PARALLEL, Median
from bench.single import ADDITIONS, addition_seconds, hostile_milliseconds, reference_rate
from bench.throughput import Speed, throughput

ROUNDS = 3
CLICKSTREAM, CSV, REGEXP = "clickstream", "pyarrow.csv", "regexp_extract"
TARGETS = {CSV: "at most 1.2", REGEXP: "at most 0.1"}


def main() -> None:
    """Generate the input, measure and print."""
    options = _options()
    if options.search:
        _print_search(options.folder, events=options.events, rounds=options.rounds)
        return
    if options.formats:
        _print_formats(options.folder, lines=options.lines, rounds=options.rounds)
        return
    if options.first_task:
        _print_first_task(options.folder)
        return
    if options.s3:
        _print_s3(options.folder, lines=options.lines)
        return
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as folder:
        path = Path(folder) / "access.log"
        write_lines(path, lines=options.lines)
        size = path.stat().st_size
        print(f"{options.lines:,} combined lines, {size / 1e6:,.0f} MB", flush=True)
        _print_speed(_speed(path, spark=not options.no_spark), size)
        print(f"reference parser, one core: {reference_rate(path):,.0f} lines/s")
        print("hostile lines of 0.5 and 1 MB, ms:")
        for name, (half, whole) in hostile_milliseconds().items():
            print(f"  {name:16}{half:8.1f}{whole:8.1f}")
        for name, mebibytes in peak_memory(Path(folder)).items():
            print(f"peak memory of a task, {name}: {mebibytes:,.0f} MiB")
        _print_idle(Path(folder))
    if not options.no_spark:
        _print_first_task(options.folder)


def _print_first_task(where: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
        took = first_task(Path(folder))
    print(
        f"first task of a worker, kernels compiled: {took.wall:.2f} s (limit 1.5), "
        f"{took.cpu:.2f} of CPU"
    )


def _print_idle(folder: Path) -> None:
    first, second = known_files(folder)
    assert first.lines == second.lines == 0
    print(
        f"nothing new in {FILES:,} known files: {first.seconds:.1f} s with a checkpoint to write, "
        f"{second.seconds:.1f} s with one to read (limit 5)"
    )
    grown = appended_line(folder)
    assert grown.lines == 1
    print(
        f"one line appended to {LARGE_BYTES / 1e9:.1f} GB: {grown.seconds:.2f} s (limit 15), "
        f"{grown.bytes_read:,} bytes read (limit 1,000,000)"
    )


def _print_formats(where: Path | None, *, lines: int, rounds: int) -> None:
    print(formats.HEADING)
    for name in formats.FORMATS:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
            figures = formats.measure(name, Path(folder), lines=lines, rounds=rounds)
        print(formats.described(name, figures), flush=True)
    _print_rivals(where, lines=lines)


def _print_rivals(where: Path | None, *, lines: int) -> None:
    print(rivals.HEADING)
    for name, log in rivals.LOGS.items():
        with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
            path = Path(folder) / f"{name}.log"
            write_lines(path, lines=lines, written=log.written)
            rounds, size = rivals.compare(name, path), path.stat().st_size
        print(rivals.described(name, rounds, size, lines), flush=True)
    if not shutil.which("goaccess"):
        print(rivals.NO_GOACCESS)


def _print_s3(where: Path | None, *, lines: int) -> None:
    additions = addition_seconds()
    print(f"{ADDITIONS:,} additions in a Python loop: {additions:.1f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
        first, second = discovery(Path(folder))
        assert (first.lines, second.lines) == (1, 0)
        _print_discovery("a new object", first)
        _print_discovery("nothing new, a checkpoint to write", second)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder:
        path = Path(folder) / "access.log"
        write_lines(path, lines=lines)
        try:
            _print_throughput(throughput(path), path.stat().st_size)
        except GatewayMissing as error:
            print(f"S3 was not measured: {error}")


def _print_search(where: Path | None, *, events: int, rounds: int) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=where) as folder,
        search.search_server(Path(folder)) as settings,
    ):
        count = search.write_lake(settings, events=events)
        rate, size = search.render_rate(settings)
        print(f"{count:,} events, {size:,.0f} bytes a document; load {search.load()}")
        print(f"rendering, one core: {rate:,.0f} documents/s (at least 60,000)", flush=True)
        _print_ways(search.compare(settings, rounds=rounds))
        peaks = []
        for times in (1, 10):
            lake = replace(settings, lake=f"{settings.lake}-{times}")
            count = search.write_lake(lake, events=events * times, files=search.FILES * times)
            peaks.append(search.writer_peak(lake))
            print(
                f"peak memory of an export by {search.WRITERS} writers, {count:,} events: "
                f"{peaks[-1]:,.0f} MiB (at most 400 a writer)"
            )
        print(f"10 times the events: {peaks[1] / peaks[0]:.2f} times the memory (flat: below 1.25)")
        print(f"load {search.load()}")


def _print_ways(medians: Mapping[str, Median]) -> None:
    print(f"{'medians; CPU per 100,000':26}{'documents/s':>12}{'client s':>10}{'server s':>10}")
    for way, one in medians.items():
        print(f"{way:26}{one.rate:12,.0f}{one.client:10.2f}{one.server:10.2f}")
    ours, ceiling, parallel = medians[OURS], medians[CEILING], medians[PARALLEL]
    print(f"export / ready bodies: {ours.rate / ceiling.rate:.2f} (at least 0.8)")
    print(
        f"export / parallel_bulk: {ours.rate / parallel.rate:.1f} times the documents/s (at least"
        f" 2.5), 1/{parallel.client / ours.client:.1f} of the client CPU (at most 1/8)"
    )


def _print_discovery(what: str, run: Discovery) -> None:
    print(
        f"{what} in {OBJECTS:,} objects: {run.seconds:.1f} s after the listing"
        f" ({run.cpu_seconds:.1f} of CPU; limit 5), peak {run.peak_bytes / 1e6:,.0f} MB"
        f" (limit 1,000); the listing: {run.pages:,} pages, {run.listing_seconds:.1f} s",
        flush=True,
    )


def _print_throughput(speeds: Mapping[str, Speed], size: int) -> None:
    print(f"one core, {size / 1e6:,.0f} MB, MB/s of raw text: {'by the clock':>13}{'of CPU':>9}")
    for name, speed in speeds.items():
        print(f"{name:>40}{speed.wall:13.1f}{speed.cpu:9.1f}")
    folder, bucket = speeds["folder"], speeds["S3"]
    print(f"{'S3 / folder':>40}{bucket.wall / folder.wall:13.2f}{bucket.cpu / folder.cpu:9.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, help="where to write the input (4 GB)")
    parser.add_argument("--s3", action="store_true", help="measure only what S3 adds")
    parser.add_argument("--search", action="store_true", help="measure only the export")
    parser.add_argument("--formats", action="store_true", help="measure only the other formats")
    parser.add_argument("--events", type=int, default=400_000, help="of --search; 10x for memory")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of --search, --formats")
    parser.add_argument("--first-task", action="store_true", help="measure only that of a worker")
    parser.add_argument("--no-spark", action="store_true", help="leave out regexp_extract")
    return parser.parse_args()


def _speed(path: Path, *, spark: bool) -> dict[str, list[float]]:
    """Return the seconds of each contender per round, the order rotated from round to round.

    A pass of each before them is not measured.
    """
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {
            CLICKSTREAM: stack.enter_context(clickstream()),
            CSV: stack.enter_context(arrow_csv()),
        }
        if spark:
            contenders[REGEXP] = stack.enter_context(spark_regexp())
        names = list(contenders)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for name in names:
            _timed(contenders[name], path)
        for turn in range(ROUNDS):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                seconds[name].append(_timed(contenders[name], path))
        return seconds


def _timed(contender: Contender, path: Path) -> float:
    out = emptied(path.parent / "out")
    started = time.perf_counter()
    rows = contender(path, out)
    elapsed = time.perf_counter() - started
    assert rows > 0
    return elapsed


def _print_speed(seconds: Mapping[str, Sequence[float]], size: int) -> None:
    ours = median(seconds[CLICKSTREAM])
    print(f"{'':16}{'median s':>10}{'MB/s':>8}{'ours/its':>10}  target")
    for name, rounds in seconds.items():
        its = median(rounds)
        print(
            f"{name:16}{its:10.2f}{size / its / 1e6:8.0f}{ours / its:10.2f}  "
            f"{TARGETS.get(name, '')}"
        )


if __name__ == "__main__":
    main()
