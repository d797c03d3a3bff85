"""The command line's edge: exit codes, messages, and what goes to which stream."""

from __future__ import annotations

import errno
import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import click
import pytest

from ingest import cli
from ingest.cli.common import plain
from ingest.errors import BooksError, ClickstreamError, SettingsError, TooManyRejects
from ingest.local_search.control import LocalServerStatus
from ingest.local_search.state import LocalServer
from ingest.settings import Settings

LINE = b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"\n'


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """An exception put into the list is raised by `contract check`."""
    errors: list[BaseException] = []

    def stale_files(_root: Path) -> list[Path]:
        raise errors[0]

    monkeypatch.setattr("ingest.render.stale_files", stale_files)
    return errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClickstreamError("a"), 1),
        (SettingsError("a"), 2),
        (TooManyRejects("a"), 3),
        (BooksError("a"), 4),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("a"), 1),
    ],
)
def test_each_failure_has_its_exit_code(
    failing: list[BaseException],
    error: BaseException,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing.append(error)
    assert cli.run(["contract", "check"]) == code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.strip().startswith("error: ")
    assert "Traceback" not in streams.err


@pytest.mark.parametrize(
    ("error", "code"),
    [(ClickstreamError('ö "a"'), 1), (BooksError("a"), 4), (KeyboardInterrupt(), 130)],
)
def test_with_json_a_failure_is_one_object_too(
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_settings: Settings) -> None:
        raise error

    monkeypatch.setattr("ingest.books.status.status", fail)
    assert cli.run(["status", "--json"]) == code
    streams = capsys.readouterr()
    answer = json.loads(streams.out)
    assert answer == {"error": streams.err.strip().removeprefix("error: "), "exit_code": code}


def test_with_json_a_wrong_argument_is_one_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["status", "--json", "--nonsense"]) == 2
    streams = capsys.readouterr()
    answer = json.loads(streams.out)
    assert answer["exit_code"] == 2
    assert answer["error"] in streams.err


def test_a_full_disk_is_no_bug(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    assert cli.run(["contract", "check"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: /data/x: No space left on device: free some space on ")
    assert "bug" not in message


def _caused_by(cause: OSError) -> ClickstreamError:
    error = ClickstreamError("dbt build: it failed")
    error.__cause__ = ValueError()
    error.__cause__.__context__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        _caused_by(OSError(errno.ENOSPC, "x")),
        ClickstreamError("export: OSError: [Errno 28] No space left on device: '/data/x'"),
    ],
)
def test_a_full_disk_is_told_behind_every_failure(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str], error: ClickstreamError
) -> None:
    remedy = "free some space on that disk, and run the command again"
    failing.append(error)
    assert cli.run(["contract", "check"]) == 1
    assert capsys.readouterr().err == f"error: {error}: {remedy}\n"
    failing[0] = ClickstreamError(f"it is full: {remedy}")
    assert cli.run(["contract", "check"]) == 1
    assert capsys.readouterr().err == f"error: it is full: {remedy}\n"


def test_other_failures_of_the_machine_are_told_by_their_own_errors(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(_caused_by(PermissionError(errno.EACCES, "x")))
    assert cli.run(["contract", "check"]) == 1
    assert capsys.readouterr().err == "error: dbt build: it failed\n"


def test_a_log_that_cannot_be_written_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stale_files(_root: Path) -> list[Path]:
        logger, handler = logging.getLogger("full"), logging.FileHandler("/dev/full")
        logger.addHandler(handler)
        logger.warning("x")
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()
        return []

    monkeypatch.setattr("ingest.render.stale_files", stale_files)
    assert cli.run(["contract", "check"]) == 0
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["parse", "{}"], ["status", "--{}"], ["status", "--{}", "--json"], ["parse", "a", "{}"]],
)
def test_no_name_steers_the_terminal(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b]0;a\x07\x9b2J\u202e.log"
    assert cli.run([one.format(hostile) for one in arguments]) in (1, 2)
    streams = capsys.readouterr()
    assert (streams.out + streams.err).replace("\n", "").isprintable()
    assert "x1b" in streams.err


def test_a_command_that_ends_with_a_code_exits_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    assert cli.run(["search", "status"]) == 1
    assert "not running" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("url", "note"),
    [
        ("", None),
        ("off", "note: ES_URL / search.url is off: nothing is exported"),
        (
            "https://me:hunter2@es",
            "note: ES_URL / search.url is https://es:443: an export uses that, not this server",
        ),
    ],
)
def test_the_local_search_server_says_when_it_is_not_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    note: str | None,
) -> None:
    server = LocalServer(
        pid=1, create_time=0.0, url="http://here", version="8", node_name="n", folder="f",
        started_at="now",
    )  # fmt: skip
    state = LocalServerStatus(server=server, memory_bytes=0, documents=None)
    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    monkeypatch.setenv("ES_URL", url)
    monkeypatch.setattr("ingest.local_search.control.up", lambda _settings: server)
    for found in (None, state):
        monkeypatch.setattr("ingest.local_search.control.status", lambda _, found=found: found)
        for command in ("up", "status"):
            cli.run(["search", command])
            lines = capsys.readouterr().out.splitlines()
            assert [line for line in lines if line.startswith("note: ")] == ([note] if note else [])


def test_usage_errors_exit_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sample"]) == 2
    assert cli.run(["nonsense"]) == 2
    assert cli.run(["sample", "x", "--lines", "0"]) == 2
    assert "--lines" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(cli.cli.commands))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([command, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 4
    assert [line for line in lines if len(line) > 80] == []


def test_broken_settings_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dbt_project.yml").touch()
    (tmp_path / "clickstream.toml").write_text("[lake]\nurl = 'x'\n")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["status"]) == 2
    assert "unknown key lake.url; known: uri" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"PAR1\x00\x00", b"\xff\xfea\x00", b"\x1f\x8bnot gzip"])
def test_parse_refuses_a_file_with_a_reason(
    tmp_path: Path, content: bytes, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(content)
    assert cli.run(["parse", str(log)]) == 1
    streams = capfdbinary.readouterr()
    assert streams.out == b""
    assert streams.err.startswith(b"error: ")
    assert str(log).encode() in streams.err


def test_parse_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["parse", str(tmp_path / "none.log")]) in (1, 2)
    assert "none.log" in capsys.readouterr().err
    assert cli.run(["parse", str(tmp_path), "--timezone", "Mars"]) == 2
    assert "Mars" in capsys.readouterr().err


def test_results_become_json() -> None:
    @dataclass(frozen=True, slots=True)
    class Result:
        at: datetime
        day: date
        path: Path
        total: Decimal
        items: tuple[int, ...]

    result = Result(
        datetime(2024, 1, 2, 3, tzinfo=UTC), date(2024, 1, 2), Path("a/b"), Decimal(5), (1, 2)
    )
    assert plain({"r": result}) == {
        "r": {
            "at": "2024-01-02T03:00:00+00:00",
            "day": "2024-01-02",
            "path": "a/b",
            "total": 5,
            "items": [1, 2],
        }
    }
    assert plain([b"\x00\xff", timedelta(days=1)]) == ["00ff", "1 day, 0:00:00"]
    assert plain([0.5, float("nan"), float("-inf")]) == [0.5, "nan", "-inf"]


def test_each_command_is_listed_with_a_whole_sentence() -> None:
    """As on a terminal of 80 columns, which the names share with the sentences."""
    groups = [cli.cli]
    for group in groups:
        width = 80 - 6 - max(map(len, group.commands))
        for name, command in group.commands.items():
            listed = "" if command.hidden else command.get_short_help_str(width)
            assert not listed.endswith("..."), name
            if isinstance(command, click.Group):
                groups.append(command)


def test_a_day_is_asked_for_as_people_write_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["report", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--from YYYY-MM-DD" in shown
    assert "%" not in shown
