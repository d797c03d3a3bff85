"""The local search server as commands start, find and stop it: on the usual ports, detached."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest.errors import ClickstreamError
from ingest.java import find_java
from ingest.local_search import control
from ingest.local_search.fetch import unpacked
from ingest.search.client import connect
from ingest.settings import SearchSettings, Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="session", autouse=True)
def _prerequisites() -> None:
    try:
        find_java()
        unpacked()
    except ClickstreamError as error:
        pytest.skip(f"no search server: {error}")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Settings]:
    """Settings of the test's own data folder; the blank in its name shows up missing quotes."""
    data = tmp_path / "my data"
    settings = Settings(
        root=tmp_path,
        data=data,
        lake=str(data / "lake"),
        target="local",
        sources=(),
        search=SearchSettings(index="events"),
    )
    yield settings
    control.down(settings, delete_data=True)


@pytest.fixture
def busy_port() -> Iterator[int]:
    """Somebody else's server on the port that ours would take first."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # the port is busy already, which does as well
            server.bind(("127.0.0.1", 9200))
            server.listen()
        yield 9200


def test_up_status_down(local: Settings, busy_port: int) -> None:
    started = control.up(local)
    port = int(started.url.rpartition(":")[2])
    assert started.url.startswith("http://127.0.0.1:")
    assert busy_port < port <= 9299
    assert started.version == "8.19.21"
    process = psutil.Process(started.pid)
    assert process.username() != "root"
    assert os.getsid(started.pid) != os.getsid(0)

    found = control.status(local)
    assert found is not None
    assert found.server == started == control.up(local)
    assert 100e6 < found.memory_bytes < 1.5e9
    assert found.documents is None
    with connect(started.url, environ={}) as client:
        client.index(index="events", id="1", document={"kept": True}, refresh=True)
    again = control.status(local)
    assert again is not None
    assert again.documents == 1

    # As if `up` had been killed before it wrote its state: the same server is found again.
    (local.data / "search" / "server.json").unlink()
    assert control.up(local).pid == started.pid

    assert control.down(local) is True
    assert not process.is_running()
    assert control.status(local) is None
    assert control.down(local) is False

    # The data outlives the server until it is deleted on purpose.
    second = control.up(local)
    restarted = control.status(local)
    assert restarted is not None
    assert restarted.documents == 1
    assert restarted.server.node_name != started.node_name
    folder = Path(restarted.server.folder)
    (local.data / "search" / "server.json").unlink()
    assert control.down(local, delete_data=True) is True
    assert not psutil.pid_exists(second.pid)
    assert not folder.exists()
