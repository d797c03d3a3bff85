"""The data source `weblogs` as a notebook uses it: one session, its workers, its errors."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from ingest.contract import EVENTS, REJECTS
from ingest.job.matching import Wishes
from ingest.job.run import IngestSummary
from ingest.lake.parquet import open_parquet
from ingest.settings import Settings
from ingest.storage import open_storage
from ingest.weblogs import WebLogs

pytestmark = pytest.mark.integration

Lines = Callable[..., bytes]
Load = Callable[..., DataFrame]
# What no two readings share.
OF_THE_BATCH = ("batch_id", "ingest_time")
BAD = b"not a line of a log\n"


@pytest.fixture(scope="module")
def notebook(spark: SparkSession) -> SparkSession:
    """The session of the process, which knows the data source."""
    spark.dataSource.register(WebLogs)
    return spark


@pytest.fixture
def load(notebook: SparkSession, tmp_path: Path) -> Load:
    """Load `raw` of this test with options."""

    def load(**options: str | bool | int) -> DataFrame:
        return notebook.read.format("weblogs").options(**options).load(str(tmp_path / "raw"))

    return load


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def raw(settings: Settings) -> Path:
    return Path(settings.sources[0].uri)


def _rows(frame: DataFrame, columns: list[str]) -> pa.Table:
    return frame.select(columns).toArrow().sort_by(columns[0])


def _ingested(settings: Settings, summary: IngestSummary, table: str) -> pa.Table:
    lake = open_storage(settings.lake)
    files = [file.path for record in summary.sealed for file in record.files[table]]
    return pa.concat_tables([open_parquet(lake, path).read() for path in files])


def test_events_and_rejects_are_those_of_an_ingest(
    load: Load,
    raw: Path,
    settings: Settings,
    ingest_here: Callable[..., IngestSummary],
    seed_csv: Path,
    hackers_log: Path,
    access_lines: Lines,
) -> None:
    contents = {
        "seed.csv": seed_csv.read_bytes(),
        "hackers.log": hackers_log.read_bytes(),
        "packed.log.gz": gzip.compress(access_lines(500)),
        "bom.log": b"\xef\xbb\xbf" + access_lines(10, first=500).replace(b"\n", b"\r\n"),
        "large.log": (access_lines(10, first=600, pad=9_000) + BAD) * 100,
        "open.log": access_lines(3, first=700) + BAD[:-1],
        "empty.log": b"",
    }
    for name, content in contents.items():
        (raw / name).write_bytes(content)
    summary = ingest_here(settings, wishes=Wishes(final=True))
    for table, rejected in ((EVENTS, False), (REJECTS, True)):
        columns = [name for name in table.names if name not in OF_THE_BATCH]
        frame = load(name="raw", range_mib=8, rejects=rejected)
        assert frame.columns == list(table.names)
        wanted = _ingested(settings, summary, table.name).select(columns).sort_by(columns[0])
        assert _rows(frame, columns).cast(wanted.schema) == wanted
        assert wanted.num_rows > (90 if rejected else 20_000)
    assert load(range_mib=8).rdd.getNumPartitions() == 3  # two ranges and all others


def test_a_query_in_three_lines(load: Load, raw: Path, access_lines: Lines) -> None:
    (raw / "a.log").write_bytes(access_lines(40))
    frame = load(format="combined")
    assert frame.where("response_bytes >= 10").groupBy("source_format").count().collect() == [
        ("combined", 30)
    ]
    comments = {field.name: field.metadata["comment"] for field in frame.schema}
    assert comments["url_path"] == EVENTS.column("url_path").description


def test_a_schema_names_the_columns_to_read(
    notebook: SparkSession, raw: Path, access_lines: Lines
) -> None:
    (raw / "a.log").write_bytes(access_lines(2))
    reader = notebook.read.format("weblogs").schema("response_bytes bigint, url_path string")
    assert reader.load(str(raw)).collect() == [(0, "/page/0"), (1, "/page/1")]
    wrong = notebook.read.format("weblogs").schema("status_code string, url string")
    with pytest.raises(PySparkException) as raised:
        wrong.load(str(raw)).collect()
    assert "wrong schema of events:" in str(raised.value)
    assert "column status_code string: it is of type int" in str(raised.value)
    assert "column url string: there is no such column" in str(raised.value)
    twice = notebook.read.format("weblogs").schema("url_path string, url_path string")
    with pytest.raises(PySparkException, match="column url_path: it is there more than once"):
        twice.load(str(raw)).collect()


def test_several_paths_and_none_with_rows(
    notebook: SparkSession, raw: Path, access_lines: Lines
) -> None:
    reader = notebook.read.format("weblogs")
    assert reader.load(str(raw)).count() == 0
    for name in ("a", "b"):
        (raw / name).mkdir()
        (raw / name / "x.log").write_bytes(access_lines(2))
    assert reader.load([f"{raw}/a", f"{raw}/b/*.log"]).count() == 4


def test_a_wrong_option_is_refused_when_it_is_loaded(load: Load, raw: Path) -> None:
    assert raw.is_dir()
    with pytest.raises(
        AnalysisException, match=r"SettingsError: format 'combned' is unknown; supp"
    ):
        load(format="combned")


def test_a_missing_path_is_refused_when_it_is_loaded(notebook: SparkSession) -> None:
    with pytest.raises(AnalysisException, match="there is nothing at /no/logs: correct the path"):
        notebook.read.format("weblogs").load("/no/logs")


def test_corrupt_files_end_a_query_or_are_left_out(
    load: Load, raw: Path, access_lines: Lines
) -> None:
    (raw / "a.log").write_bytes(access_lines(2))
    (raw / "cut.log.gz").write_bytes(gzip.compress(access_lines(2_000))[:-9])
    with pytest.raises(PySparkException, match=r"raw/cut\.log\.gz is refused as a whole"):
        load().collect()
    assert load(ignoreCorruptFiles=True).count() == 2


def test_a_log_format_and_fields_are_options(load: Load, raw: Path) -> None:
    log = raw / "a.log"
    log.write_bytes(b'192.0.2.1 [03/Mar/2024:07:08:09 +0100] 0.25 "GET /a HTTP/1.1" 200\n')
    own = load(
        format="shop", log_format='$remote_addr [$time_local] $request_time "$request" $status'
    )
    columns = ("source_format", "client_ip", "url_path", "status_code", "duration_ms")
    assert own.select(*columns).collect() == [("shop", "192.0.2.1", "/a", 200, 250.0)]
    log.write_bytes(b"1709446089.5\t192.0.2.2\t404\n")
    named = load(format="cloudfront_rt", fields='["timestamp", "c-ip", "sc-status"]')
    assert named.select("client_ip", "status_code").collect() == [("192.0.2.2", 404)]
