"""The ingest of a run as a job on EMR: sent with its package, waited for, looked up in the lake."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.records import make_draft, sealed
from fixtures.storage import MemoryStorage
from support.faulty_service import FaultyService

from ingest.emr.package import PROGRAM, describe_package
from ingest.emr.service import JobState
from ingest.errors import EmrError
from ingest.job import on_emr
from ingest.job.on_emr import ingest_on_emr
from ingest.job.run import IngestSummary
from ingest.lake.records import create_lake
from ingest.settings import EmrSettings, Settings, Source
from ingest.storage import SCHEMES, open_storage

ROOT = Path(__file__).resolve().parents[3]


class Sealing(FaultyService):
    """Seals a batch while the job runs."""

    def __init__(self, lake: str, *states: str | BaseException) -> None:
        super().__init__(states)
        self._lake = lake

    def state(self, job_id: str) -> JobState:
        sealed(create_lake(self._lake), make_draft(f"b{len(self._states)}"))
        return super().state(job_id)


@pytest.fixture
def settings(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings of a job on a cluster; S3 is the memory of this process."""
    monkeypatch.setitem(SCHEMES, "s3", lambda uri: MemoryStorage(uri, tmp_path / "spools"))
    # Nothing is fetched, and nobody sleeps.
    monkeypatch.setattr(on_emr, "upload_package", _upload)
    monkeypatch.setattr("ingest.emr.wait.log_tail", lambda *_, **__: None)
    bucket = f"s3://{uuid.uuid4().hex}"
    return replace(
        make_settings(lake=f"{bucket}/lake"),
        root=ROOT,
        sources=(Source(name="web", uri=f"{bucket}/raw"),),
        emr=EmrSettings(cluster_id="j-2AXX", staging=f"{bucket}/staging"),
    )


def _upload(settings: Settings) -> None:
    open_storage(describe_package(settings).uri).put(PROGRAM, b"")


def run(settings: Settings, service: FaultyService, **environ: str) -> IngestSummary:
    return ingest_on_emr(settings, service, environ=environ)


def test_what_was_sealed_before_the_job_is_not_its_own(settings: Settings) -> None:
    sealed(create_lake(settings.lake), make_draft("b0"))
    summary = run(settings, Sealing(settings.lake, "SUCCESS"))
    assert [record.batch_id for record in summary.sealed] == ["b1"]
    assert summary.exit_code == 0
    assert run(settings, FaultyService(["SUCCESS"])).nothing_new


def test_the_job_is_an_ingest_of_what_a_run_here_would_read(settings: Settings) -> None:
    service = FaultyService(["SUCCESS"])
    run(settings, service, CLICKSTREAM_RAW="s3://logs/a", ES_API_KEY="secret")
    (request,) = service.sent
    arguments = request["Steps"][0]["HadoopJarStep"]["Args"]
    assert arguments[-1] == "ingest"
    assert "CLICKSTREAM_RAW=s3://logs/a" in arguments
    assert "secret" not in str(request)


def test_each_run_sends_a_job_of_its_own(settings: Settings) -> None:
    service = FaultyService(["SUCCESS"])
    for _ in range(2):
        run(settings, service)
    one, two = (request["Steps"][0]["Name"] for request in service.sent)
    assert one != two


@pytest.mark.parametrize("states", [("FAILED",), ("CANCELLED",)])
def test_a_job_that_failed_tells_what_it_sealed(settings: Settings, states: tuple[str]) -> None:
    with pytest.raises(EmrError, match="job 1 of application 00fabc01 ended as") as caught:
        run(settings, Sealing(settings.lake, *states))
    done: Any = caught.value.done
    assert [record.batch_id for record in done.sealed] == ["b1"]


def test_a_job_that_failed_before_it_sealed_anything(settings: Settings) -> None:
    with pytest.raises(EmrError) as caught:
        run(settings, FaultyService(["FAILED"]))
    assert caught.value.done is None


def test_ctrl_c_says_how_to_go_on(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with pytest.raises(KeyboardInterrupt):
        run(settings, FaultyService([KeyboardInterrupt()]))
    assert caplog.messages == [
        "job 1 keeps running; wait with: clickstream emr wait 1, cancel with: clickstream emr"
        " cancel 1",
        "when it has ended, `clickstream run` does the rest",
    ]
