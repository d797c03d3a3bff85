"""Wait: each final state of a service, and everything that may happen before."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest
from support.faulty_service import FaultyService

from ingest.emr.service import JobState
from ingest.emr.wait import wait_for_job
from ingest.errors import EmrError, EmrStillRunning, EmrUnavailable, SettingsError


def wait(service: FaultyService, timeout_minutes: int = 60) -> JobState:
    return wait_for_job(
        service, "1", timeout_minutes=timeout_minutes, delay_seconds=0.0, patience_seconds=0.0
    )


def test_until_it_succeeded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    service = FaultyService(["PENDING", "RUNNING", "RUNNING", "SUCCESS"])
    assert wait(service) == JobState(name="SUCCESS")
    assert caplog.messages == ["job 1: PENDING", "job 1: RUNNING", "job 1: SUCCESS"]


def test_an_unknown_state_counts_as_running_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert wait(FaultyService(["DREAMING", "DREAMING", "SUCCESS"])).name == "SUCCESS"
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["job 1: unknown state DREAMING, which counts as running"]


def test_a_service_out_of_reach_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    service = FaultyService(["RUNNING", EmrUnavailable("no answer"), "SUCCESS"])
    assert wait(service).name == "SUCCESS"
    assert "no answer; trying again" in caplog.messages


def test_a_right_that_is_missing_ends_it_at_once_and_the_job_is_named() -> None:
    with pytest.raises(EmrStillRunning, match="denied\njob 1 keeps running: wait with:"):
        wait(FaultyService([SettingsError("denied")]))


def test_the_reason_of_a_failure_is_told_without_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_logs(_service: FaultyService, _job_id: str) -> str:
        raise SettingsError("the cluster writes no logs to S3")

    monkeypatch.setattr(FaultyService, "log_folder", no_logs)
    with pytest.raises(EmrError) as caught:
        wait(FaultyService([JobState(name="FAILED", reason="out of memory")]))
    assert str(caught.value).splitlines() == [
        "job 1 of application 00fabc01 ended as FAILED: out of memory",
        "its log cannot be read: the cluster writes no logs to S3",
    ]


def test_a_failure_shows_the_reason_and_the_end_of_the_log(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(1, 101)]
    (tmp_path / "stderr.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (tmp_path / "stdout.gz").write_bytes(gzip.compress(b"error: of ours\n"))
    service = FaultyService([JobState(name="FAILED", reason="exit code 3")], folder=str(tmp_path))
    with pytest.raises(EmrError) as caught:
        wait(service)
    title, place, *shown, own, last = str(caught.value).splitlines()
    assert title == "job 1 of application 00fabc01 ended as FAILED: exit code 3"
    assert place == f"last lines of {tmp_path}/stderr.gz:"
    assert shown == [f"  line {number}" for number in range(51, 101)]
    assert (own, last) == (f"last lines of {tmp_path}/stdout.gz:", "  error: of ours")
    assert caught.value.exit_code == 1


def test_a_failure_without_reason_and_log() -> None:
    with pytest.raises(EmrError) as caught:
        wait(FaultyService(["CANCELLED"], folder="/none"))
    assert str(caught.value).splitlines() == [
        "job 1 of application 00fabc01 ended as CANCELLED: the service gives no reason",
        "there is no log in /none yet; try again in a few minutes: clickstream emr logs 1",
    ]


@pytest.mark.parametrize(
    ("told", "words"), [("RUNNING", "is still RUNNING"), (EmrUnavailable("x"), "unknown state")]
)
def test_a_job_beyond_its_limit_goes_on(
    monkeypatch: pytest.MonkeyPatch, told: str | Exception, words: str
) -> None:
    monkeypatch.setattr("ingest.emr.wait._GRACE_MINUTES", 0)
    with pytest.raises(EmrStillRunning, match=f"job 1 .*{words} after 0 minutes; it keeps running"):
        wait(FaultyService([told]), timeout_minutes=0)
