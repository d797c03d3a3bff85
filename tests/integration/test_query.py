"""A query on Spark changes nothing, and returns times in UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.errors import ParseException
from pyspark.sql import SparkSession

from ingest.errors import ClickstreamError, SettingsError
from ingest.warehouse.spark.reads import forbidden_part
from ingest.warehouse.spark.warehouse import SparkWarehouse

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "sql",
    [
        "select 1;",
        "with a as (select 1 as b) select * from a -- why not",
        "values (1), (2)",
        "SHOW TABLES",
        "describe landing.events",
        "explain select 1",
        "describe select 1",
        "select a, count(*) over (partition by b order by c) as d from e join f using (g)"
        " where h in (select 1) group by a having count(*) > 1 order by 1 limit 3 offset 1",
        "select * from a lateral view explode(b) as c",
        "select * from a pivot (sum(b) for c in (1, 2))",
        "select * from a unpivot (b for c in (d, e))",
        "select 1 union all select 2 intersect select 3 except select 4",
        "select /*+ broadcast(a) */ distinct * except (b) from a tablesample (10 percent)",
        "select sum(a) over w from b window w as (order by c)",
        "with recursive a as (select 1 as b union all select b + 1 from a where b < 3) table a",
        "table a |> where b > 1 |> aggregate sum(c) group by d",
        "select explode(array(1)), map('a', 1)['a'], struct(1), cast(b as int), b:c from range(3)",
        "select grouping(a) from b group by cube(a)",
        "select * from range(1) cluster by id",
        "show create table a",
        "show columns in a",
        "show databases",
        "describe function explode",
    ],
)
def test_statements_that_only_read(spark: SparkSession, sql: str) -> None:
    assert forbidden_part(spark, sql) is None


@pytest.mark.parametrize(
    "sql",
    [
        "drop table landing.events",
        "with a as (select 1) insert into b select * from a",
        "insert overwrite directory '/tmp/x' using csv select 1",
        "create table a as select 1",
        "execute immediate 'drop table a'",
        "begin drop table a; end",
        "set spark.sql.ansi.enabled = false",
        "explain drop table a",
        "select transform(1) using 'touch x'",
        "from (select 1 as a) as b map a using 'touch x'",
        "explain select transform(1) using 'touch x'",
        "select * from a where exists (select transform(1) using 'touch x')",
        "select java_method('java.lang.System', 'exit', 1)",
        "select `reflect`('java.lang.System', 'exit', 1)",
        "select system.builtin.Reflect('java.lang.System', 'exit', 1)",
        "select session.try_reflect('java.lang.System', 'exit', 1)",
        "with a as (select reflect('b', 'c') as d) select * from a",
        "select (select max(reflect('a', 'b')) from c)",
        "select sum(a) filter (where reflect('b', 'c')) over (partition by d) from e",
        "select case when a then transform(b, c -> reflect('d', c)) end from e",
        "select * from a, lateral (select reflect('b', 'c'))",
        "table a |> where b > 1 |> select reflect('c', 'd')",
        "values (reflect('a', 'b'))",
        "select 1 order by reflect('a', 'b')",
        "describe select reflect('a', 'b')",
        "select identifier('reflect')('java.lang.System', 'exit', 1)",
        "select * from identifier('text.`/etc/passwd`')",
        "select * from landing.events with (path = '/etc')",
        "select * from python_worker_logs()",
        "select * from a lateral view reflect('b', 'c') as d",
        "select from_avro(a, 'b', map('avroSchemaUrl', '/etc/passwd')) from c",
        """select xpath_string('<!DOCTYPE a SYSTEM "file:///etc/x.dtd"><a>&b;</a>', 'a')""",
        "select xpath(a, 'b') from c",
        "select from_xml(a, 'b int', map('rowValidationXSDPath', '/etc/passwd')) from c",
    ],
)
def test_statements_that_do_more_than_read_tables(spark: SparkSession, sql: str) -> None:
    assert forbidden_part(spark, sql) is not None


def test_invalid_sql(spark: SparkSession) -> None:
    with pytest.raises(ParseException):
        forbidden_part(spark, "selec 1")


@pytest.mark.parametrize("kind", ["text", "csv", "parquet", "binaryFile"])
@pytest.mark.parametrize("ask", ["select * from {}", "describe {}"])
def test_a_file_is_no_table(
    spark_warehouse: SparkWarehouse, tmp_path: Path, kind: str, ask: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    sql = ask.format(f"{kind}.`{secret}`")
    with pytest.raises(ClickstreamError, match="cannot be found"):
        spark_warehouse.query(sql)
    explained = spark_warehouse.query(f"explain {sql}")
    assert "cannot be found" in str(explained.rows)


@pytest.mark.parametrize("name", ["text.`/etc/passwd`", "csv.`/etc/passwd`", "no such", "a.b.c"])
def test_only_tables_are_described(spark_warehouse: SparkWarehouse, name: str) -> None:
    with pytest.raises(ClickstreamError, match="no table or view"):
        spark_warehouse.columns(name)


def test_a_variable_of_the_environment_is_only_text(spark_warehouse: SparkWarehouse) -> None:
    found = spark_warehouse.query("select '${env:PATH}', '${system:user.dir}', '${spark.master}'")
    assert found.rows == [("${env:PATH}", "${system:user.dir}", "${spark.master}")]


def test_a_refused_query_says_why_and_runs_nothing(
    spark_warehouse: SparkWarehouse, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    with pytest.raises(SettingsError, match=r"^ScriptTransformation: `clickstream query` only"):
        spark_warehouse.query(f"select transform(1) using 'touch {made}'")
    with pytest.raises(SettingsError, match=r"^function reflect: `clickstream query` only reads"):
        spark_warehouse.query("select reflect('java.lang.System', 'exit', 1)")
    assert not made.exists()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is in Berlin, where the hour from 02:00 to 03:00 came twice on 2024-10-27."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    "text",
    [
        "2024-10-27 00:30:00.000001",
        "2024-10-27 01:30:00.000001",
        "0001-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
    ],
)
def test_times_are_utc_in_any_zone(spark_warehouse: SparkWarehouse, text: str) -> None:
    found = spark_warehouse.query(
        f"select 'a' as a, timestamp '{text}' as at, cast(null as timestamp) as at"
    )

    assert found.columns == ("a", "at", "at")
    assert found.rows == [("a", datetime.fromisoformat(text).replace(tzinfo=UTC), None)]


@pytest.mark.usefixtures("berlin")
def test_times_inside_of_a_value_are_utc_too(spark_warehouse: SparkWarehouse) -> None:
    first, last = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"

    found = spark_warehouse.query(
        f"select array(timestamp '{first}', timestamp '{last}'), "
        f"named_struct('at', timestamp '{last}'), map('a', timestamp '{first}'), "
        "date '0001-01-01', date '9999-12-31', array(1)"
    )

    assert found.rows == [
        (
            f"[{first}, {last}]", f"{{{last}}}", f"{{a -> {first}}}",
            date(1, 1, 1), date(9999, 12, 31), [1],
        )
    ]  # fmt: skip


def test_what_python_cannot_hold_comes_as_text(spark_warehouse: SparkWarehouse) -> None:
    found = spark_warehouse.query(
        "select map(array(1), 2), map(named_struct('a', array(1)), 2), map(x'01', 2),"
        " interval 14 months, make_interval(1, 2), map('a', 1)"
    )

    assert found.rows == [
        (
            "{[1] -> 2}", "{{[1]} -> 2}", "{\x01 -> 2}",
            "INTERVAL '14' MONTH", "1 years 2 months", {"a": 1},
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (f"select {'(' * 3000}1{')' * 3000}", "nested too deeply"),
        ("select repeat('x', 2000000000)", "out of memory"),
    ],
)
def test_a_query_that_is_too_much_says_what_to_do(
    spark_warehouse: SparkWarehouse, sql: str, why: str
) -> None:
    with pytest.raises(ClickstreamError, match=f"^the query failed: .*{why}"):
        spark_warehouse.query(sql)


def test_a_query_that_is_no_text_is_refused(spark_warehouse: SparkWarehouse) -> None:
    with pytest.raises(SettingsError, match="not UTF-8"):
        spark_warehouse.query("select '\udcff'")


@pytest.mark.parametrize("value", ["timestamp '10000-01-01 00:00:00'", "date '10000-01-01'"])
def test_a_year_that_python_does_not_know_is_an_error(
    spark_warehouse: SparkWarehouse, value: str
) -> None:
    with pytest.raises(ClickstreamError, match="outside of the years 1 to 9999; cast it to string"):
        spark_warehouse.query(f"select {value}")


def test_a_failed_query_has_a_short_message(spark_warehouse: SparkWarehouse) -> None:
    with pytest.raises(ClickstreamError, match=r"^the query failed: .*nowhere") as caught:
        spark_warehouse.query("select * from nowhere")
    assert "\n\tat" not in str(caught.value)
