"""COPY as the loader writes it, other forms of it, and what COPY from Parquet refuses."""

from __future__ import annotations

import pytest
from redshift.copy_command import CopyCommand, S3Url, is_copy, read_copy
from redshift.refusal import CopyRefused

ROLE = "iam_role 'arn:aws:iam::123456789012:role/copy'"


def test_a_copy_by_manifest() -> None:
    command = read_copy(
        "/* dbt */ COPY landing.events (event_id, batch_id)\n"
        "FROM 's3://b/lake/manifests/redshift/1/events.json'\n"
        "IAM_ROLE 'arn:aws:iam::123456789012:role/copy' FORMAT AS PARQUET MANIFEST;"
    )
    assert command == CopyCommand(
        table=("landing", "events"),
        columns=("event_id", "batch_id"),
        source=S3Url("b", "lake/manifests/redshift/1/events.json"),
        manifest=True,
        fillrecord=False,
    )
    assert command.from_stdin(("a", 'b"')) == ('COPY "landing"."events" ("a", "b""") FROM STDIN ')


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("t", ("t",)),
        ("S.T", ("s", "t")),
        ('"S"."a.b"', ("S", "a.b")),
        ('s . "it""s"', ("s", 'it"s')),
    ],
)
def test_names_are_in_lower_case_unless_quoted(table: str, names: tuple[str, ...]) -> None:
    command = read_copy(f"copy {table} (A, \"B,c\") from 's3://b/k' {ROLE} format parquet")
    assert (command.table, command.columns) == (names, ("a", "B,c"))


@pytest.mark.parametrize(
    "options",
    [
        "iam_role default format as parquet",
        f"{ROLE} parquet",
        "credentials 'aws_iam_role=arn:aws:iam::123456789012:role/copy' format parquet",
        "credentials as 'aws_access_key_id=a;aws_secret_access_key=b' format as parquet",
        f"format parquet {ROLE} statupdate off",
    ],
)
def test_options_that_are_allowed(options: str) -> None:
    command = read_copy(f"copy t from 's3://b/k' {options}")
    assert command == CopyCommand(
        table=("t",), columns=(), source=S3Url("b", "k"), manifest=False, fillrecord=False
    )


@pytest.mark.parametrize(
    ("option", "name"),
    [
        *(("maxerror 10", "MAXERROR"), ("region 'eu-west-1'", "REGION"), ("gzip", "GZIP")),
        *(("compupdate off", "COMPUPDATE"), ("acceptinvchars", "ACCEPTINVCHARS")),
        *(("delimiter ','", "DELIMITER"), ("explicit_ids", "EXPLICIT_IDS")),
    ],
)
def test_other_options_are_refused(option: str, name: str) -> None:
    with pytest.raises(CopyRefused) as refused:
        read_copy(f"copy t from 's3://b/k' {ROLE} format as parquet {option}")
    assert refused.value.message == f"{name} argument is not supported for PARQUET based COPY"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("copy t from 's3://b/k' format as parquet", "CREDENTIALS argument is required"),
        ("copy t from 's3://b/k' iam_role 'me' parquet", "invalid IAM_ROLE argument"),
        ("copy t from 's3://b/k' iam_role parquet", "invalid IAM_ROLE argument"),
        ("copy t from 's3://b/k' credentials 'secret' parquet", "invalid CREDENTIALS argument"),
        ("copy t from 's3://b/k' iam_role default statupdate 1", "invalid STATUPDATE argument"),
        ("copy t from 's3://b/k' iam_role default format as csv", "invalid FORMAT argument"),
        ("copy t from 's3://b/k' iam_role default", "no other format than PARQUET"),
        ("copy t from 's3://b' iam_role default parquet", "invalid S3 URI: s3://b"),
        ("copy t from '/a/b' iam_role default parquet", "invalid S3 URI: /a/b"),
        ("copy t from stdin", "syntax error in COPY"),
        ("copy t to 's3://b/k' iam_role default", "syntax error in COPY"),
        ("copy t from 's3://b/k' iam_role default parquet; drop table t", "syntax error in COPY"),
    ],
)
def test_what_is_wrong_is_said(sql: str, message: str) -> None:
    with pytest.raises(CopyRefused) as refused:
        read_copy(sql)
    assert message in refused.value.message
    assert "secret" not in refused.value.message


def test_a_copy_is_known_by_its_first_word() -> None:
    assert is_copy(" -- a comment\nCopy t from stdin")
    assert not is_copy("select 'copy t'")
    assert not is_copy("copying")
