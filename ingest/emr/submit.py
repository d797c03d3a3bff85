"""Send a job: check it, build its request, and hand it to the service, once."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.emr.client import CLUSTER, SERVERLESS, emr_client
from ingest.emr.cluster import ClusterService
from ingest.emr.inputs import job_variables
from ingest.emr.package import Package, describe_package, is_uploaded
from ingest.emr.request import build_request, check_job
from ingest.emr.serverless import ServerlessService
from ingest.emr.service import Service
from ingest.errors import EmrError, SettingsError
from ingest.settings import Settings

# What EMR Serverless accepts; it also fits into the name of a step.
_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A job that a service has accepted: its id there, and the token that means it."""

    job_id: str
    place: str
    token: str
    sha: str


def prepare_job(
    settings: Settings, command: Sequence[str], *, token: str, environ: Mapping[str, str]
) -> tuple[Package, dict[str, Any]]:
    """Return the package that a job needs and the request that runs `command` with it.

    Nobody is asked. `environ` may describe the source, as for a command here. Raises SettingsError
    as `check_job` and `describe_package`, and for a token that EMR would not accept.
    """
    if not _TOKEN.fullmatch(token):
        raise SettingsError(f"--token {token}: must be 1 to 64 letters, digits and . _ -")
    variables = job_variables(settings, command, environ)
    check_job(settings, command, variables)
    package = describe_package(settings)
    request = build_request(settings, package, command=command, variables=variables, token=token)
    return package, request


def submit_job(
    settings: Settings,
    service: Service,
    *,
    command: Sequence[str],
    token: str,
    environ: Mapping[str, str],
) -> Submitted:
    """Send a job that runs `command` to `service`, or find the one sent with the same `token`.

    Raises as `prepare_job`, and EmrError when its package is not uploaded or EMR refuses the job.
    """
    package, request = prepare_job(settings, command, token=token, environ=environ)
    if not is_uploaded(package):
        raise EmrError(f"{package.uri} is not uploaded yet: run clickstream emr package")
    job_id = service.submit(request)
    return Submitted(job_id=job_id, place=service.place, token=token, sha=package.sha)


def new_token() -> str:
    """Return a token that no other job has."""
    return uuid.uuid4().hex


def open_service(settings: Settings) -> Service:
    """Return the service that `settings` names; raises SettingsError when they name none."""
    emr = settings.emr
    if emr.cluster_id is not None:
        once = emr_client(CLUSTER, repeats=False)
        return ClusterService(emr.cluster_id, emr_client(CLUSTER), once=once)
    if emr.application_id is None or emr.staging is None:
        raise SettingsError(
            "nothing says where jobs run: set EMR_CLUSTER_ID / emr.cluster_id, or"
            " EMR_APPLICATION_ID / emr.application_id and EMR_STAGING / emr.staging"
        )
    return ServerlessService(emr.application_id, emr_client(SERVERLESS), staging=emr.staging)
