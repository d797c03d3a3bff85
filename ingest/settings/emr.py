"""Where a job on EMR runs, where its code and logs lie, and what it costs: the table [emr].

Users of the older pipeline know EMR_CLUSTER_ID, EMR_STAGING and AWS_TEMP_BUCKET; they are honoured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ingest.settings.values import Table

ARCHITECTURES = ("x86_64", "aarch64")
_PLACE = re.compile(r"(s3://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._=/-]*)?")
_A_PLACE = "s3://bucket/prefix, the prefix of letters, digits and . _ = / -"
_APPLICATION = re.compile(r"[0-9a-z]{1,64}")
_AN_APPLICATION = "the id of an EMR Serverless application: lower-case letters and digits"
_CLUSTER = re.compile(r"j-[0-9A-Z]{1,40}")
_A_CLUSTER = "the id of an EMR cluster: j- and upper-case letters and digits"
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_A_ROLE = "arn:aws:iam::<12 digits>:role/<name>"
_KEPT = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_A_KEPT = "the name of a secret in Secrets Manager"
# What such a setting of Spark is called, and how EMR Serverless is told to fetch its value.
_SECRET = re.compile(r"password|secret|token|(api|pseudonym)_?key", re.IGNORECASE)
_FETCHED = "EMR.secret@"
_CURRENCY = re.compile(r"[A-Z]{3}")
_A_CURRENCY = "three letters, such as USD"
_MOST_MINUTES = 7 * 24 * 60
# Key -> variables that override it, the stronger one first.
_VARIABLES = {
    "application_id": ("EMR_APPLICATION_ID",),
    "cluster_id": ("EMR_CLUSTER_ID",),
    "role_arn": ("EMR_ROLE_ARN",),
    "staging": ("EMR_STAGING", "AWS_TEMP_BUCKET"),
    "arch": ("EMR_ARCH",),
    "search_secret": ("EMR_SEARCH_SECRET",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What the service charges, in `currency` (three letters), for an hour of each resource."""

    currency: str
    vcpu_hour: Decimal
    memory_gb_hour: Decimal
    storage_gb_hour: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class EmrSettings:
    """Where and how jobs run on EMR; None = not set, which only matters to those who use it.

    At most one of `application_id` (EMR Serverless) and `cluster_id` (EMR on EC2) is set.
    `role_arn` is the role of a job on EMR Serverless. `staging` is an s3:// prefix without `/` at
    its end, for code and logs. `arch` is that of the machines there. EMR Serverless ends a job
    after `timeout_minutes`. `search_secret` names the secret that holds the API key of the search
    server.
    `spark` are settings of Spark beyond our own, as (key, value) pairs.
    """

    application_id: str | None = None
    cluster_id: str | None = None
    role_arn: str | None = None
    staging: str | None = None
    arch: str = "x86_64"
    timeout_minutes: int = 720
    search_secret: str | None = None
    spark: tuple[tuple[str, str], ...] = ()
    prices: Prices | None = None


def read_emr(toml: Table, given: Mapping[str, str]) -> EmrSettings:
    """Return the settings of `[emr]` in `toml` and of the variables `given`, which override it.

    Whatever is wrong is added to the problems of `toml`.
    """
    usual = EmrSettings()
    overrides = _overrides(given)
    table = toml.table("emr", overrides=overrides)
    application_id, cluster_id = _service(table, overrides)
    staging = table.text("staging", fits=_PLACE.fullmatch, wanted=_A_PLACE)
    return EmrSettings(
        application_id=application_id,
        cluster_id=cluster_id,
        role_arn=table.text("role_arn", fits=_ROLE.fullmatch, wanted=_A_ROLE),
        staging=bucket_uri(staging).rstrip("/") if staging else None,
        arch=table.choice("arch", ARCHITECTURES) or usual.arch,
        timeout_minutes=table.whole(
            "timeout_minutes", usual.timeout_minutes, least=1, most=_MOST_MINUTES
        ),
        search_secret=table.text("search_secret", fits=_KEPT.fullmatch, wanted=_A_KEPT),
        spark=_without_secrets(table) or usual.spark,
        prices=_prices(table.table("prices")),
    )


def _without_secrets(table: Table) -> tuple[tuple[str, str], ...]:
    """Return the settings of Spark; one that holds a secret is a problem: a job shows them all."""
    pairs = table.pairs("spark") or ()
    table.problems += [
        f"emr.spark.{key} holds a secret, which anyone who can view the job could read: keep it in"
        " Secrets Manager (emr.search_secret)"
        for key, value in pairs
        if _SECRET.search(key) and not value.startswith(_FETCHED)
    ]
    return pairs


def bucket_uri(place: str) -> str:
    """Return `place`, a bucket with or without prefix and scheme, as s3:// URI."""
    return place if "://" in place else f"s3://{place}"


def _overrides(given: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return key -> (variable, value) of what the environment sets."""
    found = {}
    for key, names in _VARIABLES.items():
        name = next((name for name in names if name in given), None)
        if name is not None:
            found[key] = name, given[name]
    return found


def _service(
    table: Table, overrides: Mapping[str, tuple[str, str]]
) -> tuple[str | None, str | None]:
    """Return the application and the cluster, one of them None.

    A variable for one of them means that one, whatever the file has for the other.
    """
    application = table.text("application_id", fits=_APPLICATION.fullmatch, wanted=_AN_APPLICATION)
    cluster = table.text("cluster_id", fits=_CLUSTER.fullmatch, wanted=_A_CLUSTER)
    if application and cluster:
        chosen = overrides.keys() & {"application_id", "cluster_id"}
        if chosen == {"application_id"}:
            return application, None
        if chosen == {"cluster_id"}:
            return None, cluster
        table.problems.append(
            "EMR_APPLICATION_ID / emr.application_id and EMR_CLUSTER_ID / emr.cluster_id are both"
            " set: remove one of them"
        )
    return application, cluster


def _prices(table: Table) -> Prices | None:
    if table.is_empty():
        return None
    return Prices(
        currency=table.required("currency", fits=_CURRENCY.fullmatch, wanted=_A_CURRENCY),
        vcpu_hour=table.price("vcpu_hour"),
        memory_gb_hour=table.price("memory_gb_hour"),
        storage_gb_hour=table.price("storage_gb_hour"),
    )
