"""The queries of the report and of `verify` are SQL that Spark and Redshift both read."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import sqlfluff
from fixtures.memory_warehouse import MemoryWarehouse
from redshift.deny_list import denied
from sqlfluff.core import FluffConfig

from ingest.books import verify
from ingest.report import queries
from ingest.report.gather import Asker
from ingest.report.period import Period
from ingest.warehouse.marts import WITHOUT_CLIENT, read_marts

ROOT = Path(__file__).resolve().parents[2]
# Grammar alone does not show it: functions and types of one engine only.
ONE_ENGINE_ONLY = re.compile(
    r"count_if|collect_set|array_contains|timestampdiff|date_format|unix_micros|as string\b"
    r"|listagg|getdate|nvl2|convert_timezone",
    re.IGNORECASE,
)


def statements() -> dict[str, str]:
    """Return every query of the report and of `verify`, filled in, by name."""
    warehouse = MemoryWarehouse()
    ask = Asker(warehouse=warehouse)
    march = Period(first=date(2025, 3, 1), last=date(2025, 3, 31))
    report = _of_report(ask) | {
        f"{name} of a period": sql
        for name, sql in _of_report(Asker(warehouse=warehouse, period=march)).items()
    }
    marts = read_marts(ROOT)
    return report | {
        "belonging": verify.belonging(marts, warehouse.schemas),
        "counted": verify.counted(marts, warehouse.schemas),
        "without client": ask.text(WITHOUT_CLIENT),
    }


def _of_report(ask: Asker) -> dict[str, str]:
    plausible = ask.text(queries.PLAUSIBLE, oldest="1995-01-01 00:00:00", future_hours=24)
    more = {"plausible": plausible, "unit": "hour", "oldest": "1995-01-01", "future_hours": 24}
    return {
        name: ask.text(query, **more)
        for name, query in vars(queries).items()
        if isinstance(query, str) and query.split()[0] in ("select", "with")
    }


pytestmark = pytest.mark.integration

STATEMENTS = statements()


@pytest.fixture(scope="module", params=["sparksql", "redshift"])
def dialect(request: pytest.FixtureRequest) -> FluffConfig:
    """The settings of a dialect, made once: they hold its whole grammar."""
    return FluffConfig(overrides={"dialect": request.param})


@pytest.mark.parametrize("name", STATEMENTS)
def test_both_engines_read_it(name: str, dialect: FluffConfig) -> None:
    sqlfluff.parse(STATEMENTS[name], config=dialect)  # raises where it does not parse
    assert denied(STATEMENTS[name]) == []
    assert not ONE_ENGINE_ONLY.search(STATEMENTS[name])


def test_what_one_engine_does_not_read_is_seen() -> None:
    with pytest.raises(sqlfluff.api.simple.APIParsingError):
        sqlfluff.parse("select a from b left semi join c using (x)", dialect="redshift")
    assert ONE_ENGINE_ONLY.search("select count_if(a) from b")
