"""Three ways from a combined log to Parquet, each a callable on the same file and two cores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from ingest.contract import EVENTS
from ingest.job.task import prepare_worker
from ingest.lake.parquet import ROW_GROUP_ROWS, ParquetSink
from ingest.parse.model import Identity, ObjectVerdict
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings

CORES = 2
RANGE_BYTES = 64 << 20  # what one Spark task reads by default
SETTINGS = ParseSettings(format="access")
Contender = Callable[[Path, Path], int]


@contextmanager
def clickstream(
    settings: ParseSettings = SETTINGS, *, in_ranges: bool = True
) -> Iterator[Contender]:
    """Yield the ingest job without Spark: ranges of 64 MiB, one process per core, 50 columns.

    Unless `in_ranges` it reads the objects of a folder, one after the other in each process.
    """
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(CORES)))
        yield partial(_in_ranges if in_ranges else _in_objects, pool, settings)


def _warm(_: int) -> None:
    prepare_worker()


def _in_ranges(pool: ProcessPoolExecutor, settings: ParseSettings, path: Path, out: Path) -> int:
    """Parse equal ranges of at most 64 MiB, the same number for each core."""
    size = path.stat().st_size
    count = CORES * -(-size // (CORES * RANGE_BYTES))
    bounds = [size * part // count for part in range(count + 1)]
    files = [out / f"{part}.parquet" for part in range(count)]
    parse = partial(parse_range, settings=settings)
    return sum(pool.map(parse, [path] * count, bounds[:-1], bounds[1:], files))


def _in_objects(pool: ProcessPoolExecutor, settings: ParseSettings, path: Path, out: Path) -> int:
    def parse(log: Path) -> Future[int]:
        return pool.submit(parse_range, log, 0, None, out / f"{log.name}.parquet", settings)

    return sum(future.result() for future in [parse(log) for log in path.iterdir()])


def parse_range(
    path: Path, start: int, end: int | None, out: Path, settings: ParseSettings = SETTINGS
) -> int:
    """Parse the lines of `path` that start in [start, end) into the lake file `out`.

    Returns the number of events. That is what one task of the job does.
    """
    identity = Identity(
        source_file=path.name, batch_id="0" * 32, ingest_time=datetime(2024, 4, 1, tzinfo=UTC)
    )
    with path.open("rb", buffering=0) as file, ParquetSink(out, EVENTS) as sink:

        def read(first: int, last: int) -> bytes:
            return os.pread(file.fileno(), last - first, first)

        for item in parse_object(
            read,
            path.stat().st_size,
            name=path.name,
            identity=identity,
            settings=settings,
            start=start,
            end=end,
        ):
            if not isinstance(item, ObjectVerdict):
                sink.write(item.events)
        return sink.close().rows


CSV_NAMES = ("host", "ident", "user", "time", "zone", "request", "status", "bytes", "referrer",
              "agent")  # fmt: skip


@contextmanager
def arrow_csv(
    names: Sequence[str] = CSV_NAMES,
    *,
    all_text: bool = False,
    delimiter: str = " ",
    skip: int = 0,
) -> Iterator[Contender]:
    """Yield pyarrow.csv: columns split at delimiters outside quotes, none of them interpreted.

    It guesses which are numbers unless they are `all_text`. `skip` lines are passed over. A
    backslash escapes where a blank is the delimiter.
    """
    pa.set_cpu_count(CORES)
    types = dict.fromkeys(names, pa.string()) if all_text else None
    escape = "\\" if delimiter == " " else False
    yield partial(
        _by_arrow_csv,
        pyarrow.csv.ReadOptions(column_names=names, skip_rows=skip),
        pyarrow.csv.ParseOptions(delimiter=delimiter, escape_char=escape),
        pyarrow.csv.ConvertOptions(column_types=types),
    )


def _by_arrow_csv(
    read: pyarrow.csv.ReadOptions,
    parse: pyarrow.csv.ParseOptions,
    convert: pyarrow.csv.ConvertOptions,
    path: Path,
    out: Path,
) -> int:
    table = pyarrow.csv.read_csv(
        path, read_options=read, parse_options=parse, convert_options=convert
    )
    return _written(table, out)


def _written(table: pa.Table, out: Path) -> int:
    pq.write_table(
        table,
        out / "arrow.parquet",
        row_group_size=ROW_GROUP_ROWS,
        compression="snappy",
        store_schema=False,
        use_deprecated_int96_timestamps=True,
    )
    return int(table.num_rows)


@contextmanager
def arrow_json() -> Iterator[Contender]:
    """Yield pyarrow.json: columns as it guesses them, objects and arrays nested."""
    pa.set_cpu_count(CORES)
    yield _by_arrow_json


def _by_arrow_json(path: Path, out: Path) -> int:
    return _written(pyarrow.json.read_json(path), out)


_COMBINED = r'^(\S+) (\S+) (\S+) \[([^\]]+)\] "(\S+) (\S+) ([^"]*)" (\d{3}) (\S+) "([^"]*)" "(.*)"$'
_FIELDS = ("host", "ident", "user", "time", "method", "target", "protocol", "status", "bytes",
           "referrer", "agent")  # fmt: skip


@contextmanager
def spark_regexp() -> Iterator[Contender]:
    """Yield what most projects do: one `regexp_extract` per field, eleven columns, Spark local[2].

    The session is started before anything is measured.
    """
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )

    def run(path: Path, out: Path) -> int:
        from pyspark.sql.functions import col, regexp_extract, to_timestamp

        lines = session.read.text(str(path))
        fields = [
            regexp_extract("value", _COMBINED, group).alias(name)
            for group, name in enumerate(_FIELDS, 1)
        ]
        events = lines.select(*fields).withColumns(
            {
                "time": to_timestamp("time", "dd/MMM/yyyy:HH:mm:ss Z"),
                "status": col("status").cast("int"),
                "bytes": col("bytes").cast("bigint"),
            }
        )
        target = out / "spark"
        events.write.parquet(str(target), compression="snappy")
        return session.read.parquet(str(target)).count()

    try:
        yield run
    finally:
        session.stop()


def emptied(out: Path) -> Path:
    """Return the folder `out`, emptied or created."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return out
