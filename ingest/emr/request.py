"""The request that sends a job, as JSON: built without calling anybody."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.emr.package import FOLDER, Package
from ingest.errors import SettingsError
from ingest.settings import Settings

# Commands of ours that a package holds all packages for, and that need no secret.
COMMANDS = ("ingest", "replay")
# What describes the one source of the environment; it is read on the cluster as it is here.
_OF_THE_SOURCE = (
    "CLICKSTREAM_RAW",
    "CLICKSTREAM_FORMAT",
    "CLICKSTREAM_TIMEZONE",
    "AWS_DATA_BUCKET",
)
# Tasks work outside the JVM's heap, each on up to six times its range.
_SPARK = {
    "spark.driver.cores": "4",
    "spark.driver.memory": "4g",
    "spark.driver.memoryOverhead": "8g",
    "spark.executor.cores": "4",
    "spark.executor.memory": "4g",
    "spark.executor.memoryOverhead": "8g",
    "spark.executorEnv.PYTHONPATH": FOLDER,
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
}
# A job that fails says why with its exit code; the same attempt again would say the same.
_ATTEMPTS = 1


def job_variables(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which a job reads and writes what a command here would.

    None of them is a secret: a job has the rights of its role.
    """
    given = {name: environ[name] for name in _OF_THE_SOURCE if environ.get(name, "").strip()}
    return {"CLICKSTREAM_DATA": "clickstream-data", "CLICKSTREAM_LAKE": settings.lake, **given}


def build_request(
    settings: Settings,
    package: Package,
    *,
    command: Sequence[str],
    variables: Mapping[str, str],
    token: str,
) -> dict[str, Any]:
    """Return the request that runs `command`, a clickstream command line, with `package`.

    `token` makes it unique: the same token sent twice is one job. Raises SettingsError that lists
    whatever a job could not work with.
    """
    _check(settings, command)
    arguments = [*(f"{name}={value}" for name, value in sorted(variables.items())), *command]
    if settings.emr.cluster_id is not None:
        return _step(settings, package, arguments, token)
    return _job_run(settings, package, arguments, token)


def _check(settings: Settings, command: Sequence[str]) -> None:
    if problems := list(_problems(settings, command)):
        raise SettingsError(
            "a job on EMR cannot run like this:\n" + "\n".join(f"- {p}" for p in problems)
        )


def _problems(settings: Settings, command: Sequence[str]) -> Iterator[str]:
    emr = settings.emr
    if not command or command[0] not in COMMANDS:
        yield f"{' '.join(command[:1]) or 'nothing'} does not run on EMR: {' or '.join(COMMANDS)}"
    if emr.application_id is None and emr.cluster_id is None:
        yield "set EMR_APPLICATION_ID / emr.application_id or EMR_CLUSTER_ID / emr.cluster_id"
    if emr.cluster_id is None and emr.role_arn is None:
        yield "set EMR_ROLE_ARN / emr.role_arn: EMR Serverless gives a job this role"
    if not settings.lake.startswith("s3://"):
        yield f"the lake {settings.lake} is not in S3: set CLICKSTREAM_LAKE / lake.uri"
    for source in settings.sources:
        if not source.uri.startswith("s3://"):
            yield f"source {source.name!r} is not in S3: {source.uri}"


def _job_run(
    settings: Settings, package: Package, arguments: list[str], token: str
) -> dict[str, Any]:
    emr = settings.emr
    conf = _spark(settings) | {
        "spark.archives": f"{package.archive}#{FOLDER}",
        "spark.emr-serverless.driverEnv.PYTHONPATH": FOLDER,
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


def _step(settings: Settings, package: Package, arguments: list[str], token: str) -> dict[str, Any]:
    conf = _spark(settings) | {
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


def _spark(settings: Settings) -> dict[str, str]:
    return _SPARK | dict(settings.emr.spark)


def _options(conf: Mapping[str, str]) -> list[str]:
    return [part for key in sorted(conf) for part in ("--conf", f"{key}={conf[key]}")]
