"""The stand-in as a whole: PostgreSQL, and in front of it the server that clients see."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from redshift import startup
from redshift.backend import Backend, BackendError, identifier
from redshift.load_log import LoadLog
from redshift.postgres import postgres
from redshift.session import Session
from redshift.startup import Cancel

HOST = "127.0.0.1"
USER, PASSWORD = "loader", "Not-a-secret-1"
_SHIMS = Path(__file__).with_name("shims.sql")
# For a statement of our own: far more than it takes on a busy machine.
_SECONDS = 120
_log = logging.getLogger(__name__)
T = TypeVar("T")


class StandIn:
    """A running stand-in: on `port` of HOST, USER logs in with PASSWORD."""

    def __init__(self, socket: Path, loop: asyncio.AbstractEventLoop, *, port: int) -> None:
        self.port = port
        self._socket = socket
        self._loop = loop

    def environ(self, database: str) -> dict[str, str]:
        """Return what names a database in the environment, as users name theirs."""
        return {
            "REDSHIFT_ENDPOINT": f"{HOST}:{self.port}/{database}",
            "REDSHIFT_USER": USER,
            "REDSHIFT_PASSWORD": PASSWORD,
            "REDSHIFT_SSLMODE": "disable",
        }

    def create_database(self, name: str) -> None:
        """Make a database with all that Redshift has and PostgreSQL lacks."""
        self._run(f"create database {identifier(name)}")

    def drop_database(self, name: str) -> None:
        """Drop a database. Connections to it are ended."""
        self._run(f"drop database {identifier(name)} with (force)")

    def _run(self, sql: str) -> None:
        _wait_for(_execute(self._socket, sql), self._loop)


@contextmanager
def run_redshift(s3: Any, *, port: int = 0) -> Iterator[StandIn]:
    """Run a stand-in on `port`, by default a free one; its COPY reads with the boto3 client `s3`.

    Everything in it is gone at the end.
    """
    with (
        tempfile.TemporaryDirectory(prefix="redshift-") as folder,
        postgres(Path(folder)) as socket,
        _event_loop() as loop,
    ):
        shims = _SHIMS.read_text(encoding="utf-8")
        _wait_for(_execute(socket, shims, database="template1"), loop)
        front = _Front(socket, s3)
        found = _wait_for(front.listen(port), loop)
        try:
            yield StandIn(socket, loop, port=found)
        finally:
            loop.call_soon_threadsafe(front.close)


def _wait_for(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop).result(_SECONDS)


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread. At the end all of its tasks are cancelled."""
    ready: list[asyncio.AbstractEventLoop] = []
    running, over = threading.Event(), asyncio.Event()

    async def live() -> None:
        ready.append(asyncio.get_running_loop())
        running.set()
        await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(live(),), name="redshift", daemon=True)
    thread.start()
    running.wait()
    try:
        yield ready[0]
    finally:
        ready[0].call_soon_threadsafe(over.set)
        thread.join()


async def _execute(socket: Path, sql: str, *, database: str = "postgres") -> None:
    backend = await Backend.open(socket, {"database": database})
    try:
        await backend.query(sql)
    finally:
        await backend.close()


class _Front:
    """Takes connections and gives each of them one to PostgreSQL."""

    def __init__(self, socket: Path, s3: Any) -> None:
        self._socket = socket
        self._s3 = s3
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> int:
        """Take connections from now on and return the port."""
        self._server = await asyncio.start_server(self._serve, HOST, port)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._converse(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            _log.debug("a connection ended: %r", error)
        except asyncio.CancelledError:
            pass  # the stand-in ends; asyncio would print the cancelled task
        except Exception:  # noqa: BLE001 -- a mistake of ours; the client sees that we hang up
            _log.exception("a connection failed")
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await startup.read_startup(reader, writer)
        if isinstance(found, Cancel):
            await self._cancel(found)
            return
        if (found.user, await startup.ask_password(reader, writer)) != (USER, PASSWORD):
            writer.write(startup.login_refused(found.user).encoded)
            return
        try:
            backend = await Backend.open(self._socket, found.parameters)
        except BackendError as error:
            writer.write(error.response.encoded)
            return
        for message in backend.greeting:
            writer.write(startup.as_redshift(message).encoded)
        log = LoadLog(self._socket, found.parameters["database"], session_id=backend.process_id)
        try:
            await Session(reader, writer, backend=backend, s3=self._s3, log=log).run()
        finally:
            await backend.close()

    async def _cancel(self, request: Cancel) -> None:
        _, writer = await asyncio.open_unix_connection(self._socket)
        writer.write(request.packet)
        await writer.drain()
        writer.close()
