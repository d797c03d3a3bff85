"""The table [emr], and the names that users of the older pipeline know."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ingest.errors import SettingsError
from ingest.settings import EmrSettings, Prices, Settings, Source, load_settings

ROLE = "arn:aws:iam::123456789012:role/jobs/clickstream"
FULL = f"""
[emr]
application_id = "00fabc01"
role_arn = "{ROLE}"
staging = "s3://code/clickstream/"
arch = "aarch64"
timeout_minutes = 30
search_secret = "shop/search"
spark = {{ "spark.executor.cores" = "2" }}
[emr.prices]
currency = "EUR"
vcpu_hour = 0.052624
memory_gb_hour = 0.0057785
storage_gb_hour = 0
"""


def load(root: Path, toml: str = "", **environ: str) -> Settings:
    (root / "clickstream.toml").write_text(toml, encoding="utf-8")
    return load_settings(environ, root=root)


def test_nothing_is_needed_by_those_who_do_not_use_it(tmp_path: Path) -> None:
    assert load(tmp_path).emr == EmrSettings()


def test_all_settings(tmp_path: Path) -> None:
    assert load(tmp_path, FULL).emr == EmrSettings(
        application_id="00fabc01",
        role_arn=ROLE,
        staging="s3://code/clickstream",
        arch="aarch64",
        timeout_minutes=30,
        search_secret="shop/search",
        spark=(("spark.executor.cores", "2"),),
        prices=Prices(
            currency="EUR",
            vcpu_hour=Decimal("0.052624"),
            memory_gb_hour=Decimal("0.0057785"),
            storage_gb_hour=Decimal(0),
        ),
    )


def test_names_that_existing_users_know(tmp_path: Path) -> None:
    known = {"EMR_CLUSTER_ID": "j-2AXX", "AWS_TEMP_BUCKET": "temp/a", "AWS_DATA_BUCKET": "data/l"}
    settings = load(tmp_path, **known)
    assert settings.emr == EmrSettings(cluster_id="j-2AXX", staging="s3://temp/a")
    assert settings.sources == (Source(name="raw", uri="s3://data/l", rotation=False),)
    assert load(tmp_path, **known, EMR_STAGING="s3://other").emr.staging == "s3://other"


def test_the_data_bucket_is_read_only_where_no_source_is_set(tmp_path: Path) -> None:
    toml = '[[sources]]\nname = "web"\nuri = "s3://logs"\n'
    assert load(tmp_path, toml, AWS_DATA_BUCKET="data").sources[0].uri == "s3://logs"
    raw = load(tmp_path, AWS_DATA_BUCKET="data", CLICKSTREAM_RAW="/x").sources[0]
    assert raw.uri == "/x"
    formatted = load(tmp_path, AWS_DATA_BUCKET="data", CLICKSTREAM_FORMAT="access").sources[0]
    assert (formatted.uri, formatted.parse.format) == ("s3://data", "access")


def test_a_variable_for_a_service_means_that_service(tmp_path: Path) -> None:
    emr = load(tmp_path, FULL, EMR_CLUSTER_ID="j-2AXX").emr
    assert (emr.application_id, emr.cluster_id) == (None, "j-2AXX")
    toml = '[emr]\ncluster_id = "j-1"\n'
    emr = load(tmp_path, toml, EMR_APPLICATION_ID="00a").emr
    assert (emr.application_id, emr.cluster_id) == ("00a", None)


@pytest.mark.parametrize(
    ("toml", "environ", "problem"),
    [
        ("[emr]\napplication_id = 5", {}, "toml: emr.application_id = 5: must be the id of an"),
        ("", {"EMR_CLUSTER_ID": "x"}, "EMR_CLUSTER_ID = 'x': must be the id of an EMR cluster"),
        ("", {"EMR_ROLE_ARN": "me"}, "EMR_ROLE_ARN = 'me': must be arn:aws:iam::<12 digits>"),
        ("", {"EMR_STAGING": "s3://Up"}, "EMR_STAGING = 's3://Up': must be s3://bucket/prefix"),
        ("", {"AWS_TEMP_BUCKET": "a b"}, "AWS_TEMP_BUCKET = 'a b': must be s3://bucket/prefix"),
        ("", {"EMR_ARCH": "arm"}, "EMR_ARCH = 'arm': must be x86_64 or aarch64"),
        ("", {"EMR_SEARCH_SECRET": "a b"}, "EMR_SEARCH_SECRET = 'a b': must be the name of a"),
        ("[emr]\ntimeout_minutes = 0", {}, "emr.timeout_minutes = 0: must be a whole number from"),
        (
            "[emr.spark]\n'spark.executorEnv.ES_PASSWORD' = 'abc'",
            {},
            "emr.spark.spark.executorEnv.ES_PASSWORD holds a secret, which anyone who can view",
        ),
        (
            "[emr.spark]\n'spark.executorEnv.CLICKSTREAM_PSEUDONYM_KEY' = 'abc'",
            {},
            "emr.spark.spark.executorEnv.CLICKSTREAM_PSEUDONYM_KEY holds a secret",
        ),
        ("[emr]\nrole = 'x'", {}, "unknown key emr.role; known: "),
        (
            "[emr]\napplication_id = 'a'\ncluster_id = 'j-A'",
            {},
            "EMR_APPLICATION_ID / emr.application_id and EMR_CLUSTER_ID / emr.cluster_id are both",
        ),
        (
            "[emr.prices]\ncurrency = 'USD'\nvcpu_hour = 1\nmemory_gb_hour = nan\n"
            "storage_gb_hour = 0",
            {},
            "emr.prices.memory_gb_hour = nan: must be a number from 0 on",
        ),
        (
            "[emr.prices]\ncurrency = 'USD'\nvcpu_hour = 1\nmemory_gb_hour = 0",
            {},
            "emr.prices.storage_gb_hour is missing: must be a number from 0 on",
        ),
    ],
)
def test_each_wrong_value_is_one_problem(
    tmp_path: Path, toml: str, environ: dict[str, str], problem: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, toml, **environ)
    _, *problems = str(caught.value).splitlines()
    assert len(problems) == 1
    assert problem in problems[0]
