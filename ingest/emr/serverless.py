"""Jobs on EMR Serverless: a job run of an application."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ingest.emr.client import SERVERLESS, answers
from ingest.emr.service import JobState, Usage


class ServerlessService:
    """An application of EMR Serverless."""

    succeeded = "SUCCESS"
    failed = frozenset(("FAILED", "CANCELLED"))
    running = frozenset(("SUBMITTED", "PENDING", "SCHEDULED", "QUEUED", "RUNNING", "CANCELLING"))

    def __init__(self, application_id: str, client: Any, *, staging: str) -> None:
        """`client` is boto3's; `staging` is the s3:// prefix of code and logs."""
        self.place = f"application {application_id}"
        self._application_id = application_id
        self._client = client
        self._staging = staging

    def submit(self, request: Mapping[str, Any]) -> str:
        """The service knows a token for as long as its job, and answers with that job's id."""
        with answers(SERVERLESS, self.place):
            return str(self._client.start_job_run(**request)["jobRunId"])

    def state(self, job_id: str) -> JobState:
        found = self._read(job_id)
        return JobState(name=found["state"], reason=found.get("stateDetails") or None)

    def cancel(self, job_id: str) -> None:
        with answers(SERVERLESS, self._job(job_id)):
            self._client.cancel_job_run(applicationId=self._application_id, jobRunId=job_id)

    def log_folder(self, job_id: str) -> str:
        place = f"applications/{self._application_id}/jobs/{job_id}"
        return f"{self._staging}/logs/{place}/SPARK_DRIVER"

    def usage(self, job_id: str) -> Usage | None:
        billed = self._read(job_id).get("billedResourceUtilization")
        if not billed:
            return None
        return Usage(
            vcpu_hours=_hours(billed["vCPUHour"]),
            memory_gb_hours=_hours(billed["memoryGBHour"]),
            storage_gb_hours=_hours(billed["storageGBHour"]),
        )

    def _read(self, job_id: str) -> dict[str, Any]:
        with answers(SERVERLESS, self._job(job_id)):
            found: dict[str, Any] = self._client.get_job_run(
                applicationId=self._application_id, jobRunId=job_id
            )["jobRun"]
        return found

    def _job(self, job_id: str) -> str:
        return f"job {job_id} of {self.place}"


def _hours(value: float) -> Decimal:
    # The shortest text of the number: the digits that the service sent.
    return Decimal(str(value))
