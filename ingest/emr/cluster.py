"""Jobs on a cluster of EMR on EC2: a step."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Mapping
from typing import Any

from ingest.emr.client import CLUSTER, answers
from ingest.emr.service import JobState, Usage
from ingest.errors import EmrError, EmrUnavailable, SettingsError

_log = logging.getLogger(__name__)

_ATTEMPTS = 5
_PAUSE_SECONDS = (0.2, 2.0)
_SUBMITTED = "SUBMITTED"


class ClusterService:
    """A cluster of EMR on EC2."""

    succeeded = "COMPLETED"
    failed = frozenset(("FAILED", "CANCELLED", "INTERRUPTED"))
    running = frozenset(("PENDING", "RUNNING", "CANCEL_PENDING"))

    def __init__(self, cluster_id: str, client: Any, *, once: Any) -> None:
        """`client` is boto3's; `once` is one that never repeats a call by itself."""
        self.place = f"cluster {cluster_id}"
        self._cluster_id = cluster_id
        self._client = client
        self._once = once

    def submit(self, request: Mapping[str, Any]) -> str:
        """A cluster knows no tokens: the name of a step is looked up before each attempt.

        So a call whose answer was lost is not repeated if it was received.
        """
        name = str(request["Steps"][0]["Name"])
        for attempt in range(1, _ATTEMPTS + 1):
            if (step_id := self._find(name)) is not None:
                return step_id
            try:
                with answers(CLUSTER, self.place):
                    return str(self._once.add_job_flow_steps(**request)["StepIds"][0])
            except EmrUnavailable as error:
                if attempt == _ATTEMPTS:
                    raise
                _log.info("%s; checking whether the step was added", error)
                time.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - no secret
        raise AssertionError("the last attempt returns or raises")

    def state(self, job_id: str) -> JobState:
        status = self._read(job_id)["Status"]
        failure, change = status.get("FailureDetails", {}), status.get("StateChangeReason", {})
        reasons = [failure.get("Reason"), failure.get("Message"), change.get("Message")]
        reason = ": ".join(dict.fromkeys(text for text in reasons if text))
        return JobState(name=status["State"], reason=reason or None)

    def cancel(self, job_id: str) -> None:
        with answers(CLUSTER, self._job(job_id)):
            (answer,) = self._client.cancel_steps(
                ClusterId=self._cluster_id,
                StepIds=[job_id],
                # Otherwise a step that runs is not ended.
                StepCancellationOption="SEND_INTERRUPT",
            )["CancelStepsInfoList"]
        if answer["Status"] != _SUBMITTED:
            raise EmrError(f"{self._job(job_id)} was not cancelled: {answer.get('Reason')}")

    def log_folder(self, job_id: str) -> str:
        """Raises SettingsError when the cluster writes no logs to S3."""
        with answers(CLUSTER, self.place):
            cluster = self._client.describe_cluster(ClusterId=self._cluster_id)["Cluster"]
        uri = cluster.get("LogUri")
        if not uri:
            raise SettingsError(
                f"{self.place} writes no logs to S3: create the cluster with a log URI"
            )
        # Consoles write the scheme of an old client of S3.
        folder = re.sub(r"^s3[an]://", "s3://", uri).rstrip("/")
        return f"{folder}/{self._cluster_id}/steps/{job_id}"

    def usage(self, job_id: str) -> Usage | None:
        """Raises SettingsError: EC2 bills machines, whatever steps they run."""
        raise SettingsError(
            f"{self._job(job_id)} has no price of its own: AWS bills the machines of a cluster,"
            " not its steps; see Cost Explorer"
        )

    def _find(self, name: str) -> str | None:
        with answers(CLUSTER, self.place):
            for page in self._client.get_paginator("list_steps").paginate(
                ClusterId=self._cluster_id
            ):
                for step in page["Steps"]:
                    if step["Name"] == name:
                        return str(step["Id"])
        return None

    def _read(self, job_id: str) -> dict[str, Any]:
        with answers(CLUSTER, self._job(job_id)):
            found: dict[str, Any] = self._client.describe_step(
                ClusterId=self._cluster_id, StepId=job_id
            )["Step"]
        return found

    def _job(self, job_id: str) -> str:
        return f"step {job_id} of {self.place}"
