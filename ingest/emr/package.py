"""What a job needs on the cluster, uploaded once per content: `<staging>/code/<sha>/`.

    deps.tar.gz   Python packages for the machines there, our own, clickstream.toml, dbt project
    main.py       the program; written last, so that where it is, the archive is complete

The sha is one of all inputs, the lock with its hashes among them. So it is known without fetching a
single wheel, and what was uploaded never changes. Machine code has no part in it: it follows from
the sources, and a job runs without.
"""

from __future__ import annotations

import hashlib
import logging
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ingest.emr.archive import write_archive
from ingest.emr.lock import job_lock, needed_packages
from ingest.emr.logs import without_secrets
from ingest.emr.machine_code import machine_code
from ingest.errors import ClickstreamError, SettingsError
from ingest.settings import Settings
from ingest.storage import open_storage
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

NO_STAGING = "set EMR_STAGING / emr.staging: the s3:// prefix for code and logs of jobs"
ARCHIVE, PROGRAM = "deps.tar.gz", "main.py"
# The name under which Spark unpacks the archive, in the folder where driver and tasks run.
FOLDER = "deps"
MAIN = f"""\
import os
import sys

sys.path.insert(0, os.path.abspath("{FOLDER}"))

from ingest.cli.job import main

main()
"""
_LOCK, _PROJECT, _SETTINGS = "requirements.lock", "pyproject.toml", "clickstream.toml"
_PROFILES = "profiles/profiles.yml"
# What dbt needs: files, or folders with all that is in them.
_DBT = ("dbt_project.yml", _PROFILES, "models", "macros", "seeds", "tests/dbt")
_PASSWORD = re.compile(r"\b(?:password|pass|token)['\"]?[ \t]*:[ \t]*(?!.*env_var)[^\s,}]")
# pyarrow has wheels for the first tag only, other packages for the second only.
_PLATFORMS = ("manylinux_2_28", "manylinux2014")
_PYTHON = "3.11"
_FETCH_SECONDS = 900
# Lines of pip's stderr that are shown: the last ones name the problem.
_SHOWN = 3

# Fetches the wheels of a lock (first argument) for an architecture into a folder.
Fetch = Callable[[str, str, Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The code of a job. `uri` is its s3:// folder, `sha` 64 hex digits.

    `uploaded` says whether this call did it, `bytes` is then the size of the archive, else None.
    """

    sha: str
    uri: str
    arch: str
    uploaded: bool = False
    bytes: int | None = None

    @property
    def archive(self) -> str:
        """The URI of the archive."""
        return f"{self.uri}/{ARCHIVE}"

    @property
    def program(self) -> str:
        """The URI of the program."""
        return f"{self.uri}/{PROGRAM}"


def describe_package(settings: Settings) -> Package:
    """Return the package of this project as it is now, without looking whether it is uploaded.

    Raises SettingsError when staging is not set, the lock is missing, or a secret would be sent.
    """
    return _described(settings, _own_files(settings), _lock(settings))


def is_uploaded(package: Package) -> bool:
    """Return whether `package` is in S3. Raises StorageError when S3 does not say."""
    return any(stored.key == PROGRAM for stored in open_storage(package.uri).list(PROGRAM))


def upload_package(settings: Settings, *, fetch: Fetch | None = None) -> Package:
    """Build the package of this project and upload it, unless it is there already.

    `fetch` gets the wheels (None = pip). Raises as `describe_package`, ClickstreamError when wheels
    cannot be fetched, and StorageError when S3 refuses.
    """
    files, lock = _own_files(settings), _lock(settings)
    package = _described(settings, files, lock)
    if is_uploaded(package):
        return package
    storage = open_storage(package.uri)
    with tempfile.TemporaryDirectory(prefix="clickstream-emr-") as folder:
        wheels, archive = Path(folder, "wheels"), Path(folder, ARCHIVE)
        wheels.mkdir()
        (fetch or fetch_wheels)(lock, package.arch, wheels)
        found = sorted(wheels.glob("*.whl"))
        write_archive(archive, found, files | machine_code(package.arch))
        size = archive.stat().st_size
        _log.info("uploading %s for %s ...", count_of(len(found), "package"), package.arch)
        storage.upload(archive, ARCHIVE)
    storage.put_if_absent(PROGRAM, MAIN.encode())
    return Package(sha=package.sha, uri=package.uri, arch=package.arch, uploaded=True, bytes=size)


def fetch_wheels(lock: str, arch: str, folder: Path) -> None:
    """Fetch the wheels of `lock` for `arch` into `folder` with pip, from where pip is set up to.

    Raises ClickstreamError with pip's reason.
    """
    wanted = folder / "job.lock"
    wanted.write_text(lock, encoding="utf-8")
    try:
        done = subprocess.run(
            pip_command(arch, wanted, folder),
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClickstreamError(
            f"pip did not fetch the packages of a job for {arch} within {_FETCH_SECONDS // 60}"
            " minutes: check the network and run the command again"
        ) from error
    wanted.unlink()
    if done.returncode:
        reason = "; ".join(line for line in done.stderr.splitlines()[-_SHOWN:] if line.strip())
        raise ClickstreamError(
            f"pip cannot fetch the packages of a job for {arch}: {without_secrets(reason)}"
        )


def pip_command(arch: str, lock: Path, folder: Path) -> list[str]:
    """Return the command that fetches the wheels of the file `lock`, for another machine."""
    platforms = [f"--platform={tag}_{arch}" for tag in _PLATFORMS]
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--only-binary=:all:"),
        *("--python-version", _PYTHON, "--implementation", "cp", *platforms),
        *("--requirement", str(lock), "--dest", str(folder)),
    ]


def _described(settings: Settings, files: Mapping[str, bytes], lock: str) -> Package:
    emr = settings.emr
    if emr.staging is None:
        raise SettingsError(NO_STAGING)
    sha = _sha({**files, PROGRAM: MAIN.encode(), _LOCK: lock.encode(), "arch": emr.arch.encode()})
    return Package(sha=sha, uri=f"{emr.staging}/code/{sha}", arch=emr.arch)


def _sha(inputs: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name in sorted(inputs):
        total.update(f"{name}\0{hashlib.sha256(inputs[name]).hexdigest()}\n".encode())
    return total.hexdigest()


def _lock(settings: Settings) -> str:
    try:
        lock, project = (
            (settings.root / name).read_text(encoding="utf-8") for name in (_LOCK, _PROJECT)
        )
    except OSError as error:
        raise SettingsError(
            f"{error.filename} cannot be read ({error.strerror}): work in a clone of clickstream"
        ) from error
    return job_lock(lock, needed_packages(project))


def _own_files(settings: Settings) -> dict[str, bytes]:
    """Return our own package, the settings and the dbt project: name in the archive -> content."""
    package, root = Path(__file__).resolve().parents[1], settings.root
    paths = {path: path.relative_to(package.parent) for path in _files_in(package)}
    for name in (_SETTINGS, *_DBT):
        paths |= {path: path.relative_to(root) for path in _files_in(root / name)}
    files = {name.as_posix(): path.read_bytes() for path, name in paths.items()}
    _check_secrets(root, files)
    return files


def _files_in(place: Path) -> Iterator[Path]:
    """Yield the file `place`, or those in that folder which somebody wrote."""
    if place.is_file():
        yield place
    for path in place.rglob("*"):
        inside = path.relative_to(place).parts
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside):
            yield path


def _check_secrets(root: Path, files: Mapping[str, bytes]) -> None:
    """Raise SettingsError for a password in the address of the search server, or in a profile."""
    toml = tomllib.loads(files.get(_SETTINGS, b"").decode())
    url = urlsplit(str(toml.get("search", {}).get("url", "")))
    if url.username or url.password:
        raise SettingsError(
            f"{root / _SETTINGS}: search.url holds a user name or password, which would be sent to"
            " S3: use ES_USER and ES_PASSWORD instead"
        )
    if _PASSWORD.search(files.get(_PROFILES, b"").decode()):
        raise SettingsError(
            f"{root / _PROFILES} holds a password, which would be sent to S3: use env_var() instead"
        )
