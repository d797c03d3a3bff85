"""Settings of a job that could run, for EMR Serverless and for a cluster."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ingest.settings import EmrSettings, Prices, SearchSettings, Settings, Source

ROLE = "arn:aws:iam::123456789012:role/clickstream"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings for EMR Serverless, in a project root that has a lock."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["boto3==1.0", "pyspark>=4", "dbt-spark[session]"]\n'
    )
    (tmp_path / "requirements.lock").write_text(
        "".join(
            f"{name}==1.0 \\\n    --hash=sha256:{name}\n"
            for name in ("boto3", "dbt-spark", "pyspark", "pytest")
        )
    )
    return Settings(
        root=tmp_path,
        data=tmp_path / "data",
        lake="s3://lake/one",
        target="local",
        sources=(Source(name="raw", uri="s3://logs/raw"),),
        search=SearchSettings(url="off"),
        emr=EmrSettings(
            application_id="00fabc01",
            role_arn=ROLE,
            staging="s3://code/clickstream",
            prices=Prices(
                currency="EUR",
                vcpu_hour=Decimal("0.052624"),
                memory_gb_hour=Decimal("0.0057785"),
                storage_gb_hour=Decimal("0.000111"),
            ),
        ),
    )
