"""The reader of the data source without a Spark: partitions planned here, rows read here."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.contract import EVENTS, REJECTS
from ingest.errors import ClickstreamError, ObjectRefused, ObjectUnreadable, SettingsError
from ingest.job.plan import MAX_PACKED
from ingest.parse.format import FEW_LINES
from ingest.render import arrow_schema
from ingest.weblogs.options import Options, read_options
from ingest.weblogs.partitions import LogPartition
from ingest.weblogs.source import LogReader

Lines = Callable[..., bytes]
BAD = b"not a line of a log\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "the logs"
    path.mkdir()
    return path


def options_of(path: Path | str, **given: str) -> Options:
    return read_options({"path": str(path), **given})


def reader_of(options: Options, *columns: str) -> LogReader:
    return LogReader(options, columns or options.table.names)


def read(options: Options, *columns: str) -> pa.Table:
    """Return all rows, by a reader and partitions that were pickled, as Spark does it."""
    planned = reader_of(options, *columns)
    reader = pickle.loads(pickle.dumps(planned))  # noqa: S301
    partitions = pickle.loads(pickle.dumps(planned.partitions()))  # noqa: S301
    batches = [batch for partition in partitions for batch in reader.read(partition)]
    return pa.Table.from_batches(batches, schema=planned._schema)


def ranges_of(partition: LogPartition) -> list[tuple[str, int, int | None]]:
    return [(one.key, one.start, one.end) for one in partition.ranges]


def test_rows_have_the_columns_of_the_contract(folder: Path, access_lines: Lines) -> None:
    (folder / "a.log").write_bytes(access_lines(FEW_LINES + 8))  # for the fast path
    table = read(options_of(folder))
    assert table.schema == arrow_schema(EVENTS)
    assert table["url_path"].to_pylist() == [f"/page/{n}" for n in range(FEW_LINES + 8)]
    assert table["source_line"].to_pylist() == [n + 1 for n in range(FEW_LINES + 8)]
    assert set(table["source_file"].to_pylist()) == {f"{folder}/a.log"}
    named = read(options_of(folder, name="shop"))
    assert set(named["source_file"].to_pylist()) == {"shop/a.log"}


def test_only_the_columns_asked_for(folder: Path, access_lines: Lines) -> None:
    (folder / "a.log").write_bytes(access_lines(2))
    table = read(options_of(folder), "status_code", "url_path")
    assert table.column_names == ["status_code", "url_path"]
    assert table["url_path"].to_pylist() == ["/page/0", "/page/1"]


@pytest.mark.parametrize("range_bytes", [17, 100, 1_000])
def test_ranges_of_any_size_give_the_same_rows(
    folder: Path, access_lines: Lines, range_bytes: int
) -> None:
    content = access_lines(5) + BAD + access_lines(5, first=5, pad=50) + b"\r\n\0\0" + BAD
    (folder / "a.log").write_bytes(content + access_lines(1, first=10)[:-1])
    for rejects, rows in (("false", 11), ("true", 2)):
        options = options_of(folder, rejects=rejects)
        others = ("source_line", "ingest_time")
        columns = [name for name in options.table.names if name not in others]
        cut = replace(options, range_bytes=range_bytes)
        whole = read(options, *columns)
        assert whole.num_rows == rows
        assert read(cut, *columns) == whole


def test_partitions_are_ranges_of_large_files_and_packs_of_small_ones(
    folder: Path, access_lines: Lines
) -> None:
    (folder / "large.log").write_bytes(access_lines(20)[:1_900])
    (folder / "large.log.gz").write_bytes(gzip.compress(access_lines(60), compresslevel=0))
    for number in range(3):
        (folder / f"small-{number}.log").write_bytes(access_lines(1, first=100 + number))
    options = replace(options_of(folder), range_bytes=1_000)
    assert list(map(ranges_of, reader_of(options).partitions())) == [
        [(f"small-{number}.log", 0, None) for number in range(3)],
        [("large.log", 0, 1_000)],
        [("large.log", 1_000, 1_900)],
        [("large.log.gz", 0, None)],
    ]


def test_a_partition_without_a_value_has_no_rows(folder: Path) -> None:
    reader = reader_of(options_of(folder))
    assert reader.partitions() == []
    assert list(reader.read(None)) == []


def test_a_file_a_pattern_and_several_paths(folder: Path, access_lines: Lines) -> None:
    (folder / "a.log").write_bytes(access_lines(1))
    (folder / "b.log").write_bytes(access_lines(1, first=1))
    (folder / "c.txt").write_bytes(access_lines(1, first=2))

    def paths(**given: str) -> list[str]:
        found: list[str] = read(read_options(given), "url_path")["url_path"].to_pylist()
        return found

    assert paths(path=f"{folder}/a.log") == ["/page/0"]
    assert paths(path=f"{folder}/*.log") == ["/page/0", "/page/1"]
    assert paths(paths=f'["{folder}/c.txt", "{folder}/a.log"]') == ["/page/2", "/page/0"]


@pytest.mark.parametrize("name", ["gone", "gone*.log", "gone/*/a.log"])
def test_nothing_at_a_path(folder: Path, name: str) -> None:
    reader = reader_of(options_of(folder / name))
    with pytest.raises(SettingsError, match=rf"^there is nothing at {folder}/gone.*: correct the"):
        reader.partitions()


def test_a_file_that_cannot_be_read_is_named(folder: Path, access_lines: Lines) -> None:
    (folder / "a.log").write_bytes(access_lines(1))
    (folder / "b.log").symlink_to("nowhere")
    with pytest.raises(ObjectUnreadable, match=r"/the logs/b\.log cannot be read: No such file"):
        reader_of(options_of(folder, ignorecorruptfiles="true")).partitions()


def test_a_file_that_changes_under_the_query_is_named(folder: Path, access_lines: Lines) -> None:
    (folder / "a.log").write_bytes(access_lines(1))
    reader = reader_of(options_of(folder, ignorecorruptfiles="true"))
    (partition,) = reader.partitions()
    (folder / "a.log").write_bytes(access_lines(1)[:-9])
    with pytest.raises(ObjectUnreadable, match=r"/a\.log cannot be read: changed_during_read: "):
        list(reader.read(partition))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (lambda lines: gzip.compress(lines)[:-9], r"\(corrupt_gzip: .*\); the option ignoreC"),
        (lambda lines: lines.decode().encode("utf-16"), r"\(rejected: not_utf8\); convert it to"),
    ],
    ids=["cut gzip", "UTF-16"],
)
def test_refused_content_ends_the_query_or_is_left_out(
    folder: Path, access_lines: Lines, content: Callable[[bytes], bytes], problem: str
) -> None:
    (folder / "a.log").write_bytes(access_lines(2))
    (folder / "b.log.gz").write_bytes(content(access_lines(2_000)))
    (folder / "c.log").write_bytes(access_lines(3))
    with pytest.raises(ObjectRefused, match=rf"/b\.log\.gz is refused as a whole {problem}"):
        read(options_of(folder))
    left = read(options_of(folder, ignorecorruptfiles="true"))["source_file"].to_pylist()
    assert left == [f"{folder}/a.log"] * 2 + [f"{folder}/c.log"] * 3


def test_rejected_lines_are_rows_of_their_own(folder: Path, access_lines: Lines) -> None:
    (folder / "a.log").write_bytes(access_lines(1) + BAD)
    table = read(options_of(folder, rejects="true"))
    assert table.schema == arrow_schema(REJECTS)
    (row,) = table.to_pylist()
    assert (row["reason"], row["raw_text"]) == ("no_match", BAD.decode().strip())
    assert (row["batch_id"], row["source_offset"]) == ("weblogs", len(access_lines(1)))
    assert read(options_of(folder)).num_rows == 1


def test_a_rejected_line_ends_a_strict_query(folder: Path, access_lines: Lines) -> None:
    good = access_lines(2)
    (folder / "a.log").write_bytes(good)
    strict = options_of(folder, mode="FAILFAST")
    assert read(strict).num_rows == 2
    (folder / "a.log").write_bytes(good + BAD)
    place = rf"/a\.log: the line at byte {len(good)} is rejected \(no_match"
    with pytest.raises(ClickstreamError, match=place):
        read(strict)


def test_many_small_files_share_a_partition(folder: Path, access_lines: Lines) -> None:
    line = access_lines(1)
    for number in range(MAX_PACKED + 1):
        (folder / f"{number}.log").write_bytes(line)
    partitions = reader_of(options_of(folder)).partitions()
    assert [len(one.ranges) for one in partitions] == [MAX_PACKED, 1]


def test_lines_that_give_no_event_are_counted_once_a_partition(
    folder: Path, access_lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    for name, count in (("a", 0), ("b", 2), ("c", 1)):
        (folder / f"{name}.log").write_bytes(access_lines(3) + BAD * count)
    assert read(options_of(folder)).num_rows == 9
    assert caplog.messages == [
        f"3 rejected lines give no event, of {folder}/b.log and 1 other object:"
        " read them with the option rejects"
    ]
    caplog.clear()
    assert read(options_of(folder, rejects="true")).num_rows == 3
    assert read(options_of(folder / "a.log")).num_rows == 3
    assert caplog.messages == []
