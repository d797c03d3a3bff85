"""The process of the server: started and awaited, or found after an interrupted start."""

from __future__ import annotations

import logging
import re
import secrets
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil

from ingest.errors import SearchServerError
from ingest.local_search.client import ask
from ingest.local_search.fetch import ELASTICSEARCH
from ingest.local_search.place import Place, address, launch, pid_file, write_config
from ingest.local_search.state import LocalServer
from ingest.poll import poll

_log = logging.getLogger(__name__)
T = TypeVar("T")

_START_SECONDS = 120
_HEALTH_SECONDS = 30
_STOP_SECONDS = 30
_TAIL_LINES = 20
_LINE_CHARACTERS = 500


def start(place: Place, *, size: str) -> LocalServer:
    """Start the server at `place` detached; raises SearchServerError with the end of its log."""
    write_config(place, node_name=f"clickstream-{secrets.token_hex(4)}", size=size)
    _log.info("starting Elasticsearch %s", ELASTICSEARCH.version)
    launcher = launch(place, "-d", "-p", str(place.pid_file))
    try:
        code = launcher.wait(_START_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()
        if (process := server_process(place.folder)) is not None:
            stop(process)
        raise SearchServerError(
            start_failure(place, f"it was not up after {_START_SECONDS} s")
        ) from None
    process = server_process(place.folder)
    if code != 0 or process is None:
        raise SearchServerError(start_failure(place, f"exit code {code}"))
    return _awaited(place, process, seconds=_HEALTH_SECONDS)


def adopt(place: Place) -> LocalServer | None:
    """Return the server of a start that was interrupted before it wrote its state file."""
    process = server_process(place.folder)
    if process is None:
        return None
    _log.info("waiting for the Elasticsearch of an interrupted start in %s", place.folder)
    return _awaited(place, process, seconds=_START_SECONDS)


def server_process(folder: Path) -> psutil.Process | None:
    """Return the server that works in `folder` and wrote its pid there, None when it is gone."""
    try:
        process = psutil.Process(int(pid_file(folder).read_text(encoding="ascii")))
        ours = any(str(folder) in argument for argument in process.cmdline())
    except (OSError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process if ours else None


def stop(process: psutil.Process) -> None:
    """Stop `process`, politely at first; raises SearchServerError when it does not stop."""
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
    raise SearchServerError(f"the local search server (pid {process.pid}) does not stop")


def _awaited(place: Place, process: psutil.Process, *, seconds: float) -> LocalServer:
    """Return the server once its node is ready; raises SearchServerError after `seconds`."""
    url = wait_for(lambda: address(place), seconds=seconds)
    node = wait_for(lambda: _node(url) if url and _healthy(url) else None, seconds=seconds)
    if url is None or node is None:
        raise SearchServerError(start_failure(place, "its node is not healthy"))
    name, version = node
    return LocalServer(
        pid=process.pid,
        create_time=process.create_time(),
        url=url,
        version=version,
        node_name=name,
        folder=str(place.folder),
        started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _healthy(url: str) -> bool:
    answer = ask(url, "/_cluster/health?wait_for_status=yellow&timeout=5s")
    return answer is not None and not answer["timed_out"]


def answers(server: LocalServer) -> bool:
    """Return whether the node at the server's address is the one that was started."""
    return _node(server.url) == (server.node_name, server.version)


def _node(url: str) -> tuple[str, str] | None:
    """Return name and version of the single node at `url`, None without an answer."""
    found = ask(url, "/_nodes?filter_path=nodes.*.version,nodes.*.name") or {}
    nodes = list(found.get("nodes", {}).values())
    return (nodes[0]["name"], nodes[0]["version"]) if len(nodes) == 1 else None


def wait_for(ask: Callable[[], T | None], *, seconds: float) -> T | None:
    """Return the first answer of `ask` that is not None, or None after `seconds`."""
    return poll(ask, lambda answer: answer is not None, delay_seconds=0.1, deadline_seconds=seconds)


# What a start log says, and what to do about it.
_CAUSES = (
    (r"failed to obtain node locks", "another Elasticsearch uses its data folder{owner}"),
    (r"BindHttpException|Address already in use", "ports 9200 to 9299 of 127.0.0.1 are all in use"),
    (r"No space left on device", "the disk is full"),
    (r"AccessDeniedException|Permission denied", "its user may not enter one of its folders"),
    (r"Module jdk\.incubator\.vector not found", "this Java is incomplete: set JAVA_HOME"),
    (r"insufficient memory|Could not reserve enough space", "there is not enough memory"),
)


def start_failure(place: Place, what: str) -> str:
    """Return why the server at `place` did not start: what it printed, its log and a remedy.

    A line that tells a known cause is shown alone, otherwise the last lines are.
    """
    try:
        lines = place.start_log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    holder = server_process(place.folder)
    owner = f" (pid {holder.pid})" if holder else ""
    known = [
        (line, cause) for pattern, cause in _CAUSES for line in lines if re.search(pattern, line)
    ]
    if known:
        shown, reason = [known[0][0].strip()], known[0][1].format(owner=owner)
    else:
        shown, reason = lines[-_TAIL_LINES:], what
    tail = "".join(f"    {line[:_LINE_CHARACTERS]}\n" for line in shown)
    return (
        f"Elasticsearch did not start: {reason}\n{tail}"
        f"    log: {place.logs / 'clickstream-local.log'}\n"
        "nothing is lost: set ES_URL to another Elasticsearch, or to off to go on without one"
    )
