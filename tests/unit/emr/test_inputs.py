"""What a job is given beside its command: where to read and write, and no secret."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.emr.inputs import _OF_REDSHIFT, job_conf, job_variables, marts_uri
from ingest.emr.package import Package
from ingest.emr.request import check_job
from ingest.errors import SettingsError
from ingest.settings import SearchSettings, Settings

PACKAGE = Package(sha="5a", uri="s3://code/5a", arch="x86_64")
BY_ALL = {
    "CLICKSTREAM_DATA": "clickstream-data",
    "CLICKSTREAM_LAKE": "s3://lake/one",
    "CLICKSTREAM_TARGET": "emr",
}
ENVIRON = {
    "AWS_SECRET_ACCESS_KEY": "secret",
    "ES_API_KEY": "secret",
    "ES_PASSWORD": "secret",
    "ES_SSL_FINGERPRINT": "ab:cd",
    "ES_API_KEY_SECRET": "clicks/key",
    "CLICKSTREAM_LAKE": "elsewhere",
    "CLICKSTREAM_TARGET": "local",
    "CLICKSTREAM_RAW": "s3://logs/a b",
    "CLICKSTREAM_FORMAT": " ",
    "AWS_DATA_BUCKET": "logs",
    "REDSHIFT_ENDPOINT": "host:5439",
    "REDSHIFT_METHOD": "iam_role",
    "REDSHIFT_PASSWORD": "secret",
    "REDSHIFT_SCHEMA": " ",
}
SEARCH = SearchSettings(url="https://es:9200", index="clicks")


@pytest.mark.parametrize("command", ["ingest", "load", "dbt"])
def test_variables_describe_lake_and_source(settings: Settings, command: str) -> None:
    found = job_variables(replace(settings, search=SEARCH), [command], ENVIRON)
    assert found == {**BY_ALL, "AWS_DATA_BUCKET": "logs", "CLICKSTREAM_RAW": "s3://logs/a b"}


@pytest.mark.parametrize("command", ["export", "run"])
def test_who_exports_is_told_where(settings: Settings, command: str) -> None:
    found = job_variables(replace(settings, search=SEARCH), [command], ENVIRON)
    told = {name: value for name, value in found.items() if name.startswith("ES_")}
    assert told == {
        "ES_URL": "https://es:9200",
        "ES_INDEX": "clicks",
        "ES_SSL_FINGERPRINT": "ab:cd",
        "ES_API_KEY_SECRET": "clicks/key",
    }
    conf = job_conf(settings, [command], found)
    assert conf["spark.executorEnv.ES_SSL_FINGERPRINT"] == "ab:cd"
    assert conf["spark.executorEnv.ES_API_KEY_SECRET"] == "clicks/key"


@pytest.mark.parametrize(
    ("target", "there"),
    [("local", "emr"), ("local_large", "emr"), ("emr", "emr"), ("redshift", "redshift")],
)
def test_a_job_uses_the_target_of_the_settings(settings: Settings, target: str, there: str) -> None:
    named = replace(settings, target=target)
    assert job_variables(named, ["ingest"], {})["CLICKSTREAM_TARGET"] == there


@pytest.mark.parametrize("command", ["load", "dbt", "run"])
def test_who_works_on_redshift_is_told_how_to_reach_it_but_no_password(
    settings: Settings, command: str
) -> None:
    found = job_variables(replace(settings, target="redshift"), [command], ENVIRON)
    told = {name: value for name, value in found.items() if name.startswith("REDSHIFT_")}
    assert told == {"REDSHIFT_ENDPOINT": "host:5439", "REDSHIFT_METHOD": "iam_role"}


def test_all_settings_of_redshift_in_the_profile_are_sent() -> None:
    root = Path(__file__).resolve().parents[3]
    named = re.findall(r"REDSHIFT_\w+", (root / "profiles/profiles.yml").read_text())
    copy = {"REDSHIFT_COPY_ROLE_ARN"}  # COPY names it, which dbt does not run
    assert {*named, *copy} - {"REDSHIFT_PASSWORD"} == set(_OF_REDSHIFT)


def test_a_password_in_an_address_is_not_sent(settings: Settings) -> None:
    search = SearchSettings(url="https://me:hunter2@es:9200")
    secret = replace(settings, search=search)
    assert "ES_URL" not in job_variables(secret, ["ingest"], {})
    with pytest.raises(SettingsError, match="ES_URL holds a user name or password") as caught:
        job_variables(secret, ["run"], {})
    assert "hunter2" not in str(caught.value)


def test_emr_serverless_puts_a_named_secret_in_its_place(settings: Settings) -> None:
    named = replace(settings, emr=replace(settings.emr, search_secret="a/b"))
    assert {
        name: value for name, value in job_conf(named, ["run"], {}).items() if "API_KEY" in name
    } == {
        "spark.emr-serverless.driverEnv.ES_API_KEY": "EMR.secret@a/b",
        "spark.executorEnv.ES_API_KEY": "EMR.secret@a/b",
    }
    assert "secret" not in str(job_conf(named, ["load"], {}))


def test_a_cluster_gets_no_secret(settings: Settings) -> None:
    emr = replace(settings.emr, application_id=None, cluster_id="j-2AXX", search_secret="a/b")
    with pytest.raises(SettingsError, match="give a cluster its key when you create it"):
        check_job(replace(settings, emr=emr), ["export"], {})


@pytest.mark.parametrize(
    ("lake", "marts"),
    [
        ("s3://bucket/lake", "s3://bucket/marts"),
        ("s3://bucket/a/lake", "s3://bucket/a/marts"),
        ("s3://bucket/lake/", "s3://bucket/marts"),
        ("s3://bucket", "s3://bucket/marts"),
    ],
)
def test_the_marts_are_beside_the_lake(lake: str, marts: str) -> None:
    assert marts_uri(lake) == marts


def test_other_marts_can_be_named(settings: Settings) -> None:
    spark = (("spark.sql.warehouse.dir", "s3://elsewhere"),)
    changed = replace(settings, emr=replace(settings.emr, spark=spark))
    assert job_conf(changed, ["run"], {})["spark.sql.warehouse.dir"] == "s3://elsewhere"
