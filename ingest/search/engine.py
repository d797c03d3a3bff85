"""The local Elasticsearch: started detached, found again by its state file, stopped by its pid.

A server on the usual port that we did not start is never used: only ES_URL may name it.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil
from elastic_transport import TransportError
from elasticsearch import ApiError

from ingest.errors import EngineError
from ingest.java import find_java
from ingest.search.client import connect
from ingest.search.fetch import ELASTICSEARCH, unpacked
from ingest.search.folder import (
    Place,
    address,
    candidates,
    choose_place,
    delete_place,
    launch,
    pid_file,
    write_config,
)
from ingest.search.lock import locked
from ingest.settings import Settings

logger = logging.getLogger(__name__)
T = TypeVar("T")

_START_SECONDS = 120
_HEALTH_SECONDS = 30
_STOP_SECONDS = 30
_TAIL_LINES = 20
# psutil computes a process's start from the time of boot, which moves when the clock is set.
_CLOCK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A running engine, as its state file holds it. `create_time` is that of the process."""

    pid: int
    create_time: float
    url: str
    version: str
    node_name: str
    folder: str
    started_at: str

    def process(self) -> psutil.Process | None:
        """Return the process when it is still the one that was started, else None."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _CLOCK_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """What `search status` shows. `documents` are those of our index, None without an index."""

    engine: Engine
    memory_bytes: int
    documents: int | None

    def line(self) -> str:
        """Return the sentence that every command which leaves the engine running ends with."""
        return (
            f"Elasticsearch {self.engine.version} is running at {self.engine.url} "
            f"(pid {self.engine.pid}, {self.memory_bytes / 1e9:.1f} GB); "
            "stop it with: clickstream search down"
        )


def up(settings: Settings) -> Engine:
    """Start the local engine unless it runs already; it keeps running when we end.

    Raises SettingsError without a fitting Java, EngineError when it cannot be fetched or does
    not start.
    """
    with locked(_home(settings) / ".lock"):
        running = _running(settings)
        if running is not None:
            return running
        java = find_java("Elasticsearch")
        work = _work_folder(settings)
        place = choose_place(unpacked(), work, java)
        if place.folder != work:
            logger.info("root's folders are closed to others: the engine works in %s", place.folder)
        engine = _adopted(place) or _started(place, settings.search.size)
        _write_state(settings, engine)
        return engine


def down(settings: Settings, delete_data: bool = False) -> bool:
    """Stop the local engine and return whether it was running; `delete_data` drops its index.

    Raises EngineError when it does not end.
    """
    with locked(_home(settings) / ".lock"):
        engine = _read_state(settings)
        process = (engine.process() if engine else None) or _left_running(settings)
        if process is not None:
            _stop(process)
        _state_file(settings).unlink(missing_ok=True)
        if delete_data:
            delete_place(_work_folder(settings))
        return process is not None


def status(settings: Settings) -> EngineStatus | None:
    """Return the state of the local engine, None when it does not run. Starts nothing."""
    engine = _read_state(settings)
    process = engine.process() if engine else None
    if engine is None or process is None or not _answers(engine):
        return None
    return EngineStatus(
        engine=engine,
        memory_bytes=process.memory_info().rss,
        documents=_documents(engine, settings.search.index),
    )


def _home(settings: Settings) -> Path:
    return settings.data / "search"


def _work_folder(settings: Settings) -> Path:
    """Return the work folder; data of another version stays with its version."""
    return _home(settings) / ELASTICSEARCH.version


def _state_file(settings: Settings) -> Path:
    return _home(settings) / "engine.json"


def _read_state(settings: Settings) -> Engine | None:
    """Return the state file's content, None when there is none or it is not ours to read."""
    try:
        return Engine(**json.loads(_state_file(settings).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _write_state(settings: Settings, engine: Engine) -> None:
    path = _state_file(settings)
    spool = path.with_suffix(".tmp")
    spool.write_text(json.dumps(asdict(engine), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    spool.replace(path)


def _running(settings: Settings) -> Engine | None:
    engine = _read_state(settings)
    if engine is None or engine.process() is None:
        return None
    if _wait(lambda: _answers(engine) or None, seconds=10):
        return engine
    raise EngineError(
        f"the local Elasticsearch (pid {engine.pid}) does not answer at {engine.url}: "
        "`clickstream search down`, then again"
    )


def _answers(engine: Engine) -> bool:
    """Return whether the node at the engine's address is the one that was started."""
    return _node(engine.url) == (engine.node_name, engine.version)


def _node(url: str) -> tuple[str, str] | None:
    """Return name and version of the single node at `url`, None without an answer."""
    with connect(url, environ={}) as client:
        try:
            found = client.nodes.info(filter_path="nodes.*.version,nodes.*.name")
        except (ApiError, TransportError):
            return None
    (node,) = found["nodes"].values()
    return node["name"], node["version"]


def _documents(engine: Engine, index: str) -> int | None:
    with connect(engine.url, environ={}) as client:
        try:
            return int(client.count(index=index)["count"])
        except (ApiError, TransportError):
            return None


def _adopted(place: Place) -> Engine | None:
    """Return the engine of a start that was interrupted before its state file was written."""
    process = server_process(place.folder)
    if process is None:
        return None
    logger.info("an Elasticsearch that was left starting uses %s: waiting for it", place.folder)
    return _ready(place, process, seconds=_START_SECONDS)


def _left_running(settings: Settings) -> psutil.Process | None:
    """Return the server of a start that was interrupted, wherever it works."""
    found = (server_process(folder) for folder in candidates(_work_folder(settings)))
    return next((process for process in found if process is not None), None)


def server_process(folder: Path) -> psutil.Process | None:
    """Return the server that works in `folder` and wrote its pid there, None when it is gone."""
    try:
        process = psutil.Process(int(pid_file(folder).read_text(encoding="ascii")))
        ours = any(str(folder) in argument for argument in process.cmdline())
    except (OSError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process if ours else None


def _started(place: Place, size: str) -> Engine:
    write_config(place, node_name=f"clickstream-{secrets.token_hex(4)}", size=size)
    logger.info("starting Elasticsearch %s", ELASTICSEARCH.version)
    launcher = launch(place, "-d", "-p", str(place.pid_file))
    try:
        code = launcher.wait(_START_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()
        raise EngineError(start_failure(place, f"not up after {_START_SECONDS} s")) from None
    process = server_process(place.folder)
    if code != 0 or process is None:
        raise EngineError(start_failure(place, f"exit code {code}"))
    return _ready(place, process, seconds=_HEALTH_SECONDS)


def _ready(place: Place, process: psutil.Process, *, seconds: float) -> Engine:
    """Return the engine when its node takes requests; raises EngineError after `seconds`."""
    url = _wait(lambda: address(place), seconds=seconds)
    node = _wait(lambda: _node(url) if url and _healthy(url) else None, seconds=seconds)
    if url is None or node is None:
        raise EngineError(start_failure(place, "no healthy node"))
    name, version = node
    return Engine(
        pid=process.pid,
        create_time=process.create_time(),
        url=url,
        version=version,
        node_name=name,
        folder=str(place.folder),
        started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _healthy(url: str) -> bool:
    with connect(url, environ={}) as client:
        try:
            answer = client.cluster.health(wait_for_status="yellow", timeout="5s")
        except (ApiError, TransportError):
            return False
    return not answer["timed_out"]


def _stop(process: psutil.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.send_signal(number)
            process.wait(_STOP_SECONDS)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            continue
        else:
            return
    raise EngineError(f"the local Elasticsearch (pid {process.pid}) does not end")


def _wait(ask: Callable[[], T | None], *, seconds: float) -> T | None:
    """Return the first answer of `ask` that is not None, or None after `seconds`."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


# What a start log says, and what to do about it.
_CAUSES = (
    (r"failed to obtain node locks", "another Elasticsearch uses its data folder{owner}"),
    (r"BindHttpException|Address already in use", "ports 9200 to 9299 of 127.0.0.1 are all busy"),
    (r"No space left on device", "the disk is full"),
    (r"AccessDeniedException|Permission denied", "a folder on the way to it is closed to its user"),
    (r"Module jdk\.incubator\.vector not found", "this Java is not a complete one: set JAVA_HOME"),
    (r"insufficient memory|Could not reserve enough space", "there is not enough memory"),
)


def start_failure(place: Place, what: str) -> str:
    """Return why the engine at `place` did not start: its last words, its log and a remedy."""
    try:
        lines = place.start_log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    holder = server_process(place.folder)
    owner = f" (pid {holder.pid})" if holder else ""
    known = [cause for pattern, cause in _CAUSES if re.search(pattern, "\n".join(lines))]
    reason = known[0].format(owner=owner) if known else what
    tail = "\n".join(f"    {line}" for line in lines[-_TAIL_LINES:])
    return (
        f"Elasticsearch does not start: {reason}.\n{tail}\n"
        f"    log: {place.logs / 'clickstream-local.log'}\n"
        "Nothing is lost. Set ES_URL to use another Elasticsearch, or off to go on without."
    )
