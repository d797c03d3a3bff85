"""The marts of both engines name clients as the index does."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from pyspark.sql import SparkSession

from ingest.pseudonyms import HASH, METHODS, SENT_TEXTS, Pseudonyms, read_keys
from ingest.render import NOT_STAGED
from ingest.warehouse.redshift.warehouse import RedshiftWarehouse
from ingest.warehouse.spark.landing import store_keys

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
KEYS = read_keys({"CLICKSTREAM_PSEUDONYM_KEY": "0123456789abcdef" * 2})
CLIENTS = (
    ("203.0.113.77", "203.0.113.77:80"),
    ("2001:db8:0:1:2:3:4:5", "2001:DB8:0:1:2:3:4:5"),
    ("2001:db8::a1", "2001:db8::a1"),
    ("2001::1:2:3:4:5", "2001:0:0:1:2:3:4:5"),
    ("fe80::1", "fe80::1"),
    ("::1", "::1"),
    (None, "gateway.example.net"),
    (None, None),
)
Ask = Callable[[str], list[tuple[str | None, ...]]]


def macros_with(pseudonymise: object, method: str) -> Any:
    """Return the macros as dbt runs them with these vars, before any key was stored."""
    options = {"pseudonymise": pseudonymise, "pseudonym_method": method}
    keys = SimpleNamespace(incorporate=lambda path: f"landing.{path['identifier']}")
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 - it is SQL
    environment.globals.update(
        {
            "var": options.get,
            "source": lambda *_: keys,
            "return": lambda value: value,
            "execute": True,
            "flags": SimpleNamespace(WHICH="build"),
            "load_relation": lambda _: None,
            "exceptions": SimpleNamespace(raise_compiler_error=refuse),
        }
    )
    return environment.from_string((ROOT / "macros" / "pseudonyms.sql").read_text()).module


def refuse(message: str) -> None:
    raise ValueError(message)


def sql(method: str) -> str:
    """Return what the staging view does to clients and to a text that they sent."""
    macros = macros_with("client_ip", method)
    columns = [
        macros.without_client(name)
        for name in ("client_ip", "client_address", "session_id", "forwarded_for")
    ]
    rows = " union all ".join(
        f"select {at} as number, {_text(ip)} as client_ip, {_text(sent)} as client_address,"
        f" {_text(f'{sent}-{ip}')} as session_id, 'a, b' as forwarded_for"
        for at, (ip, sent) in enumerate(CLIENTS)
    )
    named = macros.with_client_names("events")
    return (
        f"with events as ({rows}), named as ({named}) select {', '.join(columns)}"  # noqa: S608
        " from named order by number"
    )


def _text(value: str | None) -> str:
    return "cast(null as varchar(64))" if value is None else f"cast('{value}' as varchar(64))"


def expected(pseudonyms: Pseudonyms) -> list[tuple[str | None, ...]]:
    names = [pseudonyms.name(ip, sent) for ip, sent in CLIENTS]
    return [
        (
            None if ip is None else name,
            name,
            f"{sent}-{ip}" if len(ip or "") < 7 else f"{name}-{name}",
            None,
        )
        for name, (ip, sent) in zip(names, CLIENTS, strict=True)
    ]


@pytest.mark.usefixtures("empty_warehouse")
@pytest.mark.parametrize("method", METHODS)
def test_spark_names_clients_as_the_index_does(spark: SparkSession, method: str) -> None:
    store_keys(spark, KEYS)
    found = [tuple(row) for row in spark.sql(sql(method)).collect()]
    assert found == expected(Pseudonyms(keys=KEYS if method == HASH else None))


def test_redshift_names_clients_as_the_index_does(redshift_warehouse: RedshiftWarehouse) -> None:
    redshift_warehouse.store_keys(read_keys({"CLICKSTREAM_PSEUDONYM_KEY": "x" * 32}))
    redshift_warehouse.store_keys(KEYS)  # the key of before is gone
    assert redshift_warehouse.query("select count(*) from landing.pseudonym_keys").rows == [(1,)]
    for method in METHODS:
        found = redshift_warehouse.query(sql(method)).rows
        assert found == expected(Pseudonyms(keys=KEYS if method == HASH else None))


def test_the_staging_view_hides_each_text_that_the_export_hides() -> None:
    model = (ROOT / "models" / "staging" / "stg_landing__events.sql").read_text()
    hidden = re.findall(r"^    \{\{ without_client\('(\w+)'\) \}\}", model, re.MULTILINE)
    clients = {"client_ip", "client_address", "forwarded_for"}
    assert set(hidden) == {*SENT_TEXTS, *clients} - NOT_STAGED


@pytest.mark.parametrize(
    ("pseudonymise", "method", "message"),
    [
        ("client-ip", "truncate", "pseudonymise must be client_ip or no"),
        (True, "truncate", "pseudonymise must be client_ip or no"),
        ("client_ip", "md5", "pseudonym_method must be hash or truncate"),
        ("client_ip", "hash", "has never been stored: set CLICKSTREAM_PSEUDONYM_KEY"),
    ],
)
def test_a_build_that_could_show_addresses_is_refused(
    pseudonymise: object, method: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        macros_with(pseudonymise, method).require_pseudonym_keys()


@pytest.mark.parametrize(
    ("pseudonymise", "method"), [("no", "hash"), (False, "hash"), ("client_ip", "truncate")]
)
def test_a_build_that_needs_no_key_is_not_refused(pseudonymise: object, method: str) -> None:
    assert macros_with(pseudonymise, method).require_pseudonym_keys().strip() == ""
