"""The whole job on a real Redshift: `pytest -m redshift_live`, for who has one.

The environment must name an empty database and a prefix in S3, as docs/operations/redshift.md says.
What the test makes in the database is dropped at its end; the lake stays below that prefix.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ingest.settings import load_settings
from ingest.warehouse import open_warehouse
from ingest.warehouse.redshift.place import place_of
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import Statement
from ingest.warehouse.target import load_credentials

pytestmark = [pytest.mark.integration, pytest.mark.redshift_live]

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 3600


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """The environment of commands on an empty database, which is empty again at the end."""
    lake = os.environ.get("CLICKSTREAM_LAKE", "")
    assert lake.startswith("s3://"), "set CLICKSTREAM_LAKE to a prefix for the lakes of this test"
    monkeypatch.setenv("CLICKSTREAM_LAKE", f"{lake.rstrip('/')}/{uuid.uuid4().hex}")
    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    monkeypatch.setenv("ES_URL", "off")
    settings = load_settings(target="redshift")
    with closing(open_warehouse(settings)) as warehouse:
        schemas = warehouse.schemas.all
        assert warehouse.relations() == [], (
            f"{', '.join(schemas)} are not empty: use a new database"
        )
    yield os.environ
    with Session(place_of(load_credentials(settings), "redshift")) as session:
        for schema in schemas:
            with session.transaction():
                session.run(Statement(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))


def test_the_marts_are_those_of_the_truth_and_of_spark(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    for command in (
        ["sample", str(tmp_path), "--lines", "20000"],
        ["ingest", "--target", "redshift"],
        ["load", "--dry-run", "--target", "redshift"],
        ["run", "--target", "redshift", "--truth", str(tmp_path / "truth.json")],
        ["run", "--target", "redshift"],
        ["query", "--target", "redshift", "select batch_id, state from landing.batches"],
        ["run", "--target", "local"],
        ["verify", "--targets", "local,redshift"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ingest.cli", *command],
            env=environ,
            cwd=ROOT,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, command
