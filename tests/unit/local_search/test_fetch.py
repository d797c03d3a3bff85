"""The pinned zip: checked before it is unpacked, complete or not there, nothing outside."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from pathlib import Path

import pytest
import requests
from jgo.maven import MavenContext

from ingest.errors import SearchServerError
from ingest.local_search.fetch import Distribution, trust_the_machine, unpack, unpacked

ADDRESS = "https://mirror.example/maven"


def make_zip(path: Path, members: dict[str, tuple[str, int]]) -> Path:
    with zipfile.ZipFile(path, "w") as content:
        for name, (text, mode) in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            content.writestr(member, text)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_zip(
        tmp_path / "server.zip",
        {
            "server-1/bin/start": ("#!/bin/sh\n", 0o100755),
            "server-1/lib/server.jar": ("jar", 0o100644),
        },
    )


def pinned(archive: Path) -> Distribution:
    return Distribution(
        name="Server",
        version="1",
        group="org.example",
        artifact="server",
        sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
        bytes=archive.stat().st_size,
    )


def test_unpacks_once_and_keeps_files_executable(archive: Path, tmp_path: Path) -> None:
    wanted = pinned(archive)
    environ = {"CLICKSTREAM_ENGINE_ZIP": str(archive)}
    home = unpacked(wanted, cache=tmp_path / "cache", environ=environ)
    assert home.name == f"server-1-{wanted.sha256[:8]}"
    assert (home / "lib/server.jar").read_text() == "jar"
    assert os.access(home / "bin/start", os.X_OK)
    assert stat.S_IMODE((home / "lib/server.jar").stat().st_mode) == 0o644
    assert [path.name for path in home.parent.iterdir()] == [home.name]
    archive.unlink()
    assert unpacked(wanted, cache=tmp_path / "cache", environ=environ) == home


def test_another_file_is_refused_and_kept(archive: Path, tmp_path: Path) -> None:
    wanted = pinned(archive)
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(SearchServerError, match="is not the pinned Server 1 ") as raised:
        unpacked(wanted, cache=tmp_path, environ={"CLICKSTREAM_ENGINE_ZIP": str(archive)})
    assert wanted.sha256 in str(raised.value)
    assert archive.exists()


def test_a_missing_copy_is_named(tmp_path: Path, archive: Path) -> None:
    environ = {"CLICKSTREAM_ENGINE_ZIP": str(tmp_path / "none.zip")}
    with pytest.raises(SearchServerError, match=r"CLICKSTREAM_ENGINE_ZIP: .*none\.zip"):
        unpacked(pinned(archive), cache=tmp_path, environ=environ)


@pytest.mark.parametrize("name", ["../outside", "server-1/../../outside", "/outside"])
def test_a_name_that_leads_outside_is_refused(tmp_path: Path, name: str) -> None:
    evil = make_zip(tmp_path / "evil.zip", {name: ("x", 0o100644)})
    with pytest.raises(SearchServerError, match="refusing to unpack"):
        unpack(evil, tmp_path / "engines" / "home")
    assert list((tmp_path / "engines").glob("*")) == []
    assert not (tmp_path / "outside").exists()


class Repository:
    """Replaces the download; each call writes the next content, as jgo does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *contents: bytes | Exception) -> None:
        self.contents = list(contents)
        self.mirrors: list[str] = []
        monkeypatch.setattr("jgo.maven._resolver.PythonResolver.download", self._download)

    def _download(self, artifact: object) -> Path:
        context: MavenContext = artifact.context  # type: ignore[attr-defined]
        self.mirrors += context.remote_repos.values()
        content = self.contents.pop(0)
        if isinstance(content, Exception):
            raise content
        path: Path = artifact.cached_path  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


def test_a_partial_download_is_fetched_again(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = archive.read_bytes()
    repository = Repository(monkeypatch, whole[:100], whole)
    environ = {"CLICKSTREAM_MAVEN_REPOSITORY": ADDRESS}
    home = unpacked(pinned(archive), cache=tmp_path / "cache", environ=environ)
    assert (home / "lib/server.jar").is_file()
    assert repository.mirrors == [ADDRESS, ADDRESS]


def test_a_file_that_is_wrong_twice_stops(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository(monkeypatch, b"wrong", b"wrong again")
    with pytest.raises(SearchServerError, match="is not the pinned Server 1"):
        unpacked(pinned(archive), cache=tmp_path / "cache", environ={})


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (requests.exceptions.SSLError(ADDRESS), "certificate is not trusted"),
        (requests.exceptions.ProxyError(ADDRESS), "the proxy refused the connection"),
        (requests.exceptions.ReadTimeout(ADDRESS), "no answer in 60 s"),
        (requests.exceptions.ConnectionError(ADDRESS), "no connection"),
        (requests.exceptions.ChunkedEncodingError(ADDRESS), "the connection was interrupted"),
        (requests.exceptions.InvalidURL(ADDRESS), "the request failed"),
        (RuntimeError(f"not found in {ADDRESS}"), "the repository does not serve the file"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_a_failed_download_tells_why_but_no_address(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, reason: str
) -> None:
    Repository(monkeypatch, fault)
    with pytest.raises(
        SearchServerError, match="cannot fetch Server 1 from Maven Central"
    ) as raised:
        unpacked(pinned(archive), cache=tmp_path / "cache", environ={})
    assert reason in str(raised.value)
    assert "CLICKSTREAM_ENGINE_ZIP or ES_URL" in str(raised.value)
    assert "mirror.example" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_downloads_trust_what_the_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "authorities.pem"
    bundle.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    chosen = {"REQUESTS_CA_BUNDLE": "mine"}
    nothing: dict[str, str] = {}
    trust_the_machine(chosen)
    trust_the_machine(nothing)
    assert chosen == {"REQUESTS_CA_BUNDLE": "mine"}
    assert nothing == {"REQUESTS_CA_BUNDLE": str(bundle)}
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    nothing.clear()
    trust_the_machine(nothing)
    assert nothing == {}
