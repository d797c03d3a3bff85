"""Files in S3 that Redshift, or what replaces it in a test, is asked to copy."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redshift_connector.error import ProgrammingError

ROLE = "IAM_ROLE 'arn:aws:iam::123456789012:role/copy'"
TEXT, INT, BIGINT = pa.string(), pa.int32(), pa.int64()


class Copying:
    """Files in a bucket, and a connection that copies them."""

    def __init__(self, connection: Any, *, bucket: str) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.bucket = bucket
        self.s3 = boto3.client("s3")

    def put(self, key: str, content: bytes) -> dict[str, Any]:
        """Store an object and return its entry in a manifest."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        url = f"s3://{self.bucket}/{key}"
        return {"url": url, "mandatory": True, "meta": {"content_length": len(content)}}

    def put_rows(self, key: str, columns: Mapping[str, pa.Array], **options: Any) -> dict[str, Any]:
        """Store a Parquet file as the lake has it, unless `options` of pyarrow say otherwise."""
        file = io.BytesIO()
        wanted = {"store_schema": False, "use_deprecated_int96_timestamps": True, **options}
        pq.write_table(pa.table(dict(columns)), file, **wanted)
        return self.put(key, file.getvalue())

    def manifest(self, *entries: object) -> str:
        """Store a manifest and return the COPY that loads it into table t."""
        self.put("manifest.json", json.dumps({"entries": entries}).encode())
        return f"copy t from 's3://{self.bucket}/manifest.json' {ROLE} format as parquet manifest"

    def load(self, *entries: object, columns: str = "", options: str = "") -> list[tuple[Any, ...]]:
        """Copy the files into table t and return its rows."""
        self.cursor.execute(f"{self.manifest(*entries)} {options}".replace(" t ", f" t{columns} "))
        return self.ask("select * from t")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        self.cursor.execute(sql)
        return [tuple(row) for row in self.cursor.fetchall()]

    def refuses(self, sql: str, said: str) -> dict[str, str]:
        """Check that `sql` fails and says so, and aborts its transaction; return the error."""
        self.connection.commit()
        self.cursor.execute("create table witness (a int)")
        with pytest.raises(ProgrammingError) as error:
            self.cursor.execute(sql)
        with pytest.raises(ProgrammingError, match="current transaction is aborted"):
            self.cursor.execute("select 1")
        self.connection.rollback()
        assert self.ask("select count(*) from pg_tables where tablename = 'witness'") == [(0,)]
        fields: dict[str, str] = error.value.args[0]
        assert said in fields["M"] + fields.get("D", "")
        assert fields["C"] == "XX000"
        return fields


def array(*values: object, type: pa.DataType = TEXT) -> pa.Array:  # noqa: A002 -- pyarrow's word
    """Return an array of `values`, by default of text."""
    return pa.array(values, type)
