"""Credentials, and what each answer of a wrong server means to the user."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ingest.errors import ClickstreamError, SearchServerError, SettingsError
from ingest.search.client import connect, explained, identify, public

ELASTIC = {"X-Elastic-Product": "Elasticsearch"}


class Server:
    """Answers every request of a path with what `answers` holds; keeps what was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {}
        self.headers: Mapping[str, str] = ELASTIC
        self.authorization: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.authorization.append(self.headers["authorization"])
                status, content = server.answers.get(self.path.split("?")[0], (404, {}))
                raw = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port
        self.url = f"http://127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = threading.Thread(target=found.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.http.shutdown()
    found.http.server_close()
    thread.join()


def ask(url: str, environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    with explained(url), connect(url, environ=environ or {}) as client:
        target = identify(client, "events")
    return target.name, target.version


UUID_ANSWER = {"/_cluster/state/metadata": (200, {"cluster_uuid": "abc"})}


def test_a_server_is_known_by_its_cluster(server: Server) -> None:
    server.answers = UUID_ANSWER | {"/": (200, {"version": {"number": "9.5.3"}})}
    # The first 12 hexadecimal digits of the SHA-256 of "abc".
    assert ask(server.url) == ("events-ba7816bf8f01", "9.5.3")


def test_the_local_distribution_has_no_root(server: Server) -> None:
    nodes = {"nodes": {"x": {"version": "8.19.21"}}}
    server.answers = UUID_ANSWER | {"/": (405, {}), "/_nodes": (200, nodes)}
    assert ask(server.url) == ("events-ba7816bf8f01", "8.19.21")


def test_an_old_server_is_refused(server: Server) -> None:
    server.answers = {"/": (200, {"version": {"number": "8.8.2"}})}
    with pytest.raises(SettingsError, match=r"8\.8\.2 is not supported; 8\.9 or later is required"):
        ask(server.url)


@pytest.mark.parametrize(
    ("status", "content", "kind", "message"),
    [
        (401, {"error": {"type": "security_exception"}}, SettingsError, "ES_API_KEY"),
        (403, {"error": {"type": "security_exception"}}, SettingsError, "privilege"),
        (400, {"error": {"type": "media_type_header_exception"}}, SettingsError, "8.19"),
        (500, {"error": {"type": "broken"}}, SearchServerError, "500 broken"),
        (200, b"<html>", SearchServerError, "is it Elasticsearch"),
    ],
)
def test_refusals(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    content: object,
    kind: type[ClickstreamError],
    message: str,
) -> None:
    for name in ("ES_API_KEY", "ES_USER", "ES_PASSWORD", "ES_URL"):
        monkeypatch.delenv(name, raising=False)
    server.answers = {"/": (status, content)}
    with pytest.raises(kind, match=message):
        ask(server.url)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"ES_API_KEY": "a2V5"}, "ES_API_KEY"),
        ({"ES_USER": "u", "ES_PASSWORD": "p"}, "ES_USER and ES_PASSWORD"),
        ({"ES_URL": "http://u:p@127.0.0.1:1"}, "ES_URL"),
    ],
)
def test_refused_credentials_are_named(
    server: Server, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], named: str
) -> None:
    for name in ("ES_API_KEY", "ES_USER", "ES_PASSWORD", "ES_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    server.answers = {"/": (401, {"error": {"type": "security_exception"}})}
    with pytest.raises(SettingsError, match=rf"does not accept the credentials in {named}$"):
        ask(server.url, environ)


def test_another_product_is_refused(server: Server) -> None:
    server.headers = {}
    server.answers = {"/": (200, {"version": {"number": "2.19.6"}})}
    with pytest.raises(SettingsError, match="is not Elasticsearch: check ES_URL"):
        ask(server.url)


def test_where_nothing_listens(server: Server) -> None:
    url = server.url
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(
        SearchServerError, match=rf"nothing is listening on 127\.0\.0\.1:{server.port}"
    ):
        ask(url)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(SearchServerError, match=r"the name none\.invalid cannot be resolved"):
        ask("http://none.invalid")


def test_tls_to_a_server_that_speaks_none(server: Server) -> None:
    url = server.url.replace("http:", "https:")
    with pytest.raises(SettingsError, match=r"does not speak TLS: begin ES_URL with http://$"):
        ask(url)


@pytest.fixture
def tls_server(server: Server, tmp_path: Path) -> Server:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    subprocess.run(
        [*request.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.http.handle_error = lambda *_: None  # type: ignore[method-assign]
    return server


def test_a_server_that_speaks_tls(tls_server: Server) -> None:
    with pytest.raises(SearchServerError, match=r"if it speaks TLS, begin ES_URL with https://$"):
        ask(tls_server.url)
    url = tls_server.url.replace("http:", "https:")
    for environ in ({}, {"ES_SSL_FINGERPRINT": "0" * 64}):
        with pytest.raises(SettingsError, match=r"the certificate of .* is not trusted"):
            ask(url, environ)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({}, None),
        ({"ES_API_KEY": "a2V5"}, "ApiKey a2V5"),
        ({"ES_USER": "u", "ES_PASSWORD": "p:w"}, basic("u", "p:w")),
        ({"ES_URL": "http://u:p%40w@127.0.0.1:1"}, basic("u", "p@w")),
        ({"ES_URL": "http://u:p@elsewhere.example"}, None),
    ],
)
def test_credentials_come_from_the_environment(
    server: Server, environ: dict[str, str], sent: str | None
) -> None:
    server.answers = UUID_ANSWER | {"/": (200, {"version": {"number": "8.19.0"}})}
    ask(server.url, environ)
    assert set(server.authorization) == {sent}


@pytest.mark.parametrize(
    ("url", "environ", "message"),
    [
        ("http://u:secret@127.0.0.1:1", {}, "put the password into ES_URL"),
        ("http://search.example", {"ES_API_KEY": "secret"}, "unencrypted"),
        ("http://127.0.0.1:1", {"ES_USER": "u"}, "belong together"),
        ("https://127.0.0.1:1", {"ES_CA_CERTS": "/none"}, "ES_CA_CERTS: /none cannot be read"),
    ],
)
def test_credentials_that_would_leak_or_fail(
    url: str, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        connect(url, environ=environ)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u:p%40@search.example:9243/x", "https://search.example:9243/x"),
        ("http://[::1]:9200", "http://[::1]:9200"),
        ("http://localhost", "http://localhost:9200"),
        ("https://search.example", "https://search.example:443"),
    ],
)
def test_the_public_address_has_a_port_and_no_password(url: str, expected: str) -> None:
    assert public(url) == expected


@pytest.mark.parametrize("port", ["x", "0x1", "65536", "-1"])
def test_a_wrong_port_is_a_wrong_setting(port: str) -> None:
    with pytest.raises(SettingsError, match="port"):
        connect(f"http://127.0.0.1:{port}", environ={})
