"""The one place that makes a client of the search server, and says what its errors mean.

Credentials come from the environment of the process that connects: ES_API_KEY, or ES_USER and
ES_PASSWORD, or those written into ES_URL; ES_CA_CERTS or ES_SSL_FINGERPRINT for the certificate.
No settings, task, message or log contains them.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from elastic_transport import ConnectionError as Unreachable
from elastic_transport import ConnectionTimeout, TlsError, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError

from ingest.errors import ClickstreamError, SearchServerError, SettingsError
from ingest.search.outcome import STOPPING

ANSWER_SECONDS = 60
_OLDEST = (8, 9)
# What OpenSSL and urllib3 say of a server without TLS, and of a certificate.
_PLAIN = re.compile("wrong.version.number|http.request|record.layer", re.IGNORECASE)
_CERTIFICATE = re.compile("certificate|fingerprint", re.IGNORECASE)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An index on one cluster. `name` is the folder of its seals in the lake."""

    name: str
    cluster_uuid: str
    product: str
    version: str
    index: str


def public(url: str) -> str:
    """Return `url` without user and password, and with a port.

    The default port is 443 for https, else 9200. Raises SettingsError for an invalid one.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 9200)
    except ValueError:
        raise SettingsError(
            "ES_URL / search.url: the port is not a number from 1 to 65535"
        ) from None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return parts._replace(netloc=f"{host}:{port}").geturl()


def connect(
    url: str,
    *,
    retries: int = 0,
    seconds: float = ANSWER_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> Elasticsearch:
    """Return a client of `url`; nothing is sent yet, and the caller closes it.

    `retries` are the client's own, for requests that may be repeated; the bulk loop has its own
    rules. An answer has to come within `seconds`. Raises SettingsError for credentials that are
    misplaced, incomplete or would be sent unencrypted.
    """
    environ = os.environ if environ is None else environ
    parts = urlsplit(url)
    if "@" in parts.netloc and environ.get("ES_URL", "").strip() != url:
        raise SettingsError(
            "put the password into ES_URL or ES_PASSWORD, not into clickstream.toml"
        )
    options = _credentials(environ, parts) | _certificate(environ, parts)
    return Elasticsearch(
        public(url),
        max_retries=retries,
        retry_on_timeout=retries > 0,
        request_timeout=seconds,
        http_compress=False,
        **options,
    )


def _credentials(environ: Mapping[str, str], parts: SplitResult) -> dict[str, Any]:
    options: dict[str, Any] = {}
    user, password = environ.get("ES_USER"), environ.get("ES_PASSWORD")
    written = urlsplit(environ.get("ES_URL", ""))
    if environ.get("ES_API_KEY"):
        options["api_key"] = environ["ES_API_KEY"]
    elif user and password:
        options["basic_auth"] = (user, password)
    elif user or password:
        raise SettingsError("ES_USER and ES_PASSWORD belong together: set both, or ES_API_KEY")
    elif written.hostname == parts.hostname and written.username and written.password:
        options["basic_auth"] = (unquote(written.username), unquote(written.password))
    if options and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise SettingsError(
            f"credentials for {parts.hostname} would be sent unencrypted: use https in ES_URL"
        )
    return options


def _certificate(environ: Mapping[str, str], parts: SplitResult) -> dict[str, Any]:
    if parts.scheme != "https":
        return {}
    if environ.get("ES_SSL_FINGERPRINT"):
        # The fingerprint identifies one certificate, so neither chain nor name need checking.
        return {
            "ssl_assert_fingerprint": environ["ES_SSL_FINGERPRINT"],
            "verify_certs": False,
            "ssl_show_warn": False,
        }
    path = environ.get("ES_CA_CERTS")
    if path and not os.access(path, os.R_OK):
        raise SettingsError(f"ES_CA_CERTS: {path} cannot be read")
    return {"ca_certs": path} if path else {}


def identify(client: Elasticsearch, index: str) -> Target:
    """Return which cluster `client` talks to; its seals are under that name in the lake.

    Raises SettingsError for a server older than 8.9.
    """
    version = _version(client)
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        raise SettingsError(f"Elasticsearch {version} is not supported; 8.9 or later is required")
    state = client.cluster.state(metric="metadata", filter_path="cluster_uuid")
    uuid = str(state["cluster_uuid"])
    digest = hashlib.sha256(uuid.encode()).hexdigest()[:12]
    return Target(
        name=f"{index}-{digest}",
        cluster_uuid=uuid,
        product="elasticsearch",
        version=version,
        index=index,
    )


def _version(client: Elasticsearch) -> str:
    try:
        return str(client.info()["version"]["number"])
    except ApiError as error:
        if error.status_code != 405:
            raise
    # The distribution of the local search server has no handler for `GET /`.
    nodes = client.nodes.info(filter_path="nodes.*.version")["nodes"]
    return min(str(node["version"]) for node in nodes.values())


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn the client's errors inside the block into ours, each with a remedy."""
    try:
        yield
    except (ApiError, TransportError) as error:
        raise explain(error, url) from None  # its own text may contain log content


def explain(error: ApiError | TransportError, url: str) -> ClickstreamError:
    """Return what `error` of the server at `url` means to the user."""
    place = urlsplit(public(url)).netloc
    match error:
        case TlsError() if _PLAIN.search(error.message):
            return SettingsError(f"{place} does not speak TLS: begin ES_URL with http://")
        case TlsError() if not _CERTIFICATE.search(error.message):
            return SearchServerError(
                f"TLS with {place} failed ({error.message}): check ES_URL and the server"
            )
        case TlsError():
            return SettingsError(
                f"the certificate of {place} is not trusted: set ES_CA_CERTS (a file) or "
                "ES_SSL_FINGERPRINT (SHA-256)"
            )
        case Unreachable():
            return _unreachable(error, url)
        case ConnectionTimeout():
            return SearchServerError(f"{place} did not answer in time: is it overloaded?")
        case TransportError():
            return SearchServerError(
                f"{place} sent an answer that cannot be read: is it Elasticsearch?"
            )
        case UnsupportedProductError():
            return SettingsError(f"{place} answers, but is not Elasticsearch: check ES_URL")
        case _:
            return _refused(error, place)


def _unreachable(error: Unreachable, url: str) -> ClickstreamError:
    parts = urlsplit(public(url))
    match error.__cause__:
        case NameResolutionError():
            why = f"the name {parts.hostname} cannot be resolved: check ES_URL and the network"
        case NewConnectionError() if "refused" in error.message:
            why = (
                f"nothing is listening on {parts.netloc}: run `clickstream search up`, or check"
                " ES_URL"
            )
        case ProtocolError() if parts.scheme == "http":
            why = (
                f"{parts.netloc} closed the connection without an answer: if it speaks TLS, begin"
                " ES_URL with https://"
            )
        case _:
            why = f"{parts.netloc} cannot be reached: check ES_URL and the network"
    return SearchServerError(why)


def _refused(error: ApiError, place: str) -> ClickstreamError:
    kind = error_type(error)
    if error.status_code == 401:
        return SettingsError(f"{place} {_unauthorised(os.environ)}")
    if error.status_code == 403 and kind == "security_exception":
        return SettingsError(
            f"{place} refuses the request, because the key or user lacks a privilege: grant "
            "`monitor` and `manage_index_templates` on the cluster, and `create_index`, `manage`, "
            "`read` and `write` on the index"
        )
    if kind == "media_type_header_exception":
        return SettingsError(f"{place} does not support this client: install elasticsearch 8.19.x")
    if remedy := STOPPING.get((error.status_code, kind)):
        return SearchServerError(f"index {_index(error)} {remedy}")
    return SearchServerError(f"{place} refuses the request: {error.status_code} {kind}")


def _index(error: ApiError) -> str:
    inner = error.body["error"]
    return str(inner.get("index") or ", ".join(inner.get("resource.id", ())))


def _unauthorised(environ: Mapping[str, str]) -> str:
    """Return what a server says about the credentials of `environ` when it does not let us in."""
    for name in ("ES_API_KEY", "ES_USER"):
        if environ.get(name):
            used = "ES_USER and ES_PASSWORD" if name == "ES_USER" else name
            return f"does not accept the credentials in {used}"
    if "@" in environ.get("ES_URL", ""):
        return "does not accept the credentials in ES_URL"
    return "requires credentials: set ES_API_KEY, or ES_USER and ES_PASSWORD"


def error_type(error: ApiError) -> str:
    """Return the server's name for `error`, such as `index_not_found_exception`."""
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    return str(inner.get("type", "error")) if isinstance(inner, dict) else "error"
