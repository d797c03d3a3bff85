"""What the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.settings import SearchSettings, Settings, Source

MIB = 1 << 20


@pytest.fixture
def settings(bucket: str, tmp_path: Path) -> Settings:
    """Settings with raw logs in `raw` and the lake in `lake` of the bucket."""
    return Settings(
        root=tmp_path,
        data=tmp_path,
        lake=f"s3://{bucket}/lake",
        target="local",
        sources=(Source(name="raw", uri=f"s3://{bucket}/raw", rotation=False),),
        search=SearchSettings(url="off"),
        range_bytes=8 * MIB,
    )
