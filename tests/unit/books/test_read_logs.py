"""`status --logs`: each log with its format, its file status and its lines, of all its batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fixtures.records import make_draft, raw_object, sealed

from ingest import cli
from ingest.books.logs import Logs, LogState, logs, logs_text
from ingest.lake.records import ObjectRecord, create_lake
from ingest.settings import Settings


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


def part(key: str, start: int, end: int) -> ObjectRecord:
    return replace(raw_object(key, start=start, end=end), lines_ok=end - start)


def test_an_empty_lake_has_no_logs(settings: Settings) -> None:
    found = logs(settings)

    assert found.logs == ()
    assert logs_text(found).endswith("no log has been read yet; start with: clickstream run")


def test_a_log_that_grew_and_moved_is_shown_once(settings: Settings) -> None:
    lake = create_lake(settings.lake)
    moved = replace(part("b.log", 3, 3), key="b.log.1", source_format=None)
    sealed(lake, make_draft("x", part("b.log", 0, 2), raw_object("a.log", status="empty")))
    sealed(lake, make_draft("y", part("b.log", 2, 3)), after=1)
    sealed(lake, make_draft("z", moved), after=2)

    first, second = logs(settings).logs

    assert (first.source_file, first.file_status) == ("a.log", "empty")
    assert (second.source_file, second.source_format, second.lines_ok) == ("b.log", "access", 3)


def test_a_batch_that_was_replaced_does_not_count(settings: Settings) -> None:
    lake = create_lake(settings.lake)
    old = sealed(lake, make_draft("x", part("a.log", 0, 2)))
    sealed(lake, make_draft("y", part("a.log", 0, 1), replaces=(old.batch_id,)), after=1)

    assert [log.lines_ok for log in logs(settings).logs] == [1]


def test_only_the_first_logs_are_written_out() -> None:
    many = tuple(
        LogState(
            source_file=f"{number:03}\x1b.log", source_format="alb", file_status="ok",
            file_reason=None, lines_read=number,
        )
        for number in range(102)
    )  # fmt: skip

    text = logs_text(Logs(lake="here", logs=many))

    assert "099\\x1b.log  alb" in text
    assert "100\\x1b.log" not in text
    assert text.endswith("... and 2 more (--json lists all)")


def test_both_views_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["status", "--logs", "--rejects"]) == 2
    assert "--rejects and --logs cannot be combined" in capsys.readouterr().err
