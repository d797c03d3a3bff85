"""The data source `weblogs` on a bucket: the rows of a folder, under the bucket's names."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.contract import EVENTS
from ingest.errors import SettingsError
from ingest.storage import open_storage
from ingest.weblogs.options import read_options
from ingest.weblogs.source import LogReader

pytestmark = pytest.mark.integration

MIB = 1 << 20
OF_THE_PLACE = ("event_id", "source_file", "ingest_time")
COLUMNS = tuple(name for name in EVENTS.names if name not in OF_THE_PLACE)


def read(path: str, *columns: str) -> pa.Table:
    reader = LogReader(read_options({"path": path, "range_mib": "8"}), columns)
    return pa.Table.from_batches(
        batch for partition in reader.partitions() for batch in reader.read(partition)
    )


def test_a_bucket_gives_the_rows_of_a_folder(
    bucket: str, access_lines: Callable[..., bytes], tmp_path: Path
) -> None:
    large = access_lines(1_000, first=100, pad=9_000)
    contents = {"a.log.gz": gzip.compress(access_lines(50)), "b/large.log": large}
    for place in (f"s3://{bucket}/logs", str(tmp_path)):
        for key, content in contents.items():
            open_storage(place).put(key, content)
    found = read(f"s3://{bucket}/logs/", *COLUMNS)
    assert found.num_rows == 1_050
    assert found == read(str(tmp_path), *COLUMNS)
    names = read(f"s3://{bucket}/logs/b/*.log", "source_file")["source_file"].unique()
    assert names.to_pylist() == [f"s3://{bucket}/logs/b/large.log"]


def test_nothing_in_a_bucket(bucket: str) -> None:
    with pytest.raises(SettingsError, match=rf"^there is nothing at s3://{bucket}/no: correct"):
        read(f"s3://{bucket}/no", "event_id")
    with pytest.raises(SettingsError, match="there is no such bucket"):
        read("s3://no-such-bucket-of-ours/logs", "event_id")
