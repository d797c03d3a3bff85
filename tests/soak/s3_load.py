"""Logs in a real S3, among them one of 1 GB: equal to a local run of the same bytes, memory flat.

`make soak-s3` runs it; pytest does not collect it by itself. SOAK_S3_BYTES is the size of the large
object, 1,000,000,000 unless it is set. It needs five times as much disk.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
import psutil
import pytest
from fixtures.product import Product

from bench.gateway import gateway
from bench.lines import write_lines
from ingest.lake.parquet import open_parquet
from ingest.lake.records import read_log
from ingest.storage import Storage, open_storage, s3_client

BYTES = int(os.environ.get("SOAK_S3_BYTES", "1000000000"))
BUCKET = "logs"
SMALL, SMALL_LINES = 2_000, 20
# Lines of each plain object, of each packed one, and of the block that the large ones repeat.
LINES = 50_000
# Peak memory of a Python worker: six times the range of 64 MiB that a task reads, and Python itself
# with its libraries. It is the limit for every object, so it is flat in their size.
MOST_MIB = 6 * 64 + 128
# How much more a worker may take for objects eight times as large: what malloc does not give back.
FLAT = 1.25
RUN_SECONDS = 3_600
# Columns whose values are counted in all events.
COUNTED = ["event_date", "event_type", "status_code", "brand"]


class WorkerMemory:
    """The peak memory in MiB of the Python workers of Spark below this process."""

    def __init__(self) -> None:
        self.peak = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look twice a second while the block runs."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.5):
                self.peak = max(self.peak, *map(_peak, psutil.Process().children(recursive=True)))

        thread = threading.Thread(target=watch, name="memory of workers")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _peak(process: psutil.Process) -> float:
    """Return the peak of a worker, which lives as long as its executor; 0 for another process."""
    with suppress(psutil.Error, OSError):
        if "pyspark.daemon" in process.cmdline():
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            return int(found[1]) / 1024 if found else 0.0
    return 0.0


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs as files: no two of them begin alike, so that none is taken for a copy."""
    folder = tmp_path_factory.mktemp("local") / "raw"
    whole = folder.parent / "whole.log"
    write_lines(whole, lines=SMALL * SMALL_LINES + 10 * LINES)
    with whole.open("rb") as lines:

        def some(count: int) -> bytes:
            return b"".join(next(lines) for _ in range(count))

        for number in range(SMALL):
            _write(folder / "small" / f"{number}.log", some(SMALL_LINES))
        for number in range(3):
            _write(folder / "plain" / f"{number}.log", some(LINES))
            _write(folder / "packed" / f"{number}.log.gz", gzip.compress(some(LINES), 1))
        _repeat(some(LINES), folder / "middle.log", BYTES // 8)
        _repeat(some(LINES), folder.parent / "large.log", BYTES)
        _pack(some(LINES), folder / "middle.log.gz", BYTES // 32)
        _pack(some(LINES), folder.parent / "large.log.gz", BYTES // 4)
    whole.unlink()
    return folder


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _repeat(block: bytes, path: Path, size: int) -> None:
    """Write whole copies of `block` to `path`, at least `size` bytes."""
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block)


def _pack(block: bytes, path: Path, size: int) -> None:
    plain = path.with_suffix(".plain")
    _repeat(block, plain, size)
    with plain.open("rb") as unpacked, gzip.open(path, "wb", 1) as packed:
        shutil.copyfileobj(unpacked, packed, 1 << 20)
    plain.unlink()


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment in which boto3 finds the server, here and in commands."""
    (tmp_path / "served" / BUCKET).mkdir(parents=True)
    with gateway(tmp_path / "served") as environ:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        s3_client._client.cache_clear()
        yield environ
        s3_client._client.cache_clear()


def test_a_bucket_gives_what_a_folder_gives(
    raw: Path, tmp_path: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(what: str) -> None:
        with capsys.disabled():
            print(what, flush=True)  # noqa: T201

    here = {"ES_URL": "off", "CLICKSTREAM_TARGET": "local_large"}
    lake, raw_logs = f"s3://{BUCKET}/lake", f"s3://{BUCKET}/raw"
    places = {"CLICKSTREAM_LAKE": lake, "CLICKSTREAM_RAW": raw_logs}
    (tmp_path / "data").mkdir()
    product = Product(
        data=tmp_path / "data", environ={**environ, **here, **places}, deadline_seconds=RUN_SECONDS
    )
    local = Product(data=raw.parent, environ=here, deadline_seconds=RUN_SECONDS)
    usual, large, from_folder = WorkerMemory(), WorkerMemory(), WorkerMemory()

    upload(raw)
    tell(f"usual objects: {ingested(product, usual)}")
    for path in raw.parent.glob("large.log*"):
        path.rename(raw / path.name)
    upload(raw, "large.log", "large.log.gz")
    tell(f"large objects: {ingested(product, large)}")
    tell(f"all of them from a folder: {ingested(local, from_folder)}")

    assert max(usual.peak, large.peak) < MOST_MIB
    assert large.peak < FLAT * usual.peak
    in_bucket, in_folder = open_storage(lake), open_storage(str(raw.parent / "lake"))
    assert counts(in_bucket) == counts(in_folder)
    assert values(in_bucket) == values(in_folder)
    start = time.monotonic()
    assert product.json("run")["problems"] == []
    tell(f"loaded and built in {time.monotonic() - start:.0f} s")
    checks = product.json("verify", "--sources", "--deep")["checks"]  # it ends with 0: they hold
    assert {"logs in sources = read", "landing events = lake"} <= {
        check["name"] for check in checks
    }


def upload(raw: Path, *keys: str) -> None:
    """Put the files `keys`, none = all, into the bucket."""
    client = boto3.client("s3")
    for key in keys or [str(path.relative_to(raw)) for path in raw.rglob("*.log*")]:
        client.upload_file(str(raw / key), BUCKET, f"raw/{key}")


def ingested(product: Product, memory: WorkerMemory) -> str:
    """Ingest what is new and return how fast, and how much memory the workers took."""
    start = time.monotonic()
    with memory.watched():
        sealed = product.json("ingest", "--final")["sealed"]
    seconds = time.monotonic() - start
    totals = [record["totals"] for record in sealed]
    size, lines = (sum(total[name] for total in totals) for name in ("bytes", "lines_read"))
    return (
        f"{size / 1e6:,.0f} MB, {lines:,} lines in {seconds:.0f} s;"
        f" a worker took {memory.peak:.0f} MiB at most"
    )


def counts(lake: Storage) -> dict[str, tuple[object, ...]]:
    """Return what was counted in each object, and the hash of its bytes, by its key."""
    return {
        found.key: (found.size, found.content_hash, found.file_status, found.lines_read,
                    found.lines_ok, found.lines_warn, found.lines_reject, found.events)
        for record in read_log(lake)
        for found in record.objects
    }  # fmt: skip


def values(lake: Storage) -> Counter[tuple[object, ...]]:
    """Return how many events have each combination of values."""
    found: Counter[tuple[object, ...]] = Counter()
    for record in read_log(lake):
        for file in record.files["events"]:
            table = open_parquet(lake, file.path).read(columns=COUNTED)
            for row in table.group_by(COUNTED).aggregate([([], "count_all")]).to_pylist():
                found[tuple(row[name] for name in COUNTED)] += row["count_all"]
    return found
