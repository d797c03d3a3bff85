"""How an export task reads the lake and keeps dead letters in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from fixtures.answering_server import AnsweringServer

from ingest.contract import EVENTS
from ingest.errors import BooksError, ObjectUnreadable, WrongMapping
from ingest.lake.parquet import ParquetSink
from ingest.local_search.state import LocalServer, write_state
from ingest.render import arrow_schema
from ingest.search.activity import Activity
from ingest.search.body import Body
from ingest.search.bulk import Sender
from ingest.search.document import Rendering
from ingest.search.letters import DeadLetters, KeptLetter, read_letters
from ingest.search.patience import Patience
from ingest.search.seals import Seal
from ingest.search.task import ExportFile, ExportTask, _bodies, export_task
from ingest.search.template import Marks
from ingest.search.work import DeadLetter, Tally
from ingest.settings import ELASTICSEARCH, OPENSEARCH
from ingest.storage import Storage

PLAIN = Rendering()
KEY = "events/batch_id=b1/part=00000-x/events.parquet"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _event(number: int) -> dict[str, Any]:
    return dict.fromkeys(EVENTS.names) | {
        "event_id": f"{number:032x}", "batch_id": "b1", "ingest_time": NOW,
        "source_format": "access", "source_file": "a.log", "source_offset": number,
        "parse_status": "ok", "event_type": "request", "event_date": date(2026, 1 + number % 2, 1),
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
        server="",
        most_bytes=1 << 20,
        patience=Patience(deadline_seconds=1),
        activity=Activity(""),
        on_dead_letter=_no_dead,
    )


def _no_dead(dead: DeadLetter) -> None:
    raise AssertionError(dead)


def test_the_rows_of_a_file_become_documents(
    lake: Storage, file: ExportFile, sender: Sender
) -> None:
    lines = b"".join(body.data for body in _bodies(lake, file, sender, PLAIN)).splitlines()
    documents = [json.loads(line) for line in lines[1::2]]
    assert [document["log"]["offset"] for document in documents] == list(range(10))
    assert {document["log"]["file"]["path"] for document in documents} == {"a.log"}


def test_only_the_wanted_events_are_rendered_with_their_places(
    lake: Storage, file: ExportFile, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.search.task._CHUNK_ROWS", 4)
    wanted = replace(file, only=tuple(f"{number:032x}" for number in (8, 2, 9)))
    found = list(_bodies(lake, wanted, sender, PLAIN))
    assert [list(body.rows) for body in found] == [[2], [8, 9]]
    offsets = [json.loads(line)["log"]["offset"] for line in found[1].data.splitlines()[1::2]]
    assert offsets == [8, 9]


def test_each_action_names_the_month_of_its_event(
    lake: Storage, file: ExportFile, sender: Sender
) -> None:
    (body,) = _bodies(lake, file, sender, Rendering(monthly="i"))
    actions = [json.loads(line)["index"] for line in body.data.splitlines()[::2]]
    assert actions[:2] == [
        {"_index": "i-2026.01", "_id": f"{0:032x}", "version": 7, "version_type": "external_gte"},
        {"_index": "i-2026.02", "_id": f"{1:032x}", "version": 7, "version_type": "external_gte"},
    ]


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
            list(_bodies(lake, file, sender, PLAIN))


def test_a_file_that_is_gone_or_broken_is_unreadable(
    lake: Storage, file: ExportFile, sender: Sender
) -> None:
    file = replace(file, sha256=None)  # as an earlier clickstream wrote it
    lake.put(KEY, bytes(file.bytes))
    with pytest.raises(ObjectUnreadable, match="not a Parquet file"):
        list(_bodies(lake, file, sender, PLAIN))
    lake.delete([KEY])
    with pytest.raises(ObjectUnreadable, match="gone"):
        list(_bodies(lake, file, sender, PLAIN))


def test_the_files_of_a_task_are_sent_through_one_window(
    lake: Storage, file: ExportFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = []

    def send_all(sender: Sender, found: Iterable[Body]) -> Tally:
        windows.append(sender.window)
        return Tally(indexed=sum(len(body.rows) for body in found))

    monkeypatch.setattr(Sender, "send_all", send_all)
    monkeypatch.setattr("ingest.search.task.open_storage", lambda _: lake)
    assert export_task(_task(files=(file, file))).failure() is None
    first, second = windows
    assert first is second


@pytest.mark.parametrize("refreshes", [True, False])
def test_the_last_task_first_makes_the_server_write_out_what_came_before(
    lake: Storage,
    file: ExportFile,
    answering_server: AnsweringServer,
    monkeypatch: pytest.MonkeyPatch,
    refreshes: bool,
) -> None:
    monkeypatch.setattr("ingest.search.task.open_storage", lambda _: lake)
    items = [{"index": {"status": 201}}] * file.rows
    # Whatever a refresh meets is not the documents' fault.
    answering_server.answers = {
        "/i/_bulk": (200, {"items": items}),
        "/i/_refresh": (503, {"error": {"type": "unavailable"}}),
    }
    task = _task(files=(file,), url=answering_server.url, refreshes=refreshes)
    assert export_task(task).failure() is None
    # A refresh has no body, documents have.
    assert [body != b"" for body in answering_server.bodies] == [False] * refreshes + [True]


def test_a_file_whose_rows_have_not_all_an_outcome_stops_the_task(
    lake: Storage, file: ExportFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "send_all", lambda *_: Tally(indexed=9))
    monkeypatch.setattr("ingest.search.task.open_storage", lambda _: lake)
    facts = export_task(_task(files=(file,)))
    assert facts.files == ()
    assert facts.error == ("BooksError", f"{KEY}: 9 outcomes for 10 rows")


def _task(**values: Any) -> ExportTask:
    usual: dict[str, Any] = {
        "lake": "", "url": "http://127.0.0.1:1", "index": "i", "target": "t",
        "product": ELASTICSEARCH, "files": (), "most_bytes": 1 << 20, "deadline_seconds": 1,
        "marks": Marks(lake=""),
    }  # fmt: skip
    return ExportTask(**(usual | values))


@pytest.mark.parametrize("product", [ELASTICSEARCH, OPENSEARCH])
def test_a_task_compresses_what_it_sends_when_it_is_asked_to(
    lake: Storage,
    file: ExportFile,
    answering_server: AnsweringServer,
    monkeypatch: pytest.MonkeyPatch,
    product: str,
) -> None:
    monkeypatch.setattr("ingest.search.task.open_storage", lambda _: lake)
    items = [{"index": {"status": 201}}] * file.rows
    answering_server.answers = {"/i/_bulk": (200, {"items": items})}
    plain = _task(files=(file,), url=answering_server.url, product=product)
    for task in (plain, replace(plain, compress=True)):
        assert export_task(task).failure() is None
    sent, compressed = answering_server.bodies
    assert sent.startswith(b'{"index":')
    assert gzip.decompress(compressed) == sent
    assert answering_server.headers_received("content-encoding") == {None, "gzip"}


def test_a_wrong_mapping_leaves_the_reasons_and_the_remedy(
    lake: Storage,
    file: ExportFile,
    answering_server: AnsweringServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.search.task.open_storage", lambda _: lake)
    monkeypatch.setattr("ingest.search.bulk._BRAKE_DOCUMENTS", 5)
    error = {"type": "strict_dynamic_mapping_exception", "reason": "no [event]"}
    items = [{"index": {"status": 400, "error": error}}] * file.rows
    answering_server.answers = {"/i/_bulk": (200, {"items": items})}
    failure = export_task(_task(files=(file,), url=answering_server.url)).failure()
    assert isinstance(failure, WrongMapping)
    (key,) = [entry.key for entry in lake.list("exports/t/dead/")]
    assert str(failure).endswith(
        f"the mapping of i is wrong, not the data; the first reasons are in {lake.uri}/{key}: "
        "after a fix of the contract or the mapping run `clickstream export --recreate`"
    )
    letters = [json.loads(line) for line in gzip.decompress(lake.read(key)).splitlines()]
    assert [letter["reason"] for letter in letters] == ["no [event]"] * 5


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
    assert read_letters(lake, _seal(key, dead=1)) == [KeptLetter(id="x", type="mapper", file=KEY)]
    with pytest.raises(BooksError, match=r"2 dead letters, but 1 are in the lake: .*--replay"):
        read_letters(lake, _seal(key, dead=2))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"no gzip",
        gzip.compress(b"[]\n"),
        gzip.compress(b"{"),
        gzip.compress(b"{}")[:10] + b"\xff" * 20,
    ],
    ids=["lost", "no gzip", "a list", "cut off", "damaged"],
)
def test_dead_letters_that_are_lost_or_broken_are_named(
    lake: Storage, content: bytes | None
) -> None:
    if content is not None:
        lake.put("exports/t/dead/x", content)
    with pytest.raises(BooksError, match=r"dead letters of batch 7 cannot be read .*--replay"):
        read_letters(lake, _seal("exports/t/dead/x", dead=1))


def _seal(key: str, *, dead: int) -> Seal:
    return Seal(
        number=7, batch_id="b1", revision=1, target={}, contract_version=1, events=10,
        indexed=10 - dead, newer=0, dead=dead, indices={}, dead_files=(key,), swept={},
        started_at=NOW, finished_at=NOW, requests=1, retries=0, bytes=1, writer="w",
    )  # fmt: skip


def test_a_task_knows_whether_the_local_server_has_ended(tmp_path: Path) -> None:
    state = tmp_path / "server.json"
    me = psutil.Process()
    server = LocalServer(
        pid=me.pid, create_time=me.create_time(), url="", version="", node_name="", folder="",
        started_at="",
    )  # fmt: skip
    task = _task(state_file=str(state))
    assert task.is_gone()
    write_state(state, server)
    assert not task.is_gone()
    write_state(state, replace(server, create_time=1.0))  # its number went to another process
    assert task.is_gone()
    assert not replace(task, state_file=None).is_gone()
