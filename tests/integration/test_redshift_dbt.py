"""dbt-redshift, as it is, builds on the stand-in; the lint of compiled SQL needs none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.redshift import Redshift
from redshift.lint import main

from ingest.settings import SearchSettings, Settings
from ingest.warehouse.dbt import DbtSummary, run_dbt

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
# A project with every kind of node that ours has, and every option of a table.
_PROJECT = {
    "dbt_project.yml": """
name: shop
profile: clickstream
flags: {send_anonymous_usage_stats: false}
seeds: {shop: {+column_types: {item: varchar(10), price: int}}}
""",
    "seeds/prices.csv": 'item,price\nbéd,100\n"it\'s",7\nnone,\n',
    "models/sales.sql": """
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='day',
          dist='item', sort=['day', 'item']) }}
select
    dateadd(day, {{ var('day', 0) }}, cast('2024-02-28' as date)) as day,
    item,
    price * {{ var('day', 0) }} as paid
from {{ ref('prices') }}
where price is not null
""",
    "models/totals.sql": """
{{ config(materialized='table', backup=false, dist='all', sort='item', sort_type='interleaved') }}
select item, cast(sum(paid) as bigint) as paid, count(*) as days from {{ ref('sales') }}
group by item
""",
    "models/best.sql": """
{{ config(materialized='view', bind=false) }}
select listagg(item, ', ') within group (order by paid desc) as items from {{ ref('totals') }}
""",
    "models/schema.yml": """
models:
  - name: totals
    description: One row per item.
    config: {contract: {enforced: true}}
    columns:
      - name: item
        data_type: varchar(10)
        constraints: [{type: not_null}]
        data_tests: [unique]
      - {name: paid, data_type: bigint}
      - {name: days, data_type: bigint}
unit_tests:
  - name: days_are_counted
    model: totals
    given:
      - input: ref('sales')
        rows: [{item: a, paid: 1}, {item: a, paid: 2}]
    expect: {rows: [{item: a, paid: 3, days: 2}]}
""",
}


@pytest.fixture
def settings(
    redshift: Redshift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], Settings]:
    """Return settings for the dbt project in a folder, with the test's database as target."""
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    output = {
        "type": "redshift",
        "host": redshift.host,
        "port": redshift.port,
        "user": redshift.user,
        "password": redshift.password,
        "dbname": redshift.database,
        "schema": "clickstream",
        "sslmode": "disable",
        "threads": 4,
    }
    profile = {"clickstream": {"target": "redshift", "outputs": {"redshift": output}}}
    (profiles / "profiles.yml").write_text(json.dumps(profile))
    monkeypatch.setenv("DBT_PROFILES_DIR", str(profiles))
    return lambda root: Settings(
        root=root,
        data=tmp_path / "data",
        lake="",
        target="redshift",
        sources=(),
        search=SearchSettings(url="off"),
    )


def succeeded(summary: DbtSummary) -> DbtSummary:
    assert summary.failures == ()
    return summary


def test_all_kinds_of_nodes_are_built_twice(
    settings: Callable[[Path], Settings], tmp_path: Path, redshift: Redshift
) -> None:
    shop = settings(tmp_path / "shop")
    write_shop(shop.root)
    for command, nodes, day in (("build", 6, 1), ("run", 3, 2), ("run", 3, 2)):
        built = succeeded(run_dbt(shop, command, f"--vars={{day: {day}}}"))
        assert (built.passed, built.skipped) == (nodes, 0)
    with redshift.connect() as connection, connection.cursor() as cursor:
        cursor.execute("select item, paid, days from clickstream.totals order by item")
        assert list(cursor.fetchall()) == [["béd", 300, 2], ["it's", 21, 2]]
        cursor.execute("select items from clickstream.best")
        assert cursor.fetchone() == ["béd, it's"]
        cursor.execute("select count(*), cast(max(day) as varchar) from clickstream.sales")
        assert cursor.fetchone() == [4, "2024-03-01 00:00:00"]


def write_shop(root: Path, **more: str) -> None:
    """Write the project to `root`, with `more` models."""
    files = {**_PROJECT, **{f"models/{name}.sql": sql for name, sql in more.items()}}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def test_the_lint_needs_no_warehouse_and_names_each_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBT_PROFILES_DIR", str(ROOT / "profiles"))
    monkeypatch.setenv("REDSHIFT_ENDPOINT", "127.0.0.1:1/dev")
    increment = (
        "{{ config(materialized='incremental') }} select 1 as a"
        "{% if is_incremental() %} union all\nselect unnest(a) from {{ this }}{% endif %}"
    )
    other = "select distinct a from b left semi join c using (x)"
    write_shop(tmp_path, denied=increment, unread=other)

    assert main([str(tmp_path)]) == 1
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first == "shop/models/denied.sql:2: unnest"
    assert second.startswith("shop/models/unread.sql: sqlfluff: ")
    assert not [line for line in rest if line.startswith("shop/")]
