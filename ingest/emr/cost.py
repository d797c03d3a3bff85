"""What a job cost: what its service bills, times the price list in the settings."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from ingest.emr.service import Service, Usage
from ingest.errors import EmrError, SettingsError
from ingest.settings import EmrSettings, Prices

# Jobs cost cents, and their parts less.
_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a job: `amount`, in `currency`, is rounded to four decimals."""

    job_id: str
    usage: Usage
    amount: Decimal
    currency: str


def cost_of_job(service: Service, job_id: str, *, emr: EmrSettings) -> Cost:
    """Return what the job cost.

    Raises SettingsError without a price list, or where jobs have no price of their own; EmrError
    when the service does not bill the job yet.
    """
    if emr.prices is None:
        raise SettingsError(
            "there is no price list: set emr.prices in clickstream.toml to what AWS charges in your"
            " region"
        )
    usage = service.usage(job_id)
    if usage is None:
        raise EmrError(
            f"job {job_id} is not billed yet: try again a few minutes after it has ended"
        )
    return Cost(
        job_id=job_id,
        usage=usage,
        amount=amount_of(usage, emr.prices).quantize(_STEP, rounding=ROUND_HALF_EVEN),
        currency=emr.prices.currency,
    )


def amount_of(usage: Usage, prices: Prices) -> Decimal:
    """Return the exact price of `usage`."""
    return (
        usage.vcpu_hours * prices.vcpu_hour
        + usage.memory_gb_hours * prices.memory_gb_hour
        + usage.storage_gb_hours * prices.storage_gb_hour
    )
