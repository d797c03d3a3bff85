"""How an export task reads the lake and keeps dead letters in it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from ingest.contract import EVENTS
from ingest.errors import BooksError, ObjectUnreadable
from ingest.lake.parquet import ParquetSink
from ingest.local_search.state import LocalServer, write_state
from ingest.render import arrow_schema
from ingest.search.bulk import DeadLetter, Sender
from ingest.search.task import DeadLetters, ExportFile, ExportTask, _bodies
from ingest.storage import Storage

KEY = "events/batch_id=b1/part=00000-x/events.parquet"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _event(number: int) -> dict[str, Any]:
    return dict.fromkeys(EVENTS.names) | {
        "event_id": f"{number:032x}", "batch_id": "b1", "ingest_time": NOW,
        "source_format": "access", "source_file": "a.log", "source_offset": number,
        "parse_status": "ok", "event_type": "request",
    }  # fmt: skip


@pytest.fixture
def file(lake: Storage) -> ExportFile:
    """A file of ten events in a lake in memory."""
    rows = pa.Table.from_pylist([_event(i) for i in range(10)], schema=arrow_schema(EVENTS))
    with ParquetSink(lake.spool(KEY), EVENTS) as sink:
        sink.write(rows)
        written = sink.close()
    lake.upload(written.path, KEY)
    return ExportFile(
        number=7, batch_id="b1", part=2, path=KEY, rows=written.rows, bytes=written.bytes,
        sha256=written.sha256,
    )  # fmt: skip


class _NoServer:
    """Rows are rendered, but nothing is sent."""

    def bulk(self, *, index: str, operations: Any, filter_path: str) -> Any:
        raise AssertionError((index, operations, filter_path))


@pytest.fixture
def sender() -> Sender:
    return Sender(
        client=_NoServer(),
        index="i",
        url="",
        most_bytes=1 << 20,
        deadline_seconds=1,
        on_dead_letter=_no_dead,
    )


def _no_dead(dead: DeadLetter) -> None:
    raise AssertionError(dead)


def test_the_rows_of_a_file_become_documents(
    lake: Storage, file: ExportFile, sender: Sender
) -> None:
    lines = b"".join(body.data for body in _bodies(lake, file, sender, None)).splitlines()
    documents = [json.loads(line) for line in lines[1::2]]
    assert [document["log"]["offset"] for document in documents] == list(range(10))
    assert {document["log"]["file"]["path"] for document in documents} == {"a.log"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bytes": 1}, r"has [\d,]+ bytes, but its record says 1"),
        ({"rows": 11}, "has 10 rows, but its record says 11"),
    ],
)
def test_a_file_that_is_not_the_one_of_the_record_is_refused(
    lake: Storage, file: ExportFile, sender: Sender, change: dict[str, int], message: str
) -> None:
    with pytest.raises(BooksError, match=message):
        list(_bodies(lake, replace(file, **change), sender, None))  # type: ignore[arg-type]


def test_no_flipped_bit_reaches_a_document(lake: Storage, file: ExportFile, sender: Sender) -> None:
    content = lake.read(KEY)
    for at in range(0, len(content), 31):
        lake.put(KEY, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(BooksError, match=r"is damaged: .* clickstream replay --batch b1$"):
            list(_bodies(lake, file, sender, None))


def test_a_file_that_is_gone_or_broken_is_unreadable(
    lake: Storage, file: ExportFile, sender: Sender
) -> None:
    file = replace(file, sha256=None)  # as an earlier clickstream wrote it
    lake.put(KEY, bytes(file.bytes))
    with pytest.raises(ObjectUnreadable, match="not a Parquet file"):
        list(_bodies(lake, file, sender, None))
    lake.delete([KEY])
    with pytest.raises(ObjectUnreadable, match="gone"):
        list(_bodies(lake, file, sender, None))


def test_dead_letters_are_kept_with_their_documents(lake: Storage, file: ExportFile) -> None:
    letters = DeadLetters(file, index="i")
    assert letters.write(lake, "target") is None
    letters = DeadLetters(file, index="i")
    doc = {"log": {"file": {"path": "a.log"}, "offset": 3}}
    letters.add(
        DeadLetter(id="x", status=400, type="mapper", reason="no date", row=3, attempts=1, doc=doc)
    )
    key = letters.write(lake, "target")
    assert key == f"exports/target/dead/{7:020}-00002-{letters.attempt}.ndjson.gz"
    (letter,) = map(json.loads, gzip.decompress(lake.read(key)).splitlines())
    assert (letter["id"], letter["reason"], letter["row"]) == ("x", "no date", 3)
    assert (letter["source_file"], letter["source_offset"], letter["doc"]) == ("a.log", 3, doc)


def test_a_task_knows_whether_the_local_server_has_ended(tmp_path: Path) -> None:
    state = tmp_path / "server.json"
    me = psutil.Process()
    server = LocalServer(
        pid=me.pid, create_time=me.create_time(), url="", version="", node_name="", folder="",
        started_at="",
    )  # fmt: skip
    task = ExportTask(
        lake="", url="", index="i", target="t", files=(), most_bytes=1, deadline_seconds=1,
        state_file=str(state),
    )  # fmt: skip
    assert task.is_gone()
    write_state(state, server)
    assert not task.is_gone()
    write_state(state, replace(server, create_time=1.0))  # its number went to another process
    assert task.is_gone()
    assert not replace(task, state_file=None).is_gone()
