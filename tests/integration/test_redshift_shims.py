"""What Redshift has and PostgreSQL lacks; expected values are those of Redshift's manual."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fixtures.redshift import Redshift

pytestmark = pytest.mark.integration


Ask = Callable[[str], list[list[Any]]]
DAY = "timestamp '2008-12-31 23:59:00'"


@pytest.fixture(scope="module")
def cursor(redshift_of_module: Redshift) -> Iterator[Any]:
    """A cursor of a database that the tests of this module share."""
    with redshift_of_module.connect() as connection, connection.cursor() as found:
        yield found


@pytest.fixture
def ask(cursor: Any) -> Iterator[Ask]:
    """Return the rows of a query; what it made is rolled back."""

    def run(sql: str) -> list[list[Any]]:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []

    yield run
    cursor.execute("rollback")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("dateadd(month, 18, '2008-02-28')", "2009-08-28 00:00:00"),
        ("dateadd(mon, 1, cast('2024-01-31' as date))", "2024-02-29 00:00:00"),
        ("dateadd(m, 30, '2004-12-31 23:59:59')", "2005-01-01 00:29:59"),
        ("dateadd(qtr, -1, '2024-05-31')", "2024-02-29 00:00:00"),
        ("dateadd('week', 2, '2024-01-01')", "2024-01-15 00:00:00"),
        ("dateadd(us, 1, '2024-01-01')", "2024-01-01 00:00:00.000001"),
        ("datediff(week, '2009-01-01', '2009-12-31')", "52"),
        ("datediff(week, '2024-01-07', '2024-01-08')", "1"),
        ("datediff(qtr, '1998-07-01', '2008-06-30')", "39"),
        (f"datediff(year, {DAY}, '2009-01-01')", "1"),
        (f"datediff(mon, {DAY}, '2009-01-31')", "1"),
        (f"datediff(day, {DAY}, cast('2009-01-01' as date))", "1"),
        (f"datediff(h, {DAY}, '2009-01-01 00:59:59')", "1"),
        (f"datediff(second, '2009-01-01', {DAY})", "-60"),
        ("datediff(ms, '2024-01-01', '2024-01-01 00:00:00.0015')", "1"),
        ("datediff(decade, '1969-12-31', '1970-01-01')", "1"),
        ("date_part(dow, cast('2024-01-07' as date))", "0.0"),
        ("convert_timezone('America/New_York', '2013-02-01 08:00:00')", "2013-02-01 03:00:00"),
        (
            "convert_timezone('EST', 'PST', '20080305 12:25:29')",
            "2008-03-05 09:25:29",
        ),
    ],
)
def test_times(ask: Ask, expression: str, value: str) -> None:
    ((found,),) = ask(f"select {expression}")
    assert str(found) == value


@pytest.mark.parametrize("now", ["getdate()", "sysdate"])
def test_now_is_utc_without_a_zone(ask: Ask, now: str) -> None:
    ((found,),) = ask(f"select {now}")
    assert abs(datetime.now(UTC).replace(tzinfo=None) - found) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("nvl(null, 'a')", "a"),
        ("nvl(cast(null as int), 2, 3)", 2),
        ("nvl(cast(null as varchar), null)", None),
        ("len('Français')", 8),
        ("strtol('0xf', 16)", 15),
        ("strtol('abcd1234', 16)", 2882343476),
        ("strtol('1234567', 8)", 342391),
        ("strtol('110101', 2)", 53),
        ("strtol('0', 16)", 0),
        *((f"sha2('é', {bits})", f"sha{bits}") for bits in (224, 256, 384, 512)),
        ("sha2('é', 0)", "sha256"),
        ("cast('1' as super)", "1"),
        (r"'it\'s' || '\\'", "it's\\"),
    ],
)
def test_values(ask: Ask, expression: str, value: object) -> None:
    if str(value).startswith("sha"):
        value = hashlib.new(str(value), "é".encode()).hexdigest()
    assert ask(f"select {expression}") == [[value]]


def test_rows_are_put_in_a_list(ask: Ask) -> None:
    assert ask(
        "select listagg(x, ',') within group (order by y desc),"
        " listagg(distinct x) within group (order by x), approximate count(distinct x)"
        " from (select 'a' as x, 2 as y union all select 'b', 1 union all select 'b', 3) as t"
    ) == [["b,a,b", "ab", 2]]


def test_storage_and_identity_of_a_table(ask: Ask) -> None:
    ask(
        "create table t (id bigint identity(5, 2) encode az64, a varchar(max) encode zstd distkey)"
        " backup no diststyle key compound sortkey (id, a)"
    )
    ask("insert into t (a) values ('x'), ('y')")
    ask("create view v as select * from t with no schema binding")
    assert ask("select id, a from v order by id") == [[5, "x"], [7, "y"]]
    assert ask(
        "select character_maximum_length from information_schema.columns"
        " where table_name = 't' and column_name = 'a'"
    ) == [[65535]]


def test_nothing_was_copied_yet(ask: Ask) -> None:
    assert ask("select pg_last_copy_count()") == [[0]]
    for name in ("sys_load_detail", "sys_load_error_detail", "stl_load_errors"):
        assert ask(f"select * from {name}") == []  # noqa: S608


def test_nothing_is_external_or_bound_late(ask: Ask) -> None:
    assert ask("select schemaname, tablename from pg_catalog.svv_external_columns") == []
    assert ask("select schemaname, tablename from svv_external_tables") == []
    assert ask("select * from pg_get_late_binding_view_cols() as cols (a name, b int)") == []


def test_tables_are_described(ask: Ask) -> None:
    ask("create table t as select 1 as a")
    ask("analyze t")
    assert ask('select "schema", "table", tbl_rows from svv_table_info') == [
        ["public", "t", Decimal(1)]
    ]
