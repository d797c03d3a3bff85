"""The first three hops of a run as a job on EMR: packed, sent and waited for, then looked up."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from ingest.emr.package import upload_package
from ingest.emr.service import Service
from ingest.emr.submit import new_token, submit_job
from ingest.emr.wait import wait_for_job
from ingest.errors import ClickstreamError
from ingest.job.run import IngestSummary
from ingest.lake.records import open_lake, read_log
from ingest.settings import Settings

_log = logging.getLogger(__name__)
# The job's command line; what it reads is in the settings and in its variables.
COMMAND = ("ingest",)


def ingest_on_emr(
    settings: Settings, service: Service, *, environ: Mapping[str, str]
) -> IngestSummary:
    """Ingest what is new as a job of `service`, and return what was sealed until its end.

    The log of batches tells: what another run sealed meanwhile is in it as well, and what nobody
    sealed (copies, waiting lines) only in the job's own log. `environ` may describe the source.
    Raises what `upload_package`, `submit_job` and `wait_for_job` raise; what was sealed before
    that is in the error's `done`.
    """
    started, before = time.monotonic(), _sealed(settings)
    upload_package(settings)
    job = submit_job(settings, service, command=COMMAND, token=new_token(), environ=environ)
    _log.info("job %s on %s", job.job_id, job.place)
    try:
        wait_for_job(service, job.job_id, timeout_minutes=settings.emr.timeout_minutes)
    except KeyboardInterrupt:
        _log.warning("when it has ended, `clickstream run` does the rest")
        raise
    except ClickstreamError as error:
        done = _summary(settings, before, started)
        error.done = None if done.nothing_new else done
        raise
    return _summary(settings, before, started)


def _sealed(settings: Settings) -> int:
    """Return the number of the newest batch, 0 without any."""
    return max((record.number for record in read_log(open_lake(settings.lake))), default=0)


def _summary(settings: Settings, before: int, started: float) -> IngestSummary:
    return IngestSummary(
        sealed=read_log(open_lake(settings.lake), after=before),
        elsewhere=(),
        duplicates=(),
        failed=(),
        waiting={},
        seconds=time.monotonic() - started,
    )
