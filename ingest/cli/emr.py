"""`clickstream emr`: hops as jobs on EMR, next to logs and lake in S3."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import click

from ingest.cli.common import json_option, load_settings_for, plain, show, show_request
from ingest.errors import EmrError

if TYPE_CHECKING:
    from ingest.emr.cost import Cost

# Those of ingest.emr.inputs, which would bring S3 into every `--help`.
TARGETS = ("emr", "redshift")
job_argument = click.argument("job_id", metavar="JOB")


@click.group()
def emr() -> None:
    """Run hops on EMR, next to logs and lake in S3.

    \b
    clickstream emr package      upload the code, once per version
    clickstream emr submit       send a job; prints its id
    clickstream emr wait JOB     until it has ended
    clickstream emr cost JOB     what it cost

    The table [emr] in clickstream.toml says where jobs run. JOB is the id of a job run on
    EMR Serverless, or of a step on a cluster.
    """


@emr.command("package")
@json_option
def package_command(as_json: bool) -> None:
    """Upload the code, packages and settings that a job needs.

    A package that is there already is not uploaded again. It contains clickstream.toml, the
    dbt project and the packages of requirements.lock for EMR's machines (EMR_ARCH: x86_64 or
    aarch64), fetched with pip, so you can run this on any machine.
    """
    from ingest.emr.package import upload_package

    package = upload_package(load_settings_for(None))
    done = f"uploaded {package.bytes:,} bytes to" if package.bytes else "already uploaded:"
    show(package, f"{done} {package.uri}", as_json)


@emr.command("submit")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--token",
    metavar="T",
    help="Name of this submission; submitting it again returns the same job. [default: a new one]",
)
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    help="dbt target of the job. [default: CLICKSTREAM_TARGET; emr for a local one]",
)
@click.option("--dry-run", is_flag=True, help="Print the request as JSON; call no service.")
@json_option
def submit_command(
    command: tuple[str, ...], token: str | None, target: str | None, dry_run: bool, as_json: bool
) -> None:
    """Send a job that runs COMMAND on EMR.

    COMMAND is one of ingest (the default), replay, load, export, run, or dbt with build,
    run, test or seed; its own options go behind --, as in `clickstream emr submit --
    ingest web --final`. The job gets CLICKSTREAM_LAKE, CLICKSTREAM_RAW, CLICKSTREAM_FORMAT,
    CLICKSTREAM_TIMEZONE, AWS_DATA_BUCKET, ES_URL, ES_INDEX and ES_SSL_FINGERPRINT as they
    are set here, and for Redshift every REDSHIFT_... but the password.
    """
    from ingest.emr.submit import new_token, open_service, prepare_job, submit_job
    from ingest.emr.wait import how_to_go_on

    settings = load_settings_for(target)
    command, token = command or ("ingest",), token or new_token()
    if dry_run:
        _, request = prepare_job(settings, command, token=token, environ=os.environ)
        show_request(request, as_json)
        return
    service = open_service(settings)
    job = submit_job(settings, service, command=command, token=token, environ=os.environ)
    show(job, f"job {job.job_id} on {job.place}\n{how_to_go_on(job.job_id)}", as_json)


@emr.command("wait")
@job_argument
@json_option
def wait_command(job_id: str, as_json: bool) -> None:
    """Wait until JOB has ended.

    Exits with 0 if it succeeded, otherwise with 1, showing the service's reason and the
    end of the driver's log. Ctrl-C does not end the job.
    """
    from ingest.emr.submit import open_service
    from ingest.emr.wait import wait_for_job

    settings = load_settings_for(None)
    state = wait_for_job(
        open_service(settings), job_id, timeout_minutes=settings.emr.timeout_minutes
    )
    show({"job_id": job_id, **plain(state)}, f"job {job_id}: {state.name}", as_json)


@emr.command("logs")
@job_argument
@click.option(
    "--lines",
    default=50,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many of the last lines.",
)
@click.option(
    "--stream",
    default="stdout",
    show_default=True,
    type=click.Choice(("stderr", "stdout")),
    help="stdout holds what clickstream says, stderr what Spark says.",
)
@json_option
def logs_command(
    job_id: str, lines: int, stream: Literal["stderr", "stdout"], as_json: bool
) -> None:
    """Show the end of the log of JOB's driver.

    It may reach S3 some minutes late. That of a step on a cluster is what spark-submit said;
    YARN may keep the driver's own log below containers/ in the cluster's log folder.
    """
    from ingest.emr.logs import log_tail
    from ingest.emr.submit import open_service

    folder = open_service(load_settings_for(None)).log_folder(job_id)
    found = log_tail(folder, stream, lines=lines)
    if found is None:
        raise EmrError(f"there is no {stream}.gz in {folder} yet: try again in a few minutes")
    show({"folder": folder, "lines": found}, "\n".join(found), as_json)


@emr.command("cost")
@job_argument
@json_option
def cost_command(job_id: str, as_json: bool) -> None:
    """Show what JOB cost on EMR Serverless.

    Billed hours of vCPU, memory and storage, times emr.prices in clickstream.toml.
    """
    from ingest.emr.cost import cost_of_job
    from ingest.emr.submit import open_service

    settings = load_settings_for(None)
    cost = cost_of_job(open_service(settings), job_id, emr=settings.emr)
    show(cost, _cost_text(cost), as_json)


@emr.command("cancel")
@job_argument
@json_option
def cancel_command(job_id: str, as_json: bool) -> None:
    """Cancel JOB; the next one reads what it has not sealed."""
    from ingest.emr.submit import open_service

    open_service(load_settings_for(None)).cancel(job_id)
    show({"job_id": job_id}, f"asked the service to cancel job {job_id}", as_json)


def _cost_text(cost: Cost) -> str:
    usage = cost.usage
    return (
        f"{cost.amount} {cost.currency} = {usage.vcpu_hours} vCPU-hours, "
        f"{usage.memory_gb_hours} GB-hours of memory, {usage.storage_gb_hours} GB-hours of storage"
    )
