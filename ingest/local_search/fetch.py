"""The pinned Elasticsearch distribution: fetched once, checked, unpacked into the user's cache.

It is the server without its bundled Java and without most plugins, published as a Maven artifact
for integration tests. It is not redistributed: each user downloads it for trying things out.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import ssl
import stat
import zipfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

import requests
from jgo.maven import MavenContext
from platformdirs import user_cache_path

from ingest.errors import SearchServerError
from ingest.local_search.lock import locked

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 60
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A published zip of a search server. `bytes` is only shown during the download.

    `artifact` is the name of its program too, and its variables begin with `prefix`. It needs the
    node settings `settings` to run without credentials, and `jvm_options` beside the usual ones.
    """

    name: str
    version: str
    group: str
    artifact: str
    sha256: str
    bytes: int
    prefix: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    jvm_options: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return name and version as messages show them."""
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> str:
        """Return the name of the unpacked folder, which differs for other content."""
        return f"{self.artifact}-{self.version}-{self.sha256[:8]}"


ELASTICSEARCH = Distribution(
    name="Elasticsearch",
    version="8.19.21",
    group="org.elasticsearch.distribution.integ-test-zip",
    artifact="elasticsearch",
    sha256="215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a",
    bytes=106_871_955,
    prefix="ES",
    settings={"xpack.security.enabled": "false"},
)


def unpacked(
    wanted: Distribution = ELASTICSEARCH,
    *,
    cache: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Path:
    """Return the folder of the unpacked `wanted`, fetching and unpacking it when it is missing.

    `cache` is the user's cache folder by default. CLICKSTREAM_ENGINE_ZIP in `environ` names a
    local copy of the zip, CLICKSTREAM_MAVEN_REPOSITORY the address of a mirror. Raises
    SearchServerError when it cannot be fetched or is not the pinned file.
    """
    cache = cache or user_cache_path("clickstream")
    environ = os.environ if environ is None else environ
    home = cache / "engines" / wanted.folder
    if not home.is_dir():
        with locked(cache / ".lock"):
            if not home.is_dir():
                unpack(_zip(wanted, cache, environ), home)
    return home


def _zip(wanted: Distribution, cache: Path, environ: Mapping[str, str]) -> Path:
    given = environ.get("CLICKSTREAM_ENGINE_ZIP", "").strip()
    if not given:
        return _fetched(wanted, cache / "maven", environ.get("CLICKSTREAM_MAVEN_REPOSITORY"))
    try:
        got = _sha256(Path(given))
    except OSError as error:
        raise SearchServerError(f"CLICKSTREAM_ENGINE_ZIP: {given}: {error.strerror}") from error
    if got != wanted.sha256:
        raise SearchServerError(_not_pinned(wanted, Path(given), got))
    return Path(given)


def _fetched(wanted: Distribution, store: Path, mirror: str | None) -> Path:
    """Return the checked zip. A partial download has its final name too: only the hash tells."""
    for last in (False, True):
        path = _resolve(wanted, store, mirror)
        got = _sha256(path)
        if got == wanted.sha256:
            return path
        if last:
            raise SearchServerError(_not_pinned(wanted, path, got))
        _log.warning("%s is corrupt: fetching it again", path)
        path.unlink()
    raise AssertionError("unreachable")


def trust_the_machine(environ: MutableMapping[str, str]) -> None:
    """Let downloads trust the authorities that the machine trusts, unless others were chosen.

    requests has a list of its own, without the internal authorities that many companies run.
    """
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is not None and Path(bundle).is_file():
        environ.setdefault("REQUESTS_CA_BUNDLE", bundle)


def _resolve(wanted: Distribution, store: Path, mirror: str | None) -> Path:
    trust_the_machine(os.environ)
    remote = {"mirror": mirror} if mirror else None
    context = MavenContext(repo_cache=store, remote_repos=remote, timeout=_ANSWER_SECONDS)
    component = context.project(wanted.group, wanted.artifact).at_version(wanted.version)
    artifact = component.artifact(packaging="zip")
    _log.info("fetching %s (%d MB)", wanted.title, wanted.bytes // 1_000_000)
    try:
        return Path(artifact.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise SearchServerError(
            f"cannot fetch {wanted.title} from Maven Central: {_reason(error)}; check the network "
            "or proxy, or set CLICKSTREAM_ENGINE_ZIP or ES_URL"
        ) from None  # the error's own text holds the repository's address


def _reason(error: Exception) -> str:
    """Return why a download failed, without the address that the error's own text holds."""
    match error:
        case requests.exceptions.SSLError():
            return (
                "its certificate is not trusted (REQUESTS_CA_BUNDLE names the file of trusted "
                "certificates)"
            )
        case requests.exceptions.ProxyError():
            return "the proxy refused the connection"
        case requests.exceptions.Timeout():
            return f"no answer in {_ANSWER_SECONDS} s"
        case requests.exceptions.ChunkedEncodingError():
            return "the connection was interrupted"
        case requests.exceptions.ConnectionError():
            return "no connection"
        case requests.exceptions.RequestException():
            return "the request failed"
        case OSError():
            return error.strerror or type(error).__name__
        case _:
            return "the repository does not serve the file"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _not_pinned(wanted: Distribution, path: Path, got: str) -> str:
    return f"{path} is not the pinned {wanted.title} (SHA-256 {got}, expected {wanted.sha256})"


def unpack(archive: Path, home: Path) -> None:
    """Unpack the zip `archive`, which has one top-level folder, into the new folder `home`.

    `home` appears complete or not at all. Raises SearchServerError when a name leads outside.
    """
    spool = home.parent / f".tmp-{os.getpid()}"
    shutil.rmtree(spool, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as content:
            for member in content.infolist():
                _extract(content, member, spool)
        (top,) = spool.iterdir()
        top.rename(home)
    finally:
        shutil.rmtree(spool, ignore_errors=True)


def _extract(content: zipfile.ZipFile, member: zipfile.ZipInfo, spool: Path) -> None:
    # zipfile would silently turn such names into paths inside the folder.
    if member.filename.startswith(("/", "\\")) or ".." in Path(member.filename).parts:
        raise SearchServerError(f"{content.filename}: refusing to unpack {member.filename!r}")
    path = Path(content.extract(member, spool))
    mode = stat.S_IMODE(member.external_attr >> 16)
    if mode:  # zipfile drops it, so bin/elasticsearch would not be executable
        path.chmod(mode)
