"""The local search server: started detached, found again by its state file, stopped by its pid.

A server on the usual port that we did not start is never used unless ES_URL names it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import psutil

from ingest.errors import SearchServerError
from ingest.java import find_java
from ingest.local_search.client import ask
from ingest.local_search.fetch import ELASTICSEARCH, unpacked
from ingest.local_search.lock import locked
from ingest.local_search.place import candidates, choose_place, delete_place
from ingest.local_search.process import adopt, answers, server_process, start, stop, wait_for
from ingest.local_search.state import LocalServer, read_state, write_state
from ingest.settings import Settings

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServerStatus:
    """What `search status` shows. `documents` is the size of our index, None without an index."""

    server: LocalServer
    memory_bytes: int
    documents: int | None

    def line(self) -> str:
        """Return the line that every command shows that leaves the server running."""
        return (
            f"Elasticsearch {self.server.version} is running at {self.server.url} "
            f"(pid {self.server.pid}, {self.memory_bytes / 1e9:.1f} GB)"
        )


def up(settings: Settings) -> LocalServer:
    """Start the local search server unless it is already running; it outlives this process.

    Raises SettingsError without a suitable Java, SearchServerError when it cannot be fetched or
    does not start.
    """
    with locked(_home(settings) / ".lock"):
        running = _running(settings)
        if running is not None:
            return running
        java = find_java("Elasticsearch")
        work = _work_folder(settings)
        place = choose_place(unpacked(), work, java)
        if place.folder != work:
            _log.info(
                "other users cannot enter root's folders: the server runs in %s", place.folder
            )
        server = adopt(place) or start(place, size=settings.search.size)
        write_state(state_file(settings), server)
        return server


def down(settings: Settings, delete_data: bool = False) -> bool:
    """Stop the server and return whether it was running; `delete_data` drops its index.

    Raises SearchServerError when it does not stop.
    """
    with locked(_home(settings) / ".lock"):
        server = read_state(state_file(settings))
        process = (server.process() if server else None) or _left_running(settings)
        if process is not None:
            stop(process)
        state_file(settings).unlink(missing_ok=True)
        if delete_data:
            delete_place(_work_folder(settings))
        return process is not None


def status(settings: Settings) -> LocalServerStatus | None:
    """Return the state of the local search server, None when it is not running. Starts nothing."""
    server = read_state(state_file(settings))
    process = server.process() if server else None
    if server is None or process is None or not answers(server):
        return None
    return LocalServerStatus(
        server=server,
        memory_bytes=process.memory_info().rss,
        documents=_documents(server, settings.search.index),
    )


def _home(settings: Settings) -> Path:
    return settings.data / "search"


def _work_folder(settings: Settings) -> Path:
    """Return the work folder; each version has its own data."""
    return _home(settings) / ELASTICSEARCH.version


def state_file(settings: Settings) -> Path:
    """Return the path of the file that names the running server."""
    return _home(settings) / "server.json"


def _running(settings: Settings) -> LocalServer | None:
    server = read_state(state_file(settings))
    if server is None or server.process() is None:
        return None
    if wait_for(lambda: answers(server) or None, seconds=_ANSWER_SECONDS):
        return server
    raise SearchServerError(
        f"the local search server (pid {server.pid}) does not answer at {server.url}: "
        "run `clickstream search down` and try again"
    )


def _documents(server: LocalServer, index: str) -> int | None:
    found = ask(server.url, f"/{index}/_count")
    return found and int(found["count"])


def _left_running(settings: Settings) -> psutil.Process | None:
    """Return the server of an interrupted start, wherever it works."""
    found = (server_process(folder) for folder in candidates(_work_folder(settings)))
    return next((process for process in found if process is not None), None)
