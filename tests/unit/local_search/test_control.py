"""What the local search server's commands do without a JVM: state, settings, messages."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest.errors import SettingsError
from ingest.java import Java
from ingest.local_search import control
from ingest.local_search.place import (
    Place,
    address,
    choose_place,
    delete_place,
    environment,
    write_config,
)
from ingest.local_search.process import start_failure
from ingest.local_search.state import LocalServer
from ingest.settings import SearchSettings, Settings


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    return Settings(
        root=tmp_path,
        data=tmp_path,
        lake=str(tmp_path / "lake"),
        target="local",
        sources=(),
        search=SearchSettings(),
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    home = tmp_path / "server"
    (home / "config").mkdir(parents=True)
    (home / "config" / "log4j2.properties").write_text("status = error\n")
    for name in ("config", "data", "logs", "tmp"):
        (tmp_path / "work" / name).mkdir(parents=True)
    java = Java(tmp_path / "java", 17)
    return Place(home=home, folder=tmp_path / "work", java=java, user=None)


def remember(settings: Settings, **changes: object) -> LocalServer:
    """Write a state file that names this very process, but for `changes`."""
    me = psutil.Process()
    state = {
        "pid": me.pid,
        "create_time": me.create_time(),
        "url": "http://127.0.0.1:9",
        "version": "8.19.21",
        "node_name": "clickstream-0badcafe",
        "folder": str(settings.data / "search" / "8.19.21"),
        "started_at": "2026-01-01T00:00:00Z",
    } | changes
    path = settings.data / "search" / "server.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(state))
    return LocalServer(**state)  # type: ignore[arg-type]


def test_nothing_runs_at_first(local: Settings) -> None:
    assert control.status(local) is None
    assert control.down(local) is False


@pytest.mark.parametrize("content", ["", "[]", "{}", "{cut", '{"pid": 1}'])
def test_a_broken_state_file_is_no_server(local: Settings, content: str) -> None:
    (local.data / "search").mkdir()
    (local.data / "search" / "server.json").write_text(content)
    assert control.status(local) is None
    assert control.down(local) is False


def test_a_process_that_took_the_pid_is_never_stopped(local: Settings) -> None:
    remember(local, create_time=psutil.Process().create_time() - 60)
    assert control.down(local) is False  # we are still alive
    assert not (local.data / "search" / "server.json").exists()


def test_a_process_that_is_gone_is_no_server(local: Settings) -> None:
    assert remember(local, pid=2**22 + 1).process() is None
    assert control.status(local) is None


def test_a_process_that_does_not_answer_is_not_running(local: Settings) -> None:
    remember(local)
    assert control.status(local) is None


def test_the_line_names_address_and_memory(local: Settings) -> None:
    found = control.LocalServerStatus(
        server=dataclasses.replace(remember(local), pid=4711, url="http://127.0.0.1:9200"),
        memory_bytes=612_000_000,
        documents=None,
    )
    assert found.line() == (
        "Elasticsearch 8.19.21 is running at http://127.0.0.1:9200 (pid 4711, 0.6 GB)"
    )


def test_java_is_asked_for_before_anything_is_fetched(
    local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/none")
    monkeypatch.setattr(control, "unpacked", lambda: pytest.fail("fetched"))
    with pytest.raises(SettingsError, match="Elasticsearch needs Java 17 or 21"):
        control.up(local)


def test_settings_of_the_node(place: Place) -> None:
    (place.logs / "http.ports").write_text("127.0.0.1:9201\n")
    write_config(place, node_name="clickstream-0badcafe", extra={"a.b": "it's"})
    yaml = (place.config / "elasticsearch.yml").read_text().splitlines()
    assert "network.host: '127.0.0.1'" in yaml
    assert "http.port: '9200-9299'" in yaml
    assert "node.name: 'clickstream-0badcafe'" in yaml
    assert f"path.data: '{place.folder / 'data'}'" in yaml
    assert "a.b: 'it''s'" in yaml
    assert (place.config / "log4j2.properties").read_text() == "status = error\n"
    assert address(place) is None  # that was the address of the last start


@pytest.mark.parametrize(
    ("size", "heap", "early"), [("small", "-Xmx512m", True), ("large", "-Xmx2g", False)]
)
def test_memory_of_the_node(place: Place, size: str, heap: str, early: bool) -> None:
    write_config(place, node_name="n", size=size)
    options = (place.config / "jvm.options").read_text().splitlines()
    assert heap in options
    assert ("-XX:TieredStopAtLevel=1" in options) is early


def test_the_address_is_what_the_server_wrote(place: Place) -> None:
    assert address(place) is None
    (place.logs / "http.ports").write_text("")
    assert address(place) is None
    (place.logs / "http.ports").write_text("127.0.0.1:9217\n")
    assert address(place) == "http://127.0.0.1:9217"


def test_options_meant_for_another_java_do_not_reach_the_server(place: Place) -> None:
    given = {"PATH": "/bin", "JAVA_HOME": "/x", "JAVA_TOOL_OPTIONS": "-Xmx1g", "ES_JAVA_OPTS": "y"}
    assert environment(place, given) == {
        "PATH": "/bin",
        "ES_JAVA_HOME": str(place.java.home),
        "ES_PATH_CONF": str(place.config),
        "ES_TMPDIR": str(place.folder / "tmp"),
        "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
    }


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("java.lang.IllegalStateException: failed to obtain node locks, tried", "its data folder"),
        ("BindHttpException: Failed to bind to 127.0.0.1:[9200-9299]", "9200 to 9299 of 127.0.0.1"),
        ("java.io.IOException: No space left on device", "the disk is full"),
        ("java.nio.file.AccessDeniedException: /root/x", "its user may not enter"),
        ("FindException: Module jdk.incubator.vector not found", "set JAVA_HOME"),
        ("something new", "exit code 1"),
    ],
)
def test_a_failed_start_says_why_and_what_to_do(place: Place, said: str, reason: str) -> None:
    place.start_log.write_text("\n".join(f"line {i}" for i in range(50)) + f"\n{said}\n")
    message = start_failure(place, "exit code 1")
    assert reason in message.splitlines()[0]
    assert said in message
    unknown = said == "something new"
    assert ("line 31" in message, "line 30" in message) == (unknown, False)
    assert str(place.logs) in message
    assert message.splitlines()[-1].startswith("nothing is lost: set ES_URL")


@pytest.fixture
def open_java() -> Iterator[Java]:
    """A Java that every user may start; tmp_path is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o755)
        (home / "bin").mkdir(mode=0o755)
        (home / "bin" / "java").touch(mode=0o755)
        yield Java(home, 17)


def test_the_server_works_where_its_user_may_enter(tmp_path: Path, open_java: Java) -> None:
    home = tmp_path / "server"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "elasticsearch").touch(mode=0o755)
    closed = tmp_path / "closed" / "8.19.21"
    try:
        found = choose_place(home, closed, open_java)
        if os.geteuid() != 0:
            assert found == Place(home=home, folder=closed, java=open_java, user=None)
            return
        # As root: in a folder of root's in the temporary folder, the work folder given away.
        assert found.user == "nobody"
        assert not found.folder.is_relative_to(tmp_path)
        assert found.folder.owner() == "nobody"
        assert (found.home / "bin" / "elasticsearch").is_file()
        assert found.home.owner() == found.folder.parent.owner() == "root"
        assert choose_place(home, closed, open_java) == found
    finally:
        delete_place(closed)
    assert not found.folder.exists()
