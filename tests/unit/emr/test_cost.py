"""Money: billed hours times the price list, without a binary fraction anywhere."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from support.faulty_service import FaultyService

from ingest.emr.cost import amount_of, cost_of_job
from ingest.emr.service import Usage
from ingest.errors import EmrError, SettingsError
from ingest.settings import Settings

USAGE = Usage(
    vcpu_hours=Decimal("10.5"), memory_gb_hours=Decimal("31.5"), storage_gb_hours=Decimal(20)
)


def test_hours_times_prices(settings: Settings) -> None:
    assert settings.emr.prices is not None
    # 0.552552 + 0.18202275 + 0.00222, by hand.
    assert amount_of(USAGE, settings.emr.prices) == Decimal("0.73679475")
    cost = cost_of_job(FaultyService(usage=USAGE), "1", emr=settings.emr)
    assert (str(cost.amount), cost.currency, cost.usage) == ("0.7368", "EUR", USAGE)


def test_without_a_price_list(settings: Settings) -> None:
    emr = replace(settings.emr, prices=None)
    with pytest.raises(SettingsError, match=r"set emr\.prices in clickstream\.toml"):
        cost_of_job(FaultyService(usage=USAGE), "1", emr=emr)


def test_what_is_not_billed_yet(settings: Settings) -> None:
    with pytest.raises(EmrError, match="job 1 is not billed yet: try again"):
        cost_of_job(FaultyService(), "1", emr=settings.emr)
