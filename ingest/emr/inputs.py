"""What a job is given beside its command: variables, and settings of Spark. None is a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from ingest.emr.package import FOLDER
from ingest.errors import SettingsError
from ingest.settings import Settings

# The dbt targets of a job: Spark as it was submitted, with the cluster's metastore, or Redshift.
ON_SPARK, ON_REDSHIFT = TARGETS = ("emr", "redshift")
DRIVER_ENV = "spark.emr-serverless.driverEnv"
_EXECUTOR_ENV = "spark.executorEnv"
# What describes the one source of the environment; it is read on the cluster as it is here.
_OF_THE_SOURCE = (
    "CLICKSTREAM_RAW",
    "CLICKSTREAM_FORMAT",
    "CLICKSTREAM_TIMEZONE",
    "AWS_DATA_BUCKET",
)
# How to reach Redshift. No password: a job logs in as its role, or gets one that AWS keeps.
_OF_REDSHIFT = (
    "REDSHIFT_ENDPOINT",
    "REDSHIFT_DATABASE",
    "REDSHIFT_SCHEMA",
    "REDSHIFT_METHOD",
    "REDSHIFT_USER",
    "REDSHIFT_CLUSTER_ID",
    "REDSHIFT_WORKGROUP",
    "REDSHIFT_COPY_ROLE_ARN",
    "REDSHIFT_SSLMODE",
)
# Which certificate is the search server's, since a file of authorities is not there, and where AWS
# keeps the API key. Neither is a secret.
_OF_SEARCH = ("ES_SSL_FINGERPRINT", "ES_API_KEY_SECRET")
# Tasks work outside the JVM's heap, each on up to six times its range.
_SPARK = {
    "spark.driver.cores": "4",
    "spark.driver.memory": "4g",
    "spark.driver.memoryOverhead": "8g",
    "spark.executor.cores": "4",
    "spark.executor.memory": "4g",
    "spark.executor.memoryOverhead": "8g",
    f"{_EXECUTOR_ENV}.PYTHONPATH": FOLDER,
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
}


def reads_logs(command: Sequence[str]) -> bool:
    """Return whether `command` reads raw logs."""
    return bool(command) and command[0] in ("ingest", "replay", "run")


def exports(command: Sequence[str]) -> bool:
    """Return whether `command` sends documents to the search server."""
    return bool(command) and command[0] in ("export", "run")


def needs_tables(command: Sequence[str]) -> bool:
    """Return whether `command` works on the tables of a target."""
    return bool(command) and command[0] in ("load", "dbt", "run")


def job_target(settings: Settings) -> str:
    """Return the dbt target of a job: that of `settings`, Spark's for one of this machine."""
    return ON_SPARK if settings.target.startswith("local") else settings.target


def job_variables(
    settings: Settings, command: Sequence[str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables with which a job reads and writes what `command` here would.

    Raises SettingsError for a password in the address of the search server.
    """
    target = job_target(settings)
    given = _set_here(_OF_THE_SOURCE, environ)
    if needs_tables(command) and target == ON_REDSHIFT:
        given |= _set_here(_OF_REDSHIFT, environ)
    if exports(command):
        given |= _of_the_search(settings, environ)
    return {
        "CLICKSTREAM_DATA": "clickstream-data",
        "CLICKSTREAM_LAKE": settings.lake,
        "CLICKSTREAM_TARGET": target,
        **given,
    }


def job_conf(
    settings: Settings, command: Sequence[str], variables: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings of Spark for `command`; those of `[emr.spark]` win."""
    conf = {**_SPARK, "spark.sql.warehouse.dir": marts_uri(settings.lake)}
    # Executors reach the search server too, and have no other variables than these.
    conf |= {
        f"{_EXECUTOR_ENV}.{name}": text for name, text in variables.items() if name in _OF_SEARCH
    }
    if settings.emr.search_secret is not None and exports(command):
        # Only a name: EMR Serverless puts the secret in its place when the job starts.
        reference = f"EMR.secret@{settings.emr.search_secret}"
        conf |= {f"{place}.ES_API_KEY": reference for place in (DRIVER_ENV, _EXECUTOR_ENV)}
    return conf | dict(settings.emr.spark)


def marts_uri(lake: str) -> str:
    """Return where the marts lie: beside the lake, or in its bucket where the lake is all of it.

    Not below its prefix: jobs replace marts, and may delete nothing in the lake.
    """
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    above = prefix.rstrip("/").rpartition("/")[0]
    return "/".join(filter(None, ("s3:/", bucket, above, "marts")))


def _set_here(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in names if environ.get(name, "").strip()}


def _of_the_search(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    search = settings.search
    if "@" in urlsplit(search.url or "").netloc:
        raise SettingsError(
            "ES_URL holds a user name or password, which anyone who can view the job could read:"
            " remove them, and give the job an API key as docs/operations/aws.md describes"
        )
    found = {"ES_URL": search.url, "ES_INDEX": search.index}
    return {name: value for name, value in found.items() if value} | _set_here(_OF_SEARCH, environ)
