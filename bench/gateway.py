"""A real S3 server over a folder: versitygw, fetched with Go once and kept in the user's cache."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from ingest.poll import poll

_VERSION = "v1.8.0"
_MODULE = f"github.com/versity/versitygw/cmd/versitygw@{_VERSION}"
_GO_PLACES = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/go/bin"))
_BUILD_SECONDS = 900
_START_SECONDS = 30
_STOP_SECONDS = 10
_REGION = "us-east-1"  # what versitygw answers for unless it is told otherwise


class GatewayMissing(Exception):
    """There is no versitygw, and it could not be built or started; one sentence says why."""


@contextmanager
def gateway(folder: Path) -> Iterator[dict[str, str]]:
    """Serve `folder`: each folder in it is a bucket. Yield the environment in which boto3 finds it.

    The keys are AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and
    AWS_DEFAULT_REGION; the server answers by then. The folder needs extended attributes, where
    versitygw keeps etags. Raises GatewayMissing.
    """
    program, port = versitygw(), _free_port()
    access, secret = "bench", secrets.token_hex(16)
    command = [str(program), "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(folder)]
    keys = {"ROOT_ACCESS_KEY": access, "ROOT_SECRET_KEY": secret}
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(command, env=os.environ | keys, stdout=said, stderr=said)
        try:
            url = f"http://127.0.0.1:{port}"
            if not _answers(url, server):
                said.seek(0)
                why = _last_line(said.read().decode(errors="replace"))
                raise GatewayMissing(f"{program} did not start: {why}")
            yield {
                "AWS_ENDPOINT_URL_S3": url,
                "AWS_ACCESS_KEY_ID": access,
                "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_REGION": _REGION,
                "AWS_DEFAULT_REGION": _REGION,  # the one that boto3 reads
            }
        finally:
            _stop(server)


def versitygw() -> Path:
    """Return the program: the one on PATH, or one built by Go into the user's cache folder.

    Raises GatewayMissing.
    """
    if found := shutil.which("versitygw"):
        return Path(found)
    folder = user_cache_path("clickstream") / "versitygw" / _VERSION
    program = folder / "versitygw"
    if program.is_file():
        return program
    go = shutil.which("go", path=_GO_PLACES)
    if go is None:
        raise GatewayMissing("there is neither versitygw nor Go on PATH: install Go to build it")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        _build(go, Path(work)).replace(program)
    return program


def _build(go: str, folder: Path) -> Path:
    """Return the program, built in `folder` beside what Go fetches for it: 770 MB."""
    places = {"GOPATH": folder, "GOCACHE": folder / "cache", "GOBIN": folder / "bin"}
    try:
        subprocess.run(
            [go, "install", _MODULE],
            # Go write-protects what it has fetched, unless it is told not to.
            env=os.environ | {"GOFLAGS": "-modcacherw"} | {k: str(v) for k, v in places.items()},
            capture_output=True,
            text=True,
            check=True,
            timeout=_BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise GatewayMissing(f"go install {_MODULE} took over {_BUILD_SECONDS} s") from error
    except subprocess.CalledProcessError as error:
        raise GatewayMissing(f"go install {_MODULE} failed: {_last_line(error.stderr)}") from error
    return folder / "bin" / "versitygw"


def _last_line(text: str) -> str:
    return next(reversed(text.strip().splitlines()), "no reason given")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Return whether the server answers before the deadline, and before it ends by itself."""

    def state() -> bool | None:
        if server.poll() is not None:
            return False
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - http to ourselves
        except urllib.error.HTTPError as refusal:  # unsigned requests are refused: it is there
            refusal.close()
        except OSError:
            return None
        return True

    final = poll(
        state, lambda seen: seen is not None, delay_seconds=0.05, deadline_seconds=_START_SECONDS
    )
    return final is True


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
