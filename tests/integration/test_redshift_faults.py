"""What Redshift refuses, or loses, leaves readers what they had; the next load completes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures.load_suite import LIVE_EVENTS, ROWS_BY_STATE, Hop
from fixtures.redshift import Redshift
from redshift_connector.error import ProgrammingError
from support.leaks import leaks

from ingest.errors import ClickstreamError
from ingest.lake.records import BatchRecord
from ingest.warehouse.redshift.session import Session
from ingest.warehouse.redshift.statements import Statement

pytestmark = pytest.mark.integration

# Part of a line of the log, which no message may repeat.
PLANTED = "planted-part-of-a-line"
run_statement = Session.run


@pytest.fixture
def hop(redshift_hop: Hop) -> Hop:
    return redshift_hop


def without_last(events: pa.Table) -> pa.Table:
    return events.drop_columns(events.column_names[-1])


def with_text(name: str, text: str | None) -> Callable[[pa.Table], pa.Table]:
    """Return what puts `text` into a column of every row."""

    def change(events: pa.Table) -> pa.Table:
        values = pa.array([text] * len(events), pa.string())
        return events.set_column(events.column_names.index(name), name, values)

    return change


def with_another_type(events: pa.Table) -> pa.Table:
    place = events.column_names.index("status_code")
    return events.set_column(place, "status_code", events["status_code"].cast(pa.int64()))


def spoil(hop: Hop, record: BatchRecord, change: Callable[[pa.Table], pa.Table]) -> bytes:
    """Change the events of a batch in the lake, and the size in its record; return what was."""
    before = hop.lake.read(hop.key(record))
    changed = io.BytesIO()
    pq.write_table(
        change(pq.read_table(io.BytesIO(before), coerce_int96_timestamp_unit="us")),
        changed,
        use_deprecated_int96_timestamps=True,
        store_schema=False,
    )
    store(hop, record, changed.getvalue())
    return before


def store(hop: Hop, record: BatchRecord, content: bytes) -> None:
    def note_size(fields: dict[str, Any]) -> None:
        fields["files"]["events"][0]["bytes"] = len(content)

    hop.lake.put(hop.key(record), content)
    hop.rewrite(record, note_size)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_last, "Unmatched number of columns"),
        (with_another_type, "status_code is int64, not int32"),
        (with_text("http_method", PLANTED * 9), "length of the data column http_method"),
        (with_text("event_id", None), "NULL value into column event_id"),
    ],
    ids=["columns", "type", "width", "null"],
)
def test_a_refused_copy_says_where_and_changes_nothing(
    hop: Hop,
    change: Callable[[pa.Table], pa.Table],
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hop.add_log("one.log", 30)
    hop.load()
    record = hop.add_bytes("two.log", LINES_WITH_PLANTED)
    before = spoil(hop, record, change)

    with pytest.raises(ClickstreamError, match=r"landing\.events of batch 2 ") as told:
        hop.load()
    assert words in str(told.value)
    assert leaks([("the error", str(told.value).encode())], [PLANTED]) == []
    assert leaks([("the log", caplog.text.encode())], [PLANTED]) == []
    assert hop.rows(ROWS_BY_STATE) == [("live", 1, 30)]
    assert hop.rows(LIVE_EVENTS) == [(30,)]

    store(hop, record, before)
    assert hop.load().events == 20
    assert hop.rows(LIVE_EVENTS) == [(50,)]


LINES_WITH_PLANTED = b"".join(
    b'192.0.2.1 - - [10/Oct/2024:14:00:%02d +0000] "GET /%b HTTP/1.1" 200 5 "-" "x"\n'
    % (second, PLANTED.encode())
    for second in range(20)
)


@pytest.mark.parametrize("at", ["LOCK", "DELETE", "COPY landing.events", "SELECT count", "INSERT"])
def test_a_server_that_ends_the_connection_is_asked_again(
    hop: Hop, redshift: Redshift, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hop.add_log("one.log", 30, broken=1)
    struck: list[str] = []

    def run(self: Session, statement: Statement) -> list[tuple[Any, ...]]:
        if statement.sql.startswith(at) and not struck:
            struck.append(statement.sql)
            with redshift.connect() as other:
                other.cursor().execute("select pg_terminate_backend(%s)", (self._pid,))
        return run_statement(self, statement)

    monkeypatch.setattr(Session, "run", run)
    hop.load()

    assert len(struck) == 1
    assert hop.rows(ROWS_BY_STATE) == [("live", 1, 30)]
    assert hop.rows(LIVE_EVENTS) == [(30,)]


@pytest.mark.parametrize("message", ["Disk Full", "Serializable isolation violation"])
def test_an_error_of_the_server_leaves_what_was(
    hop: Hop, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lasts: a full disk at once, a conflict after all tries."""
    hop.add_log("one.log", 30)
    hop.load()
    hop.correct_log("one.log", 20)
    tries: list[str] = []

    def run(self: Session, statement: Statement) -> list[tuple[Any, ...]]:
        if statement.sql.startswith("INSERT"):
            tries.append(statement.sql)
            raise ProgrammingError({"M": message})
        return run_statement(self, statement)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", run)
        with pytest.raises(ClickstreamError, match=message):
            hop.load()
    assert len(tries) == (1 if message == "Disk Full" else 5)
    assert hop.rows(ROWS_BY_STATE) == [("live", 1, 30)]
    assert hop.rows(LIVE_EVENTS) == [(30,)]

    hop.load()
    assert hop.rows(LIVE_EVENTS) == [(20,)]


def test_a_dry_run_prints_what_the_load_runs(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    hop.add_log("one.log", 30, broken=1)
    hop.load()
    hop.correct_log("one.log", 20, broken=1)
    ran: list[str] = []

    def run(self: Session, statement: Statement) -> list[tuple[Any, ...]]:
        ran.append(str(statement))
        return run_statement(self, statement)

    printed = hop.describe()
    assert hop.rows(ROWS_BY_STATE) == [("live", 1, 30)]
    monkeypatch.setattr(Session, "run", run)
    hop.load()

    start = next(number for number, sql in enumerate(ran) if sql.startswith("LOCK"))
    assert printed[0] == "BEGIN;"
    assert printed[-1] == "COMMIT;"
    # The last one has the time of the load; behind it the load looks at what readers see.
    end = next(number for number, sql in enumerate(ran) if sql.startswith("INSERT"))
    assert list(printed[1:-2]) == ran[start:end]
    assert printed[-2].partition("VALUES")[0] == ran[end].partition("VALUES")[0]
    assert len([sql for sql in printed if sql.startswith("COPY")]) == 3
    assert hop.describe() == ()
