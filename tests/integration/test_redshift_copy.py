"""COPY of Parquet from S3: what it loads."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from fixtures.lake import settings_in
from fixtures.redshift import Redshift
from redshift.postgres import programs
from redshift_connector.error import ProgrammingError
from support.copying import BIGINT, INT, ROLE, Copying, array

from ingest.contract import EVENTS, Type
from ingest.job.run import RunTasks, ingest
from ingest.lake.parquet import open_parquet
from ingest.lake.records import open_lake, read_log

pytestmark = pytest.mark.integration

_TYPES = {
    Type.INT: "integer",
    Type.BIGINT: "bigint",
    Type.DOUBLE: "double precision",
    Type.TIMESTAMP: "timestamp",
    Type.DATE: "date",
}


def test_a_lake_file_is_copied_by_its_manifest(
    copying: Copying,
    tmp_path: Path,
    run_tasks_here: RunTasks,
    access_lines: Callable[..., bytes],
) -> None:
    settings = settings_in(tmp_path, lake=f"s3://{copying.bucket}/lake")
    (tmp_path / "raw" / "a.log").write_bytes(access_lines(2500))
    ingest(settings, run_tasks_here)
    lake = open_lake(settings.lake)
    (record,) = read_log(lake)
    (file,) = record.files["events"]
    copying.cursor.execute(f"create table t ({events_ddl()}) compound sortkey (event_date)")
    meta = {"content_length": file.bytes}
    url = f"{settings.lake}/{file.path}"
    rows = copying.load({"url": url, "mandatory": True, "meta": meta})
    assert copying.cursor.rowcount == -1  # not told by Redshift
    with open_parquet(lake, file.path) as parquet:
        assert [tuple(row.values()) for row in parquet.read().to_pylist()] == rows
    assert copying.ask(
        "select pg_last_copy_count(), count(distinct event_id), min(batch_id), max(batch_id),"
        " cast(min(event_time) as varchar), cast(max(event_time) as varchar), sum(response_bytes)"
        " from t"
    ) == [
        (
            *(2500, 2500, record.batch_id, record.batch_id),
            *("2024-10-10 13:00:00", "2024-10-10 13:41:39", sum(range(2500))),
        )
    ]


def events_ddl() -> str:
    return ", ".join(
        f"{column.name} {_TYPES.get(column.type, f'varchar({column.width})')}"
        f"{'' if column.nullable else ' not null'}"
        for column in EVENTS.columns
    )


def test_every_type_arrives_as_it_is(copying: Copying) -> None:
    copying.cursor.execute(
        "create table t (a boolean, b smallint, c real, d double precision, e numeric(10, 2),"
        " f date, g timestamp, h varchar(9), i char(3), j bigint)"
    )
    times = ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.9"]
    columns = {
        "a": array(True, False, None, type=pa.bool_()),
        "b": array(-32768, 32767, None, type=pa.int16()),
        "c": array(0.5, -1.25, None, type=pa.float32()),
        "d": array(0.1, float("inf"), 5e-324, type=pa.float64()),
        "e": array(Decimal("0.10"), Decimal("-12345678.99"), None, type=pa.decimal128(10, 2)),
        "f": array(date(1, 1, 1), date(9999, 12, 31), None, type=pa.date32()),
        "g": array(*times).cast(pa.timestamp("us")),
        "h": array("é,\"'\r\n\\", "", "\\.\nNULL"),
        "i": array("abc", "d", None),
        "j": array(-(2**63), 2**63 - 1, None, type=BIGINT),
    }
    assert copying.load(copying.put_rows("a", columns)) == [
        tuple(
            column[row].as_py() if name != "i" else padded(column[row].as_py())
            for name, column in columns.items()
        )
        for row in range(3)
    ]


def padded(text: str | None) -> str | None:
    """Return what CHAR(3) makes of `text`."""
    return None if text is None else f"{text:<3}"


def test_columns_are_taken_by_their_place_and_not_by_their_name(copying: Copying) -> None:
    copying.cursor.execute("create table t (a varchar, b varchar, c int default 7)")
    file = copying.put_rows("a", {"b": array("in a"), "a": array("in b")})
    assert copying.load(file, columns="(a, b)") == [("in a", "in b", 7)]
    assert copying.load(file, columns="(B, a)")[1:] == [("in b", "in a", 7)]


def test_fillrecord_fills_the_last_columns(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int, b int, c varchar)")
    one_column = copying.put_rows("a", {"a": array(1, type=INT)})
    two_columns = copying.put_rows("b", {"a": array(2, type=INT), "b": array(3, type=INT)})
    assert copying.load(one_column, two_columns, options="fillrecord") == [
        (1, None, None),
        (2, 3, None),
    ]


def test_large_files_are_copied_in_parts(copying: Copying) -> None:
    copying.cursor.execute("create table t (a bigint)")
    first = copying.put_rows("a", {"a": pa.array(range(150_000))})
    second = copying.put_rows("b", {"a": pa.array(range(150_000, 200_000))}, row_group_size=999)
    copying.load(first, second)
    wanted = [(200_000, 200_000, sum(range(200_000)), 200_000)]
    assert (
        copying.ask("select count(*), count(distinct a), sum(a), pg_last_copy_count() from t")
        == wanted
    )


def test_without_manifest_all_files_of_a_prefix_are_copied(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    for number, key in enumerate(("x/a", "x/b", "xy", "y")):
        copying.put_rows(key, {"a": array(number, type=INT)})
    copying.cursor.execute(f"copy t from 's3://{copying.bucket}/x' {ROLE} parquet")
    assert copying.ask("select a from t order by a") == [(0,), (1,), (2,)]


def test_a_file_that_is_not_mandatory_may_be_missing(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    file = copying.put_rows("a", {"a": array(1, type=INT)})
    missing = {**file, "url": f"s3://{copying.bucket}/none", "mandatory": False}
    assert copying.load(missing, file) == [(1,)]


def test_a_copy_is_part_of_its_transaction(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    copying.connection.commit()
    copy = copying.manifest(copying.put_rows("a", {"a": array(1, 2, type=INT)}))
    copying.cursor.execute(copy)
    copying.connection.rollback()
    copying.cursor.execute(copy)
    copying.cursor.execute(copy)  # prepared already
    copying.connection.commit()
    copying.connection.rollback()
    assert copying.ask("select count(*) from t") == [(4,)]


def test_a_copy_outside_a_transaction_is_one_of_its_own(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    copying.connection.commit()
    copying.connection.autocommit = True
    copying.load(copying.put_rows("a", {"a": array(1, type=INT)}))
    late = copying.put_rows("b", {"a": pa.array([*range(100_000), None], INT)})
    copying.cursor.execute("alter table t alter column a set not null")
    with pytest.raises(ProgrammingError, match="Cannot insert a NULL value"):
        copying.load(late)
    assert copying.ask("select * from t") == [(1,)]


def test_redshift_says_how_many_rows_it_loaded(
    copying: Copying, redshift_of_module: Redshift
) -> None:
    copying.cursor.execute("create table t (a int)")
    copying.connection.commit()
    copy = copying.manifest(copying.put_rows("a", {"a": array(1, 2, type=INT)}))
    found = redshift_of_module
    place = f"host={found.host} port={found.port} dbname={found.database}"
    login = f"user={found.user} password={found.password}"
    done = subprocess.run(
        [programs() / "psql", "--no-psqlrc", f"{place} {login}", "--command", copy],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "COPY\n"
    assert "INFO:  Load into table 't' completed, 2 record(s) loaded successfully." in done.stderr
    assert copying.ask("select count(*) from t") == [(2,)]


def test_what_was_loaded_is_in_a_table(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    first = copying.put_rows("a", {"a": array(1, 2, type=INT)})
    second = copying.put_rows("b", {"a": array(3, type=INT)})
    copying.load(first, second)
    here = f"file_name like 's3://{copying.bucket}/%'"
    assert copying.ask(
        f"select file_name, lines_scanned from sys_load_detail where {here} order by file_name"  # noqa: S608
    ) == [(first["url"], 2), (second["url"], 1)]
