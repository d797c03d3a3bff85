"""What only several processes show: imports, streams, and races for the log of batches."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fixtures.records import make_draft, raw_object

from ingest.lake.records import create_lake, read_log
from ingest.lake.seal import seal
from ingest.storage.folder import FolderStorage

LINE = b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"\n'
# Runs commands in one process and prints which engines each imported, with their exit codes.
RUN = """
import contextlib, io, json, sys
from ingest import cli
answers = []
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        code = cli.run(command)
    answers.append([command, code, sorted({"pyspark", "py4j", "dbt"} & sys.modules.keys())])
json.dump(answers, sys.stdout)
"""


def test_commands_without_an_engine_import_none(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"not a log line\n")
    create_lake(str(tmp_path / "lake"))
    commands: list[tuple[list[str], int]] = [
        (["status", "--json"], 0),
        (["parse", str(log), "--format", "access"], 0),
        (["formats"], 0),
        (["formats", "explain", "access"], 0),
        (["sample", str(tmp_path), "--lines", "500"], 0),
        (["contract", "check"], 0),
        (["search", "status"], 1),
        (["search", "down"], 0),
        (["export", "--json"], 1),  # nothing is listening there
    ]
    environment = {
        **os.environ,
        "CLICKSTREAM_DATA": str(tmp_path),
        "ES_URL": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([command for command, _ in commands])],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[command, code, []] for command, code in commands]


def test_parse_prints_one_object_a_line(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(LINE + b"\n" + b"rubbish\n")
    done = subprocess.run(
        [sys.executable, "-m", "ingest.cli", "parse", str(log), "--format", "access"],
        capture_output=True,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [set(row) for row in rows] == [
        {"offset", "status", "warnings", "reason", "detail", "event"}
    ] * 3
    assert [(row["offset"], row["status"], row["reason"]) for row in rows] == [
        (0, "ok", None),
        (len(LINE), "skip", "blank"),
        (len(LINE) + 1, "reject", "no_match"),
    ]
    assert rows[0]["event"]["event_time"] == "2024-03-03T07:08:09.000000Z"
    assert (rows[0]["event"]["status_code"], rows[1]["event"]) == (200, None)
    assert (done.returncode, done.stderr) == (0, b"")


def test_parse_into_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(LINE * 20_000)
    command = f"{sys.executable} -m ingest.cli parse {log} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.stdout.count(b"\n") == 1
    assert (done.returncode, done.stderr) == (0, b"")


def _race(target: Callable[[str, int], None], lake: str, writers: int) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=target, args=(lake, writer)) for writer in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0] * writers


def _seal_ten(lake: str, writer: int) -> None:
    for index in range(10):
        draft = make_draft(f"w{writer}-{index}", writer=f"w{writer}")
        assert seal(FolderStorage(Path(lake)), draft, after=0) is not None


def test_racing_processes_get_distinct_numbers_without_a_hole(tmp_path: Path) -> None:
    _race(_seal_ten, str(tmp_path), 4)
    records = read_log(FolderStorage(tmp_path))
    assert [record.number for record in records] == list(range(1, 41))
    assert len({record.batch_id for record in records}) == 40


def _seal_same_objects(lake: str, writer: int) -> None:
    draft = make_draft(f"plan {writer % 2}", raw_object("a"), raw_object("b"), writer=f"w{writer}")
    seal(FolderStorage(Path(lake)), draft, after=0)


def test_racing_processes_with_the_same_objects_seal_them_once(tmp_path: Path) -> None:
    _race(_seal_same_objects, str(tmp_path), 4)
    assert len(read_log(FolderStorage(tmp_path))) == 1
