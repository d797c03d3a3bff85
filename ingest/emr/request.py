"""The request that sends a job, as JSON: built without calling anybody."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.emr.inputs import (
    DRIVER_ENV,
    ON_REDSHIFT,
    TARGETS,
    exports,
    job_conf,
    job_target,
    needs_tables,
    reads_logs,
)
from ingest.emr.package import FOLDER, NO_STAGING, Package
from ingest.errors import SettingsError
from ingest.settings import Settings

COMMANDS = ("ingest", "replay", "load", "export", "run")
DBT_COMMANDS = ("build", "run", "test", "seed")
# What was checked before the job was sent must hold there, so a command may not change it.
_REFUSED = ("--on", "--raw")
_TUNNELS = ("localhost", "127.0.0.1")
# EMR Serverless would start three at once, which are paid for however little there is to do. Spark
# takes the larger of the two, and starts more when tasks wait.
_ONE_EXECUTOR = {
    "spark.dynamicAllocation.initialExecutors": "1",
    "spark.executor.instances": "1",
}
# A job that fails says why with its exit code; the same attempt again would say the same.
_ATTEMPTS = 1


def build_request(
    settings: Settings,
    package: Package,
    *,
    command: Sequence[str],
    variables: Mapping[str, str],
    token: str,
) -> dict[str, Any]:
    """Return the request that runs `command`, a line of clickstream or dbt, with `package`.

    `token` makes it unique: the same token sent twice is one job. `check_job` comes first.
    """
    arguments = [*(f"{name}={value}" for name, value in sorted(variables.items())), *command]
    conf = job_conf(settings, command, variables)
    if settings.emr.cluster_id is not None:
        return _step(settings, package, arguments, conf=conf, token=token)
    return _job_run(settings, package, arguments, conf=conf, token=token)


def check_job(settings: Settings, command: Sequence[str], variables: Mapping[str, str]) -> None:
    """Raise SettingsError that lists whatever a job that runs `command` could not work with."""
    if problems := list(_problems(settings, command, variables)):
        raise SettingsError("this job cannot run on EMR:\n" + "\n".join(f"- {p}" for p in problems))


def _problems(
    settings: Settings, command: Sequence[str], variables: Mapping[str, str]
) -> Iterator[str]:
    emr = settings.emr
    yield from _command_problems(command, job_target(settings))
    if needs_tables(command):
        yield from _target_problems(settings, variables)
    if exports(command):
        yield from _search_problems(settings)
    if emr.application_id is None and emr.cluster_id is None:
        yield "set EMR_APPLICATION_ID / emr.application_id or EMR_CLUSTER_ID / emr.cluster_id"
    if emr.cluster_id is None and emr.role_arn is None:
        yield "set EMR_ROLE_ARN / emr.role_arn: EMR Serverless gives a job this role"
    if emr.staging is None:
        yield NO_STAGING
    if not settings.lake.startswith("s3://"):
        yield f"the lake {settings.lake} is not in S3: set CLICKSTREAM_LAKE / lake.uri"
    for source in settings.sources if reads_logs(command) else ():
        if not source.uri.startswith("s3://"):
            yield f"source {source.name!r} is not in S3: {source.uri}"


def _command_problems(command: Sequence[str], target: str) -> Iterator[str]:
    first, second = [*command[:2], "", ""][:2]
    if first not in (*COMMANDS, "dbt"):
        yield f"{first!r} cannot run on EMR: use {', '.join(COMMANDS)}, or dbt"
    elif first == "dbt" and second not in DBT_COMMANDS:
        yield f"dbt {second!r} cannot run on EMR: use dbt with {', '.join(DBT_COMMANDS)}"
    for option in _REFUSED:
        if list(_values(command, option)):
            yield f"a job cannot take {option}: leave it out"
    if any(value != target for value in _values(command, "--target")):
        yield f"this job uses the target {target}: name another with --target before the command"


def _target_problems(settings: Settings, variables: Mapping[str, str]) -> Iterator[str]:
    target = job_target(settings)
    if target not in TARGETS:
        yield f"a job cannot use the target {target}: name one with --target {' or '.join(TARGETS)}"
    if target != ON_REDSHIFT:
        return
    endpoint = variables.get("REDSHIFT_ENDPOINT", "")
    if not endpoint:
        yield "set REDSHIFT_ENDPOINT to the Redshift that the job loads"
    elif endpoint.split("/")[0].split(":")[0] in _TUNNELS:
        yield f"REDSHIFT_ENDPOINT={endpoint} is a tunnel of this machine: set it to AWS's address"
    if variables.get("REDSHIFT_METHOD", "database") == "database" and not _gets_password(settings):
        yield (
            "the password of Redshift is never sent: set REDSHIFT_METHOD=iam_role, or let EMR put a"
            " secret into REDSHIFT_PASSWORD, as docs/operations/redshift.md says"
        )


def _gets_password(settings: Settings) -> bool:
    """Return whether EMR puts a password in; a cluster was told when it was created."""
    emr = settings.emr
    return emr.cluster_id is not None or f"{DRIVER_ENV}.REDSHIFT_PASSWORD" in dict(emr.spark)


def _values(command: Sequence[str], option: str) -> Iterator[str | None]:
    """Yield what `option` is set to, as often as it is there."""
    for part, following in zip(command, (*command[1:], None), strict=True):
        if part == option:
            yield following
        elif part.startswith(f"{option}="):
            yield part.removeprefix(f"{option}=")


def _search_problems(settings: Settings) -> Iterator[str]:
    if settings.search.url is None:
        yield (
            "a job cannot reach the local search server: set ES_URL / search.url to a server that"
            " it can reach, or to off"
        )
    if settings.emr.search_secret is not None and settings.emr.cluster_id is not None:
        yield (
            "emr.search_secret is for EMR Serverless: give a cluster its key when you create it, as"
            " docs/operations/aws.md says"
        )


def _job_run(
    settings: Settings,
    package: Package,
    arguments: list[str],
    *,
    conf: Mapping[str, str],
    token: str,
) -> dict[str, Any]:
    emr = settings.emr
    conf = {
        **_ONE_EXECUTOR,
        **conf,
        "spark.archives": f"{package.archive}#{FOLDER}",
        f"{DRIVER_ENV}.PYTHONPATH": FOLDER,
    }
    return {
        "applicationId": emr.application_id,
        "clientToken": token,
        "name": f"clickstream-{token}",
        "executionRoleArn": emr.role_arn,
        "mode": "BATCH",
        "executionTimeoutMinutes": emr.timeout_minutes,
        "retryPolicy": {"maxAttempts": _ATTEMPTS},
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": package.program,
                "entryPointArguments": arguments,
                "sparkSubmitParameters": shlex.join(_options(conf)),
            }
        },
        "configurationOverrides": {
            "monitoringConfiguration": {
                "s3MonitoringConfiguration": {"logUri": f"{emr.staging}/logs/"}
            }
        },
    }


def _step(
    settings: Settings,
    package: Package,
    arguments: list[str],
    *,
    conf: Mapping[str, str],
    token: str,
) -> dict[str, Any]:
    conf = {
        **conf,
        "spark.yarn.appMasterEnv.PYTHONPATH": FOLDER,
        "spark.yarn.maxAppAttempts": str(_ATTEMPTS),
    }
    submit = [
        *("spark-submit", "--deploy-mode", "cluster"),
        *("--archives", f"{package.archive}#{FOLDER}", *_options(conf)),
        *(package.program, *arguments),
    ]
    step = {
        "Name": f"clickstream-{token}",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": submit},
    }
    return {"JobFlowId": settings.emr.cluster_id, "Steps": [step]}


def _options(conf: Mapping[str, str]) -> list[str]:
    return [part for key in sorted(conf) for part in ("--conf", f"{key}={conf[key]}")]
