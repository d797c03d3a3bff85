"""Three ways from a combined log to Parquet, each a callable on the same file and two cores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ingest.contract import EVENTS
from ingest.lake.parquet import ROW_GROUP_ROWS, ParquetSink
from ingest.parse.model import Identity, ObjectVerdict
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings

CORES = 2
RANGE_BYTES = 64 << 20  # what one Spark task reads by default
SETTINGS = ParseSettings(format="access")
Contender = Callable[[Path, Path], int]


@contextmanager
def clickstream(settings: ParseSettings = SETTINGS) -> Iterator[Contender]:
    """Yield the ingest job without Spark: ranges of 64 MiB, one process per core, 50 columns."""
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(CORES)))
        yield partial(_in_ranges, pool, settings)


def _warm(_: int) -> None:
    pa.set_cpu_count(1)


def _in_ranges(pool: ProcessPoolExecutor, settings: ParseSettings, path: Path, out: Path) -> int:
    """Parse equal ranges of at most 64 MiB, the same number for each core."""
    size = path.stat().st_size
    count = CORES * -(-size // (CORES * RANGE_BYTES))
    bounds = [size * part // count for part in range(count + 1)]
    files = [out / f"{part}.parquet" for part in range(count)]
    parse = partial(parse_range, settings=settings)
    return sum(pool.map(parse, [path] * count, bounds[:-1], bounds[1:], files))


def parse_range(
    path: Path, start: int, end: int, out: Path, settings: ParseSettings = SETTINGS
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
def arrow_csv(names: Sequence[str] = CSV_NAMES, *, all_text: bool = False) -> Iterator[Contender]:
    """Yield pyarrow.csv: columns split at spaces outside quotes, none of them interpreted.

    It guesses which are numbers unless they are `all_text`.
    """
    pa.set_cpu_count(CORES)
    types = dict.fromkeys(names, pa.string()) if all_text else None
    yield partial(_by_arrow_csv, names, pyarrow.csv.ConvertOptions(column_types=types))


def _by_arrow_csv(
    names: Sequence[str], convert: pyarrow.csv.ConvertOptions, path: Path, out: Path
) -> int:
    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(column_names=names),
        parse_options=pyarrow.csv.ParseOptions(delimiter=" ", escape_char="\\"),
        convert_options=convert,
    )
    pq.write_table(
        table,
        out / "csv.parquet",
        row_group_size=ROW_GROUP_ROWS,
        compression="snappy",
        store_schema=False,
        use_deprecated_int96_timestamps=True,
    )
    return int(table.num_rows)


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
