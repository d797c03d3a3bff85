"""What COPY of Parquet refuses: a test for each thing that it insists on."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from redshift_connector.error import ProgrammingError
from support.copying import BIGINT, INT, ROLE, TEXT, Copying, array

pytestmark = pytest.mark.integration


def test_number_of_columns(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int, b int)")
    fewer = copying.put_rows("a", {"a": array(1, type=INT)})
    more = copying.put_rows("b", dict.fromkeys("abc", array(1, type=INT)))
    said = "Unmatched number of columns between table and file. Table columns: 2, Data columns"
    copying.refuses(copying.manifest(fewer), f"{said}: 1")
    copying.refuses(copying.manifest(more), f"{said}: 3")
    copying.refuses(f"{copying.manifest(more)} fillrecord", f"{said}: 3")


def test_types_in_another_order(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int, b varchar)")
    file = copying.put_rows("a", {"b": array("x"), "a": array(1, type=INT)})
    error = copying.refuses(copying.manifest(file), "incompatible Parquet schema for column")
    assert error["M"] == "Spectrum Scan Error"
    assert f"'{file['url']}.a'. Column type: INT4, Parquet schema: b: string" in error["D"]


@pytest.mark.parametrize(("kind", "stored"), [("int", BIGINT), ("bigint", INT), ("smallint", INT)])
def test_integers_of_another_size(
    copying: Copying,
    kind: str,
    stored: pa.DataType,
) -> None:
    copying.cursor.execute(f"create table t (a {kind})")
    file = copying.put_rows("a", {"a": array(1, type=stored)})
    copying.refuses(copying.manifest(file), f"Parquet schema: a: {stored}")


@pytest.mark.parametrize(("precision", "scale"), [(10, 3), (11, 2), (9, 2)])
def test_decimals_of_another_precision_or_scale(
    copying: Copying, precision: int, scale: int
) -> None:
    copying.cursor.execute("create table t (a numeric(10, 2))")
    stored = pa.decimal128(precision, scale)
    file = copying.put_rows("a", {"a": array(Decimal(1), type=stored)})
    copying.refuses(copying.manifest(file), f"a: decimal128({precision}, {scale})")


def test_text_over_its_width_in_bytes(copying: Copying) -> None:
    copying.cursor.execute("create table t (a varchar(4))")
    assert copying.load(copying.put_rows("a", {"a": array("éé", "abcd")})) == [
        ("éé",),
        ("abcd",),
    ]
    file = copying.put_rows("b", {"a": array("ok", "éaé")})
    copying.refuses(copying.manifest(file), "Table: 4, Data: 5")


def test_text_over_the_width_that_a_varchar_has_by_default(copying: Copying) -> None:
    copying.cursor.execute("create table t (a varchar)")
    copying.load(copying.put_rows("a", {"a": array("x" * 256)}))
    file = copying.put_rows("b", {"a": array("x" * 257)})
    copying.refuses(copying.manifest(file), "Table: 256, Data: 257")


def test_null_where_none_may_be(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int, b int not null)")
    said = "Cannot insert a NULL value into column b"
    one, null = array(1, type=INT), array(None, type=INT)
    file = copying.put_rows("a", {"a": one, "b": null})
    copying.refuses(copying.manifest(file), said)
    fewer = copying.put_rows("b", {"a": one})
    copying.refuses(f"{copying.manifest(fewer)} fillrecord", said)
    fine = copying.put_rows("c", {"b": one})
    with pytest.raises(ProgrammingError, match='null value in column "b"'):
        copying.load(fine, columns="(a)")


def test_a_zero_byte(copying: Copying) -> None:
    copying.cursor.execute("create table t (a varchar)")
    file = copying.put_rows("a", {"a": array("fine", "a\0b")})
    copying.refuses(copying.manifest(file), "Zero byte in column a")


def test_text_that_is_not_utf8(copying: Copying) -> None:
    copying.cursor.execute("create table t (a varchar)")
    latin = array(b"fine", "é".encode("latin-1"), type=pa.binary())
    text = pa.Array.from_buffers(TEXT, len(latin), latin.buffers())
    file = copying.put_rows("a", {"a": text})
    copying.refuses(copying.manifest(file), "Invalid UTF-8 in column a")


@pytest.mark.parametrize("stored", ["ms", "us", "ns"])
def test_timestamps_that_are_not_int96(copying: Copying, stored: str) -> None:
    copying.cursor.execute("create table t (a timestamp)")
    times = {"a": array(0, type=BIGINT).cast(pa.timestamp(stored))}
    file = copying.put_rows("a", times, use_deprecated_int96_timestamps=False)
    copying.refuses(copying.manifest(file), "Column type: TIMESTAMP")


@pytest.mark.parametrize("values", [[[1]], [{"x": 1}], [b"1"]])
def test_types_that_no_column_has(copying: Copying, values: list[object]) -> None:
    copying.cursor.execute("create table t (a varchar)")
    file = copying.put_rows("a", {"a": pa.array(values)})
    copying.refuses(copying.manifest(file), "incompatible Parquet schema")


@pytest.mark.parametrize("kind", ["super", "numeric", "timestamptz", "time"])
def test_columns_that_no_type_fits(copying: Copying, kind: str) -> None:
    copying.cursor.execute(f"create table t (a {kind})")
    file = copying.put_rows("a", {"a": array("1")})
    copying.refuses(copying.manifest(file), f"Column type: {kind.upper()}")


@pytest.mark.parametrize("bad", ["schema", "value"])
def test_a_bad_second_file(copying: Copying, bad: str) -> None:
    copying.cursor.execute("create table t (a varchar(3))")
    first = copying.put_rows("a", {"a": array("x")})
    values = array(1, type=INT) if bad == "schema" else array("abcd")
    second = copying.put_rows("b", {"a": values})
    copying.refuses(copying.manifest(first, second), f"{copying.bucket}/b")


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({}, "invalid manifest file format"),
        ({"content_length": "9"}, "invalid manifest file format"),
        ({"content_length": 9}, "S3 file size mismatch"),
    ],
)
def test_a_missing_or_wrong_content_length(
    copying: Copying, meta: dict[str, object], said: str
) -> None:
    copying.cursor.execute("create table t (a int)")
    file = copying.put_rows("a", {"a": array(1, type=INT)})
    copying.refuses(copying.manifest({**file, "meta": meta}), said)
    copying.refuses(copying.manifest({"url": file["url"]}), "invalid manifest file format")


def test_a_missing_mandatory_file(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    file = copying.put_rows("a", {"a": array(1, type=INT)})
    missing = {**file, "url": f"s3://{copying.bucket}/none"}
    copying.refuses(copying.manifest(file, missing), "Status 404,Error 404")


def test_no_file_at_all(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    meta = {"content_length": 1}
    missing = {"url": f"s3://{copying.bucket}/none", "mandatory": False, "meta": meta}
    copying.refuses(copying.manifest(missing), "no file of")
    copying.refuses(copying.manifest(), "no file of")
    sql = f"copy t from 's3://{copying.bucket}/none' {ROLE} parquet"
    copying.refuses(sql, "The specified S3 prefix 'none' does not exist")


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"{}", b"\xff", b'{"entries": 1}', b'{"entries": [1]}'),
        b'{"entries": [{"url": "/a", "meta": {"content_length": 1}}]}',
        b'{"entries": [{"url": 1, "meta": {"content_length": 1}}]}',
    ],
)
def test_a_broken_manifest(copying: Copying, content: bytes) -> None:
    copying.cursor.execute("create table t (a int)")
    sql = copying.manifest()
    copying.put("manifest.json", content)
    copying.refuses(sql, "invalid")


def test_a_missing_manifest_or_bucket(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    sql = copying.manifest().replace("manifest.json", "none")
    copying.refuses(sql, "Status 404,Error NoSuchKey")
    copying.refuses(sql.replace(copying.bucket, "no-bucket"), "Status 404,Error NoSuchBucket")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n", b"PAR1" * 5])
def test_what_is_not_parquet(copying: Copying, content: bytes) -> None:
    copying.cursor.execute("create table t (a int)")
    file = copying.put("a", content)
    copying.refuses(copying.manifest(file), "is not a Parquet file")


def test_damaged_pages(copying: Copying) -> None:
    copying.cursor.execute("create table t (a varchar)")
    file = copying.put_rows("a", {"a": array("x" * 200, "y" * 200)}, compression="snappy")
    body = copying.s3.get_object(Bucket=copying.bucket, Key="a")["Body"].read()
    copying.put("a", body[:10] + bytes(60) + body[70:])
    copying.refuses(copying.manifest(file), "is not a Parquet file")


@pytest.mark.parametrize("option", ["maxerror 5", "region 'eu-central-1'", "compupdate off"])
def test_an_option_that_parquet_does_not_allow(copying: Copying, option: str) -> None:
    copying.cursor.execute("create table t (a int)")
    sql = copying.manifest(copying.put_rows("a", {"a": array(1, type=INT)}))
    name = option.split()[0].upper()
    copying.refuses(f"{sql} {option}", f"{name} argument is not supported for PARQUET")


def test_no_credentials(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    sql = copying.manifest(copying.put_rows("a", {"a": array(1, type=INT)}))
    copying.refuses(sql.replace(ROLE, ""), "CREDENTIALS argument is required")


def test_no_table_or_column(copying: Copying) -> None:
    sql = copying.manifest(copying.put_rows("a", {"a": array(1, type=INT)}))
    copying.refuses(sql, "Cannot COPY into nonexistent table t")
    copying.cursor.execute("create table t (a int)")
    said = 'column "b" of relation "t" does not exist'
    copying.refuses(sql.replace(" t ", " t (b) "), said)


def test_another_copy(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    copying.refuses("copy t from stdin", "syntax error in COPY")


def test_an_aborted_transaction_copies_nothing(copying: Copying) -> None:
    copying.cursor.execute("create table t (a int)")
    copying.connection.commit()
    copy = copying.manifest(copying.put_rows("a", {"a": array(1, type=INT)}))
    with pytest.raises(ProgrammingError, match="nowhere"):
        copying.cursor.execute("select * from nowhere")
    with pytest.raises(ProgrammingError, match="current transaction is aborted"):
        copying.cursor.execute(copy)
    copying.connection.rollback()
    assert copying.ask("select * from t") == []


def test_why_a_load_was_refused_is_in_a_table(copying: Copying) -> None:
    copying.cursor.execute("create table t (a varchar(3))")
    file = copying.put_rows("a", {"a": array("abcd")})
    copying.refuses(copying.manifest(file), "Table: 3, Data: 4")
    columns = "trim(file_name), trim(column_name), trim(column_type), trim(column_length)"
    found = f"from sys_load_error_detail where file_name = '{file['url']}'"
    ((*place, said, pid),) = copying.ask(f"select {columns}, error_message, session_id {found}")
    assert place == [file["url"], "a", "varchar", "3"]
    assert said.startswith("The length of the data column a is longer than the length defined")
    columns = "filename, colname, type, col_length, err_reason, session"
    found = f"from stl_load_errors where filename = '{file['url']}'"
    assert copying.ask(f"select {columns} {found}") == [(*place, said[:100], pid)]
