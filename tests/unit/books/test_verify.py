"""`verify` sees every difference: in the lake, in landing, in each mart."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.memory_warehouse import MemoryWarehouse
from fixtures.verified import EVENTS, IN_MARTS, LINES, Books

from ingest.books.verify import verify, verify_text
from ingest.errors import ClickstreamError, SettingsError
from ingest.job.replay import Choice
from ingest.job.run import replay
from ingest.lake.accepted import record_acceptances
from ingest.lake.records import create_lake
from ingest.settings import Settings
from ingest.storage import open_storage
from ingest.warehouse import Rows
from ingest.warehouse.marts import marts_are_built


def test_books_in_order_balance(books: Books) -> None:
    result = books.verify()

    assert result.balanced
    assert {check.name: check.found for check in result.checks} == {
        "logs in sources = read": 1,
        "batches: totals = objects = files": 1,
        "lines = ok + warn + skip + reject": EVENTS + 1,
        "lake events = records": EVENTS,
        "lake rejects = records": 1,
        "lake files = records": 1,
        "lake files intact": 3,
        "batches loaded = sealed": 1,
        "landing events = lake": EVENTS,
        "landing rejects = lake": 1,
        "landing files = lake": 1,
        **{f"{name} = landing": total for name, total in IN_MARTS.items()},
    }
    assert result.notes == ("the index was not compared: search is off",)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["totals"].update(lines_read=99, lines_ok=98),
        lambda record: record["totals"].update(rejects=2),
        lambda record: record["totals"].update(objects=2),
        lambda record: record["totals"].update(bytes=1),
        lambda record: record["objects"][0].update(lines_ok=0, lines_warn=EVENTS),
        lambda record: record["objects"][0].update(size=1),
        lambda record: [one.update(events=9) for one in (record["totals"], record["objects"][0])],
    ],
)
def test_a_record_with_other_numbers_is_seen(
    books: Books, change: Callable[[dict[str, Any]], None]
) -> None:
    books.hop.rewrite(books.record, change)
    assert books.wrong() == ["batches: totals = objects = files"]


def test_verdicts_that_do_not_add_up_are_seen(books: Books) -> None:
    def one_line_more(record: dict[str, Any]) -> None:
        record["totals"]["lines_ok"] += 1
        record["objects"][0]["lines_ok"] += 1

    books.hop.rewrite(books.record, one_line_more)

    assert books.wrong() == [
        "batches: totals = objects = files", "lines = ok + warn + skip + reject"
    ]  # fmt: skip


@pytest.mark.parametrize("table", ["events", "rejects", "files"])
def test_each_flipped_bit_of_a_lake_file_is_seen(books: Books, table: str) -> None:
    """Those that change no size and no footer by `deep` alone."""
    path = books.hop.path(books.record, table)
    content = path.read_bytes()
    for at in range(0, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        wrong = [check.name for check in books.verify(deep=True).checks if not check.ok]
        assert "lake files intact" in wrong
    path.write_bytes(content)
    assert books.verify(deep=True).balanced


def test_a_damaged_file_of_a_batch_that_was_read_again_does_no_harm(books: Books) -> None:
    path = books.hop.path(books.record)
    path.write_bytes(b"PAR1nothing")
    replay(books.hop.settings, books.hop.run_tasks, Choice(batch_ids=(books.record.batch_id,)))
    books.hop.load()
    assert not {name for name in books.wrong() if name.startswith("lake")}


def test_a_file_without_a_hash_is_not_damaged(books: Books) -> None:
    def as_before(record: dict[str, Any]) -> None:
        for files in record["files"].values():
            files[0]["sha256"] = None

    books.hop.rewrite(books.record, as_before)
    assert books.verify(deep=True).balanced


def test_a_longer_lake_file_is_seen(books: Books) -> None:
    path = books.hop.path(books.record)
    content = path.read_bytes()
    # Parquet is read from its end, so that nobody misses what is before its beginning.
    path.write_bytes(b"PAR1" + content)
    assert "lake files intact" in books.wrong()


@pytest.mark.parametrize("table", ["events", "rejects", "files"])
@pytest.mark.parametrize("content", [None, b"PAR1nothing"])
def test_a_lake_file_that_is_gone_or_broken_is_seen(
    books: Books, table: str, content: bytes | None
) -> None:
    path = books.hop.path(books.record, table)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    result = books.verify()

    wrong, intact = (check for check in result.checks if not check.ok)
    assert (wrong.name, wrong.found) == (f"lake {table} = records", 0)
    assert (intact.name, intact.found) == ("lake files intact", 2)
    assert all(books.record.files[table][0].path in one.detail for one in (wrong, intact))
    assert "landing and marts were not compared: restore the lake files" in result.notes[0]


def test_a_changed_raw_log_keeps_nothing_else_from_being_compared(books: Books) -> None:
    raw = Path(books.hop.settings.sources[0].uri) / "one.log"
    changed_at = raw.stat().st_mtime_ns
    raw.write_bytes(raw.read_bytes().replace(b"/page/0", b"/page/x", 1))
    os.utime(raw, ns=(changed_at, changed_at))

    result = books.verify()

    assert [check.name for check in result.checks if not check.ok] == ["logs in sources = read"]
    assert "landing events = lake" in {check.name for check in result.checks}
    assert result.notes == ("the index was not compared: search is off",)


def test_a_lake_file_with_other_rows_is_seen(books: Books) -> None:
    other = books.hop.add_log("two.log", 5)
    books.hop.load()
    books.hop.path(books.record).write_bytes(books.hop.path(other).read_bytes())

    assert "lake events = records" in books.wrong()


def test_a_batch_that_is_not_loaded_is_pending(books: Books) -> None:
    books.hop.add_log("two.log", 5)

    checks = {check.name: check for check in books.verify().checks}

    wrong = checks["batches loaded = sealed"]
    assert (wrong.expected, wrong.found) == (2, 1)
    assert wrong.detail == "pending: 2; run `clickstream load`"
    assert checks["landing events = lake"].ok


def test_a_log_of_batches_that_is_gone_is_seen(books: Books) -> None:
    shutil.rmtree(Path(books.hop.settings.lake) / "batches")
    checks = {check.name: check for check in books.verify().checks}
    wrong = checks["batches loaded = sealed"]
    assert (wrong.expected, wrong.found) == (1, 0)
    assert wrong.detail == (
        f"loaded, but missing from the lake: {books.record.batch_id}; restore batches/ from a"
        " backup"
    )


def test_an_empty_lake_balances_and_asks_no_server(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.books.verify.index_proof", lambda _settings: 1 / 0)
    settings = make_settings()
    create_lake(settings.lake)
    result = verify(settings, MemoryWarehouse())
    assert (result.checks, result.balanced) == ((), True)
    assert "start with `clickstream run`" in verify_text(result)


def test_no_lake_does_not_balance(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    with pytest.raises(
        SettingsError, match=rf"no lake at {settings.lake}: run `clickstream ingest"
    ):
        verify(settings, MemoryWarehouse())


@pytest.mark.parametrize("table", ["events", "rejects", "files"])
@pytest.mark.parametrize(
    "spoil",
    [
        "delete from landing.{table} where rowid = 1",
        "insert into landing.{table} select * from landing.{table} where rowid = 1",
    ],
)
def test_a_row_lost_or_doubled_in_landing_is_seen(books: Books, table: str, spoil: str) -> None:
    books.warehouse.change(spoil.format(table=table))

    wrong = {check.name: check.detail for check in books.verify().checks if not check.ok}

    assert wrong[f"landing {table} = lake"] == (
        f"batches {books.record.batch_id}; drop the landing tables of this target, and"
        " `clickstream load` fills them again"
    )


def test_differences_that_cancel_out_are_named(books: Books) -> None:
    other = books.hop.add_log("two.log", 5)
    books.hop.load()
    books.warehouse.change(
        f"update landing.events set batch_id = '{other.batch_id}' where rowid = 1"  # noqa: S608
    )

    (check,) = (one for one in books.verify().checks if one.name == "landing events = lake")

    assert not check.ok
    assert {books.record.batch_id, other.batch_id} <= set(re.findall(r"[0-9a-f]{32}", check.detail))


def test_rows_of_a_replaced_batch_do_not_count(books: Books) -> None:
    books.hop.correct_log("one.log", LINES)
    books.hop.load()
    books.warehouse.change(
        "insert into landing.events (batch_id, client_ip)"  # noqa: S608
        f" values ('{books.record.batch_id}', '192.0.2.1')"
    )
    for name in IN_MARTS:
        books.make_mart(name, LINES if IN_MARTS[name] > 1 else 0)

    assert books.wrong() == []


@pytest.mark.parametrize("name", IN_MARTS)
@pytest.mark.parametrize("error", [-1, 1])
def test_a_mart_with_other_events_is_seen(books: Books, name: str, error: int) -> None:
    books.make_mart(name, IN_MARTS[name] + error)

    assert books.wrong() == [f"{name} = landing"]
    result = books.verify()
    assert result.marts_differ
    (check,) = (check for check in result.checks if not check.ok)
    assert check.detail == "run `clickstream run --full-refresh`"


def test_marts_that_cannot_be_read_are_a_difference(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = books.warehouse.query

    def broken(sql: str, **named: Any) -> Rows:
        if "fct_traffic_hourly" in sql:
            raise ClickstreamError("the query failed: a file is gone")
        return query(sql, **named)

    monkeypatch.setattr(books.warehouse, "query", broken)
    result = books.verify()
    assert result.marts_differ
    (check,) = (check for check in result.checks if not check.ok)
    assert (check.name, check.detail) == (
        "marts",
        "the query failed: a file is gone; run `clickstream run --full-refresh`",
    )


@pytest.mark.parametrize("name", IN_MARTS)
def test_an_empty_mart_is_seen(books: Books, name: str) -> None:
    books.warehouse.change(f"delete from clickstream.{name}")  # noqa: S608

    assert books.wrong() == [f"{name} = landing"]


@pytest.mark.parametrize("name", IN_MARTS)
def test_a_missing_mart_is_seen(books: Books, name: str) -> None:
    assert marts_are_built(books.hop.settings, books.warehouse)
    books.warehouse.change(f"drop table clickstream.{name}")

    assert books.wrong() == ["marts"]
    assert not marts_are_built(books.hop.settings, books.warehouse)


def test_a_quarantined_batch_is_noted(books: Books) -> None:
    bad = books.hop.add_log("bad.log", 1000, broken=50)
    books.hop.load()

    result = books.verify()

    assert result.balanced
    assert result.notes[0] == (
        "batch 2 is quarantined (50 of 1,050 lines rejected), so its events are in no table and no "
        f"index; accept it with: clickstream run --accept {bad.batch_id}"
    )


def test_each_step_is_said_once(books: Books, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ingest.books")
    books.verify()  # search is off
    assert caplog.messages == [
        "comparing the sources with what was read of them",
        "comparing the files of 1 batch in the lake",
        "comparing landing and marts with the lake",
    ]


def test_a_batch_that_was_accepted_and_not_loaded_is_pending(books: Books) -> None:
    bad = books.hop.add_log("bad.log", 1000, broken=50)
    books.hop.load()
    assert "batches loaded = sealed" not in books.wrong()
    record_acceptances(open_storage(books.hop.settings.lake), [bad.batch_id])

    assert "batches loaded = sealed" in books.wrong()


@pytest.mark.parametrize(
    ("events", "sentence"), [(1, "1 event names no client"), (1234, "1,234 events name no client")]
)
def test_events_without_a_client_are_one_line(books: Books, events: int, sentence: str) -> None:
    nobodys = {"client": None, "batch_id": books.record.batch_id, "event_count": events}
    books.warehouse.make(
        "clickstream_intermediate.int_client_sessions_counted",
        [nobodys, {**nobodys, "client": "a"}, {**nobodys, "batch_id": "of no live batch"}],
    )

    result = books.verify()

    assert result.balanced
    assert result.notes[0] == f"{sentence}: number_of_sessions_per_ip does not count them"


def test_a_truth_about_other_objects_proves_nothing(books: Books, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"files": {"x": {}}, "marts": {}, "totals": {}, "events": {}}))

    result = books.verify(truth=truth)

    assert result.balanced
    assert f"{truth} was not compared: it describes other objects (one.log, x)" in result.notes


def test_what_is_not_a_truth_is_refused(books: Books, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text("{}")

    with pytest.raises(SettingsError, match=r"truth\.json"):
        books.verify(truth=truth)


def test_the_text_says_what_differs(books: Books) -> None:
    good = verify_text(books.verify())
    books.make_mart("fct_traffic_hourly", 1)
    bad = verify_text(books.verify())

    assert good.splitlines()[-1] == "the books balance"
    assert "DIFFERS" not in good
    assert bad.splitlines()[-1] == "THE BOOKS DO NOT BALANCE"
    (line,) = (line for line in bad.splitlines() if "DIFFERS" in line)
    where = ["fct_traffic_hourly", "=", "landing"]
    assert line.split()[:6] == [*where, str(EVENTS), "1", "DIFFERS"]
    assert line.endswith("run `clickstream run --full-refresh`")
