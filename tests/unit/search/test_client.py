"""Which server it is, credentials, and what each answer of a wrong server means to the user."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fixtures.answering_server import AnsweringServer

from ingest.errors import ClickstreamError, SearchServerError, SettingsError
from ingest.search.client import connect, identify
from ingest.search.credentials import public
from ingest.search.refusal import PRIVILEGES, explained
from ingest.settings import AUTO, ELASTICSEARCH, OPENSEARCH

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors name the variables of the process."""
    for name in ("ES_API_KEY", "ES_API_KEY_SECRET", "ES_USER", "ES_PASSWORD", "ES_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(answering_server: AnsweringServer) -> AnsweringServer:
    return answering_server


def ask(
    url: str, environ: Mapping[str, str] | None = None, *, product: str = AUTO
) -> tuple[str, str, str]:
    with explained(url), connect(url, product=product, environ=environ or {}) as client:
        target = identify(client, "events")
    return target.name, target.product, target.version


UUID_ANSWER = {"/_cluster/state/metadata": (200, {"cluster_uuid": "abc"})}


def test_a_server_is_known_by_its_cluster(server: AnsweringServer) -> None:
    server.answers = UUID_ANSWER | {"/": (200, {"version": {"number": "9.5.3"}})}
    # The first 12 hexadecimal digits of the SHA-256 of "abc".
    assert ask(server.url) == ("events-ba7816bf8f01", "elasticsearch", "9.5.3")
    # A later server answers as this client's version expects only to that version's media type.
    assert server.received[-1]["accept"] == "application/vnd.elasticsearch+json; compatible-with=8"


def test_the_local_distribution_has_no_root(server: AnsweringServer) -> None:
    nodes = {"nodes": {"x": {"version": "8.19.21"}}}
    server.answers = UUID_ANSWER | {"/": (405, {}), "/_nodes": (200, nodes)}
    assert ask(server.url) == ("events-ba7816bf8f01", "elasticsearch", "8.19.21")


def opensearch(server: AnsweringServer, number: str = "2.19.6") -> str:
    server.headers = {}
    version = {"distribution": "opensearch", "number": number}
    server.answers = UUID_ANSWER | {"/": (200, {"version": version})}
    return server.url


@pytest.mark.parametrize("product", [AUTO, OPENSEARCH])
def test_opensearch_is_asked_in_media_types_that_it_knows(
    server: AnsweringServer, product: str
) -> None:
    found = ask(opensearch(server), product=product)
    assert found == ("events-ba7816bf8f01", "opensearch", "2.19.6")
    assert server.headers_received("accept") == {"application/json"}


def test_opensearch_where_the_setting_says_elasticsearch(server: AnsweringServer) -> None:
    with pytest.raises(SettingsError, match=r"for OpenSearch set search\.product to auto or"):
        ask(opensearch(server), product=ELASTICSEARCH)


def test_an_old_server_is_refused(server: AnsweringServer) -> None:
    server.answers = {"/": (200, {"version": {"number": "8.8.2"}})}
    with pytest.raises(SettingsError, match=r"^Elasticsearch 8\.8\.2 is not supported; 8\.9 or "):
        ask(server.url)
    with pytest.raises(SettingsError, match=r"^OpenSearch 2\.6\.0 is not supported; 2\.7 or later"):
        ask(opensearch(server, "2.6.0"))


@pytest.mark.parametrize(
    "answers",
    [
        {"/": (200, {"version": {"number": "8.x"}})} | UUID_ANSWER,
        {"/": (200, {"version": {"number": "9.5.3"}}), "/_cluster/state/metadata": (200, {})},
        {"/": (200, {}), "/_nodes": (200, {})} | UUID_ANSWER,
        {"/": (200, {}), "/_nodes": (200, {"nodes": None})} | UUID_ANSWER,
    ],
)
def test_answers_that_no_server_gives_are_told(
    server: AnsweringServer, answers: dict[str, tuple[int, object]]
) -> None:
    server.answers = answers
    with pytest.raises(SearchServerError, match=r"no Elasticsearch or OpenSearch, or something"):
        ask(server.url)


BLOCKED = {"error": {"type": "cluster_block_exception", "index": "events"}}
# As Elasticsearch and OpenSearch answer to a bulk request, and to making or changing an index.
_READ_ONLY = "blocked by: [FORBIDDEN/6/cluster read-only (api)];"
CLUSTER_BLOCKED, MAKING_BLOCKED, WRITING_BLOCKED = (
    {"error": {"type": "cluster_block_exception", "reason": reason}}
    for reason in (
        _READ_ONLY,
        f"index [events] {_READ_ONLY}",
        "index [events] blocked by: [FORBIDDEN/8/index write (api)];",
    )
)
REFUSALS = [
    (401, {"error": {"type": "security_exception"}}, SettingsError, "requires credentials: set ES"),
    (403, {"error": {"type": "security_exception"}}, SettingsError, "lacks a privilege"),
    # OpenSearch, its security plugin, and Amazon's domains before it.
    (401, "Unauthorized", SettingsError, "requires credentials: set ES"),
    (403, "Forbidden", SettingsError, "refuses the request, because the key or user lacks a priv"),
    (403, {"Message": "anonymous"}, SettingsError, "lacks a privilege"),
    (403, {"error": "no permissions for [x:y]"}, SettingsError, "refuses x:y, because the key"),
    (403, BLOCKED, SearchServerError, "^index events is blocked for writing"),
    (403, WRITING_BLOCKED, SearchServerError, "^index events is blocked for writing"),
    (403, CLUSTER_BLOCKED, SearchServerError, r"^the cluster of 127.*:\d+ is blocked for writing"),
    (403, MAKING_BLOCKED, SearchServerError, r"^the cluster of 127.*:\d+ is blocked for writing"),
    (400, {"error": {"type": "media_type_header_exception"}}, SettingsError, "elasticsearch 8.19"),
    (500, {"error": {"type": "broken"}}, SearchServerError, "500 broken"),
    (200, b"<html>", SearchServerError, "is it Elasticsearch or OpenSearch"),
]


NO_INDEX = {"error": {"type": "index_not_found_exception", "index": "events"}}
INCORRECT = {"error": "Incorrect HTTP method for uri [/a/b] and method [GET], allowed: [POST]"}
NO_HANDLER = {"error": "no handler found for uri [/a/b/] and method [GET]"}


@pytest.mark.parametrize(
    "answers",
    [
        {"/events/": (404, NO_INDEX)},
        {"/events/": (200, {"events": {"mappings": {}}})},
        {"/events/": (200, "=^.^=")},
        {"/events/": (200, b"<html>")},
        {"/events/": (302, "moved")},
        {"/events/": (400, NO_HANDLER)},
        {"/events/": (405, INCORRECT), "/events/_nodes": (400, NO_HANDLER)},
    ],
)
def test_a_path_that_leads_to_no_server_is_named(
    server: AnsweringServer, answers: dict[str, tuple[int, object]]
) -> None:
    server.answers = answers
    message = (
        f"no search server at the path /events of 127.0.0.1:{server.port}; leave out the path, "
        "unless it is that of a proxy (ES_INDEX names the index)"
    )
    with pytest.raises(SettingsError, match=re.escape(message)):
        ask(server.url + "/events")


def test_the_path_of_a_proxy(server: AnsweringServer) -> None:
    root = (200, {"version": {"number": "8.19.0"}})
    server.answers = {"/es/": root, **{f"/es{path}": how for path, how in UUID_ANSWER.items()}}
    assert ask(server.url + "/es")[2] == ask(server.url + "/es/")[2] == "8.19.0"
    media = {"error": {"type": "media_type_header_exception"}}
    for answer, message in (((401, {}), "requires credentials"), ((400, media), "install elastic")):
        server.answers["/es/"] = answer
        with pytest.raises(SettingsError, match=message):
            ask(server.url + "/es")


@pytest.mark.parametrize(("status", "content", "kind", "message"), REFUSALS)
def test_refusals(
    server: AnsweringServer,
    status: int,
    content: object,
    kind: type[ClickstreamError],
    message: str,
) -> None:
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
    server: AnsweringServer, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], named: str
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    server.answers = {"/": (401, {"error": {"type": "security_exception"}})}
    with pytest.raises(SettingsError, match=rf"does not accept the credentials in {named}$"):
        ask(server.url, environ)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (
            "action [indices:admin/create] is unauthorized for API key id [x] of user [u] on "
            "indices [events], this action is granted by the index privileges "
            "[create_index,manage,all]",
            "refuses indices:admin/create on events, because the key or user lacks the privilege "
            "`create_index`: docs/operations/search.md",
        ),
        (
            "action [indices:data/write/bulk[s]] is unauthorized for user [u] on indices [events], "
            "this action is granted by the index privileges [create_doc,create,index,write,all]",
            "refuses indices:data/write/bulk on events, because the key or user lacks the "
            "privilege `write`:",
        ),
        (
            "no permissions for [cluster:monitor/state] and User [name=u, backend_roles=[]]",
            "refuses cluster:monitor/state, because the key or user lacks a privilege:",
        ),
    ],
)
def test_a_missing_privilege_is_named(server: AnsweringServer, reason: str, message: str) -> None:
    error = {"type": "security_exception", "reason": reason, "planted": "secret"}
    server.answers = {"/": (403, {"error": error, "status": 403})}
    with pytest.raises(SettingsError, match=re.escape(message)) as raised:
        ask(server.url)
    assert "secret" not in str(raised.value)


def privileges(value: Any) -> set[str]:
    """Return all privileges in the JSON of a role, however deep."""
    if isinstance(value, list):
        return set().union(*map(privileges, value))
    if not isinstance(value, dict):
        return set()
    here = {name for key in ("cluster", "privileges") for name in value.get(key, [])}
    return here.union(*map(privileges, value.values()))


def test_the_roles_in_the_documentation_are_those_that_errors_name() -> None:
    page = (ROOT / "docs/operations/search.md").read_text()
    roles = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert set().union(*(privileges(json.loads(role)) for role in roles)) == PRIVILEGES


def test_another_product_is_refused(server: AnsweringServer) -> None:
    server.headers = {}
    server.answers = {"/": (200, {"version": {"number": "2.19.6"}})}
    with pytest.raises(SettingsError, match="is not Elasticsearch: check ES_URL"):
        ask(server.url)


def test_where_nothing_listens(server: AnsweringServer) -> None:
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


def test_tls_to_a_server_that_speaks_none(server: AnsweringServer) -> None:
    url = server.url.replace("http:", "https:")
    with pytest.raises(SettingsError, match=r"does not speak TLS: begin ES_URL with http://$"):
        ask(url)


def fingerprint(certificates: Path, name: str) -> str:
    der = ssl.PEM_cert_to_DER_cert((certificates / f"{name}.pem").read_text())
    return hashlib.sha256(der).hexdigest()


def test_certificates_and_fingerprints(tls_server: AnsweringServer, certificates: Path) -> None:
    tls_server.answers = UUID_ANSWER | {"/": (200, {"version": {"number": "8.19.0"}})}
    key = {"ES_API_KEY": "a2V5"}
    own, other = (fingerprint(certificates, name) for name in ("own", "other"))
    with_colons = ":".join(own.upper()[i : i + 2] for i in range(0, 64, 2))
    for trust in (
        {"ES_CA_CERTS": str(certificates / "own.pem")},
        {"ES_SSL_FINGERPRINT": own},
        {"ES_SSL_FINGERPRINT": with_colons},
    ):
        assert ask(tls_server.url, key | trust)[2] == "8.19.0"
    assert tls_server.headers_received("authorization") == {"ApiKey a2V5"}

    tls_server.received.clear()
    for distrust in (
        {},
        {"ES_CA_CERTS": str(certificates / "other.pem")},
        {"ES_SSL_FINGERPRINT": other},
    ):
        with pytest.raises(SettingsError, match=r"certificate of .* is not trusted: set ES_CA_CER"):
            ask(tls_server.url, key | distrust)
    assert tls_server.received == []  # the key was told to nobody


def test_tls_where_the_address_begins_with_http(tls_server: AnsweringServer) -> None:
    with pytest.raises(SearchServerError, match=r"if it speaks TLS, begin ES_URL with https://$"):
        ask(tls_server.url.replace("https:", "http:"))


@pytest.mark.parametrize(("status", "content", "kind", "message"), REFUSALS)
def test_refusals_over_tls(
    tls_server: AnsweringServer,
    certificates: Path,
    status: int,
    content: object,
    kind: type[ClickstreamError],
    message: str,
) -> None:
    tls_server.answers = {"/": (status, content)}
    with pytest.raises(kind, match=message):
        ask(tls_server.url, {"ES_CA_CERTS": str(certificates / "own.pem")})


def test_another_product_behind_tls(tls_server: AnsweringServer, certificates: Path) -> None:
    tls_server.headers = {}
    tls_server.answers = {"/": (200, {"version": {"number": "1.0"}})}
    with pytest.raises(SettingsError, match="is not Elasticsearch: check ES_URL"):
        ask(tls_server.url, {"ES_SSL_FINGERPRINT": fingerprint(certificates, "own")})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({}, None),
        ({"ES_API_KEY": "a2V5"}, "ApiKey a2V5"),
        ({"ES_API_KEY": "a2V5\r\n"}, "ApiKey a2V5"),
        ({"ES_USER": "u", "ES_PASSWORD": "p:w"}, basic("u", "p:w")),
        ({"ES_USER": "\u00fc", "ES_PASSWORD": "p\u20ac"}, basic("\u00fc", "p\u20ac")),
        ({"ES_URL": "http://u:p%40w@127.0.0.1:1"}, basic("u", "p@w")),
        ({"ES_URL": "http://u:p@elsewhere.example"}, None),
    ],
)
def test_credentials_come_from_the_environment(
    server: AnsweringServer, environ: dict[str, str], sent: str | None
) -> None:
    server.answers = UUID_ANSWER | {"/": (200, {"version": {"number": "8.19.0"}})}
    ask(server.url, environ)
    assert server.headers_received("authorization") == {sent}


@pytest.mark.parametrize(
    ("url", "environ", "message"),
    [
        ("http://u:secret@127.0.0.1:1", {}, "put the password into ES_URL"),
        ("http://search.example", {"ES_API_KEY": "secret"}, "unencrypted"),
        ("http://127.0.0.1:1", {"ES_API_KEY": "secret\nsecret"}, "not a key"),
        ("http://127.0.0.1:1", {"ES_API_KEY": "secret\u20ac"}, "not a key"),
        ("http://127.0.0.1:1", {"ES_USER": "u"}, "belong together"),
        ("http://search.example", {"ES_API_KEY_SECRET": "secret"}, "unencrypted"),
        ("https://127.0.0.1:1", {"ES_CA_CERTS": "/none"}, "ES_CA_CERTS: /none cannot be read"),
        ("https://127.0.0.1:1", {"ES_CA_CERTS": __file__}, "holds no certificate in PEM form"),
        ("https://127.0.0.1:1", {"ES_SSL_FINGERPRINT": "ab:cd"}, "64 hexadecimal digits"),
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
