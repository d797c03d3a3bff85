"""Try the product on Redshift without an account: `make redshift-try`.

Starts the stand-in and an S3 server on free ports of 127.0.0.1, runs the whole job as a user would
type it, and leaves both servers up. What they hold is gone when they end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from ingest.poll import poll
from redshift.postgres import programs

_TESTS = Path(__file__).resolve().parents[1]
_START_SECONDS = 120
_END = "# Ctrl-C"
KNOWN_QUERY = (
    "SELECT distinct(clientip),total_sessions from number_of_sessions_per_ip"
    " order by total_sessions desc limit 5"
)


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Both servers are one process; `environ` leads to them, and so does the file `exports`."""

    process: subprocess.Popen[bytes]
    environ: Mapping[str, str]
    exports: Path


def start(folder: Path) -> Servers:
    """Start the servers, which outlive this process, and note in `folder` how to reach them.

    Those that an earlier call left up are stopped. Raises SystemExit when they do not start.
    """
    stop(folder)
    folder.mkdir(parents=True, exist_ok=True)
    exports, log = folder / "exports.sh", folder / "servers.log"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_TESTS)}
    with exports.open("w") as stdout, log.open("w") as stderr:
        running = subprocess.Popen(
            [sys.executable, "-m", "redshift", "--port", "0"],
            env=environ,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for the commands
        )
    (folder / "pid").write_text(str(running.pid))
    poll(
        lambda: _END in exports.read_text() or running.poll() is not None,
        bool,
        delay_seconds=0.1,
        deadline_seconds=_START_SECONDS,
    )
    if _END not in exports.read_text():
        stop(folder)
        raise SystemExit(f"error: the servers did not start; see {log} for details")
    return Servers(process=running, environ=_read(exports), exports=exports)


def _read(exports: Path) -> dict[str, str]:
    lines = exports.read_text().splitlines()
    pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line)
    return {name: value for name, _, value in pairs}


def stop(folder: Path) -> None:
    """Stop the servers that were started for `folder`, if they run."""
    with suppress(OSError, ValueError, psutil.Error):
        found = psutil.Process(int((folder / "pid").read_text()))
        if "redshift" in found.cmdline():  # the number may be another process's by now
            found.send_signal(signal.SIGTERM)
            found.wait(_START_SECONDS)


def commands(data: Path, lines: int) -> list[list[str]]:
    """Return what a user would type."""
    return [
        ["clickstream", "sample", str(data), "--lines", str(lines)],
        ["clickstream", "ingest"],
        ["clickstream", "load", "--dry-run"],
        ["clickstream", "run", "--truth", str(data / "truth.json")],
        ["clickstream", "query", KNOWN_QUERY],
        ["clickstream", "status"],
    ]


@click.command()
@click.option("--lines", default=10_000, show_default=True, help="How many lines to generate.")
@click.argument("folder", type=click.Path(path_type=Path))
def main(lines: int, folder: Path) -> None:
    """Run the whole job on servers that stay up; FOLDER is emptied first."""
    folder = folder.resolve()
    stop(folder)
    shutil.rmtree(folder, ignore_errors=True)  # of a lake that has gone with its server
    servers = start(folder)
    own = {"CLICKSTREAM_DATA": str(folder), "ES_URL": os.environ.get("ES_URL", "off")}
    with servers.exports.open("a") as exports:
        exports.writelines(f"export {name}={value}\n" for name, value in own.items())
    for command in commands(folder, lines):
        _run(command, {**os.environ, **servers.environ, **own})
    click.echo(how_to_go_on(servers))


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    click.echo(f"\n$ {subprocess.list2cmdline(command)}")
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], env=environ, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def how_to_go_on(servers: Servers) -> str:
    """Return how to reach the servers, and how to stop them."""
    place, _, database = servers.environ["REDSHIFT_ENDPOINT"].partition("/")
    host, _, port = place.partition(":")
    user, password = servers.environ["REDSHIFT_USER"], servers.environ["REDSHIFT_PASSWORD"]
    return f"""
Both servers are still up. To go on, in a shell that you close afterwards:

  . .venv/bin/activate
  . {servers.exports}
  clickstream query            # or dbt run, dbt test, dbt docs generate
  PGPASSWORD={password} {programs() / "psql"} -h {host} -p {port} -U {user} {database}

To stop them, and delete what was loaded:

  kill {servers.process.pid}"""


if __name__ == "__main__":
    main()
