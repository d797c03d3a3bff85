"""Where the local search server works, with which settings, and as which user.

The server refuses to run as root. Started by root it runs as `nobody`, who must be able to enter
every parent folder of the server, of its work folder and of Java.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import SearchServerError, SettingsError
from ingest.java import Java
from ingest.local_search.fetch import ELASTICSEARCH, Distribution

_UNPRIVILEGED = "nobody"
_JAVA_VARIABLES = ("JAVA_HOME", "JAVA_OPTS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "ES_JAVA_OPTS")
_PORTS = "9200-9299"
# Only the fast first compiler: the second one takes 2-3 times the CPU in the first minutes.
_EARLY_COMPILER = "-XX:TieredStopAtLevel=1"
_SIZES = {"small": ("512m", (_EARLY_COMPILER,)), "large": ("2g", ())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server and its work folder. `user` is whom it runs as, None = the current user.

    `home` is the unpacked `server`.
    """

    home: Path
    folder: Path
    java: Java
    user: str | None
    server: Distribution = ELASTICSEARCH

    @property
    def program(self) -> Path:
        """What starts the server."""
        return program(self.home, self.server)

    @property
    def config(self) -> Path:
        """The folder of its settings, rewritten at each start."""
        return self.folder / "config"

    @property
    def logs(self) -> Path:
        """The folder of its logs; `http.ports` in it holds the server's address."""
        return self.folder / "logs"

    @property
    def pid_file(self) -> Path:
        """Where the server writes its process id."""
        return pid_file(self.folder)

    @property
    def start_log(self) -> Path:
        """What the launcher printed."""
        return self.logs / "start.log"


def pid_file(folder: Path) -> Path:
    """Return where the server that works in `folder` writes its process id."""
    return folder / "server.pid"


def program(home: Path, server: Distribution) -> Path:
    """Return what starts the `server` that is unpacked at `home`."""
    return home / "bin" / server.artifact


def choose_place(
    home: Path, folder: Path, java: Java, server: Distribution = ELASTICSEARCH
) -> Place:
    """Return where the server at `home` runs: in `folder` or, as root, where `nobody` may enter.

    As root, when `nobody` may not enter a parent, server and work folder go to a folder of our own
    in the system's temporary folder, named after `folder`. Raises SettingsError when there is no
    such place.
    """
    if os.geteuid() != 0:
        _make(folder)
        return Place(home=home, folder=folder, java=java, user=None, server=server)
    _check_user(java)
    _make(folder)
    _give(folder, _UNPRIVILEGED)
    if not (_may_enter(folder) and _may_enter(program(home, server))):
        home, folder = _borrowed(home, folder)
    return Place(home=home, folder=folder, java=java, user=_UNPRIVILEGED, server=server)


def _make(folder: Path) -> None:
    for name in ("config", "data", "logs", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def _check_user(java: Java) -> None:
    try:
        pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise SettingsError(
            f"Elasticsearch does not run as root, and there is no user {_UNPRIVILEGED}: start it "
            "as another user, or set ES_URL"
        ) from None
    if not _may_enter(java.home / "bin" / "java"):
        raise SettingsError(
            f"Elasticsearch does not run as root, and the user {_UNPRIVILEGED} cannot start Java "
            f"at {java.home}: set JAVA_HOME to one that every user can run, or set ES_URL"
        )


def _may_enter(path: Path) -> bool:
    user = pwd.getpwnam(_UNPRIVILEGED)
    test = subprocess.run(
        ["test", "-x", path],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return test.returncode == 0


def _give(folder: Path, name: str) -> None:
    """Make `name` the owner of `folder` and of everything below it."""
    user = pwd.getpwnam(name)
    for top, _, files in os.walk(folder):
        for path in (top, *(os.path.join(top, file) for file in files)):  # noqa: PTH118 -- hot
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _borrowed(home: Path, folder: Path) -> tuple[Path, Path]:
    """Return server and work folder below a temporary folder that the user can enter."""
    for base in _bases(folder):
        if _own(base) and _may_enter(base):
            break
    else:
        raise SettingsError(
            f"Elasticsearch does not run as root, and the user {_UNPRIVILEGED} can enter neither "
            f"{folder} nor a temporary folder: set CLICKSTREAM_DATA to one that it can enter, or "
            "set ES_URL"
        )
    copy = base / home.name
    if not copy.is_dir():
        spool = base / f".tmp-{os.getpid()}"
        shutil.copytree(home, spool)
        spool.chmod(0o755)
        spool.rename(copy)
    work = base / folder.name
    _make(work)
    _give(work, _UNPRIVILEGED)
    return copy, work


def _bases(folder: Path) -> list[Path]:
    """Return where the server may go when `folder` is closed; TMPDIR may be closed as well."""
    name = f"clickstream-{hashlib.sha256(bytes(folder.parent)).hexdigest()[:8]}"
    parents = dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp"))  # noqa: S108
    return [Path(parent) / name for parent in parents]


def candidates(folder: Path) -> list[Path]:
    """Return the work folders that `choose_place` may have chosen for `folder`."""
    return [folder, *(base / folder.name for base in _bases(folder))]


def delete_place(folder: Path) -> None:
    """Delete `folder` and what was put into temporary folders instead of it."""
    shutil.rmtree(folder, ignore_errors=True)
    for base in _bases(folder):
        if base.is_dir() and not base.is_symlink() and base.stat().st_uid == os.geteuid():
            shutil.rmtree(base)


def _own(base: Path) -> bool:
    """Return whether `base` is a folder of ours, made if missing, that others may only enter."""
    try:
        base.mkdir(mode=0o755, exist_ok=True)
        found = base.lstat()
        if base.is_symlink() or found.st_uid != os.geteuid():
            return False
        base.chmod(0o755)
    except OSError:
        return False
    return True


def write_config(
    place: Place,
    *,
    node_name: str,
    size: str = "small",
    http_port: str = _PORTS,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write the server's settings; `extra` adds node settings. Removes the old address."""
    heap, options = _SIZES[size]
    node = {
        "cluster.name": "clickstream-local",
        "node.name": node_name,
        "discovery.type": "single-node",
        "network.host": "127.0.0.1",
        "http.port": http_port,
        "transport.port": "0",
        "node.portsfile": "true",
        "path.data": str(place.folder / "data"),
        "path.logs": str(place.logs),
        # The disk of a laptop is often fuller than the server would accept.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
        "action.destructive_requires_name": "true",
        **place.server.settings,
        **(extra or {}),
    }
    yaml = "".join(f"{name}: {_quoted(value)}\n" for name, value in node.items())
    (place.config / f"{place.server.artifact}.yml").write_text(yaml, encoding="utf-8")
    jvm = "\n".join((f"-Xms{heap}", f"-Xmx{heap}", *_jvm_options(place.server), *options))
    (place.config / "jvm.options").write_text(jvm + "\n", encoding="utf-8")
    log4j = (place.home / "config" / "log4j2.properties").read_bytes()
    (place.config / "log4j2.properties").write_bytes(log4j)
    (place.logs / "http.ports").unlink(missing_ok=True)
    place.pid_file.unlink(missing_ok=True)
    if place.user:
        _give(place.folder, place.user)


def _jvm_options(server: Distribution) -> tuple[str, ...]:
    return (
        "-XX:+UseG1GC",
        "-XX:-AlwaysPreTouch",
        "-XX:+ExitOnOutOfMemoryError",
        f"-Djava.io.tmpdir=${{{server.prefix}_TMPDIR}}",
        "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
        "20-:--add-modules=jdk.incubator.vector",
        *server.jvm_options,
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def launch(place: Place, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the server's launcher in a session of its own; what it prints goes to `start_log`.

    It inherits none of our streams: an open pipe would keep the caller of our caller waiting.
    """
    user = pwd.getpwnam(place.user) if place.user else None
    with place.start_log.open("wb") as log:
        try:
            return subprocess.Popen(
                [place.program, *arguments],
                cwd=place.folder,
                env=environment(place, os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=[] if user else None,
            )
        except OSError as error:
            raise SearchServerError(f"Elasticsearch did not start: {error}") from error


def environment(place: Place, environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` for the launcher: our Java and folders, nobody else's options."""
    kept = {name: value for name, value in environ.items() if name not in _JAVA_VARIABLES}
    prefix = place.server.prefix
    return kept | {
        f"{prefix}_JAVA_HOME": str(place.java.home),
        f"{prefix}_PATH_CONF": str(place.config),
        f"{prefix}_TMPDIR": str(place.folder / "tmp"),
        "CLI_JAVA_OPTS": _EARLY_COMPILER,
    }


def address(place: Place) -> str | None:
    """Return the URL that the running server has written, None before it did."""
    try:
        lines = (place.logs / "http.ports").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return None
    return f"http://{lines[0]}" if lines else None
