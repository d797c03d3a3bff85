"""The client of the search server: no other module names the classes of its packages.

Elasticsearch and OpenSearch get the same requests, but for their media types. What the errors mean
is in `refusal.py`, where credentials come from in `credentials.py`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from elastic_transport import ConnectionError as Unreachable
from elastic_transport import (
    ConnectionTimeout,
    HttpHeaders,
    SerializationError,
    TlsError,
    TransportError,
    Urllib3HttpNode,
)
from elastic_transport._node import NodeApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType
from elasticsearch import (
    ApiError,
    BadRequestError,
    Elasticsearch,
    JsonSerializer,
    NotFoundError,
    UnsupportedProductError,
)
from elasticsearch import AuthorizationException as ForbiddenError

from ingest.errors import SearchServerError, SettingsError
from ingest.search.all_indexed import read_all_indexed
from ingest.search.credentials import certificate, credentials, public
from ingest.settings import AUTO, ELASTICSEARCH, OPENSEARCH, TITLES

__all__ = [
    "ApiError",
    "BadRequestError",
    "ConnectionTimeout",
    "Elasticsearch",
    "ForbiddenError",
    "NotFoundError",
    "Target",
    "TlsError",
    "TransportError",
    "Unreachable",
    "UnsupportedProductError",
    "connect",
    "identify",
]

ANSWER_SECONDS = 60
# OpenSearch 2.7 brought the type flat_object.
_OLDEST = {ELASTICSEARCH: (8, 9), OPENSEARCH: (2, 7)}
# How the local search server answers to `GET /`, and how servers do at a path that is not theirs.
_NO_GET = HTTPStatus.METHOD_NOT_ALLOWED
_NO_ROOT = (301, 302, 307, 308, HTTPStatus.NOT_FOUND, _NO_GET)
_VENDOR = re.compile(r"application/vnd\.elasticsearch\+([\w-]+); *compatible-with=\d+")


class OpenSearchNode(Urllib3HttpNode):
    """Lets the client of Elasticsearch work with OpenSearch.

    That knows neither the media types of the client nor the header that the client insists on.
    """

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        """Send the request as the client does, with the usual media types."""
        given = headers or HttpHeaders()
        usual = HttpHeaders({name: _VENDOR.sub(r"application/\1", given[name]) for name in given})
        answer = super().perform_request(method, target, body, usual, request_timeout)
        answer.meta.headers.setdefault("x-elastic-product", "Elasticsearch")
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An index on one cluster. `name` is the folder of its seals in the lake."""

    name: str
    cluster_uuid: str
    product: str
    version: str
    index: str


def connect(
    url: str,
    *,
    product: str = AUTO,
    compress: bool = False,
    retries: int = 0,
    seconds: float = ANSWER_SECONDS,
    environ: Mapping[str, str] | None = None,
) -> Elasticsearch:
    """Return a client of `url`, which the caller closes.

    With the product AUTO the server is asked for it, otherwise nothing is sent yet. `compress`
    sends gzip. `retries` are the client's own, for requests that may be repeated; the bulk loop has
    its own rules. An answer has to come within `seconds`. Raises SettingsError for credentials that
    are misplaced, incomplete or would be sent unencrypted.
    """
    environ = os.environ if environ is None else environ
    parts = urlsplit(url)
    if "@" in parts.netloc and environ.get("ES_URL", "").strip() != url:
        raise SettingsError(
            "put the password into ES_URL or ES_PASSWORD, not into clickstream.toml"
        )
    options = {
        "hosts": public(url),
        "max_retries": retries,
        "retry_on_timeout": retries > 0,
        "request_timeout": seconds,
        "http_compress": compress,
        **credentials(environ, parts),
        **certificate(environ, parts),
    }
    if product == AUTO:
        with _client(OPENSEARCH, options) as either:  # Elasticsearch understands it as well
            product = _product(_about(either))
    return _client(product, options)


def _client(product: str, options: Mapping[str, Any]) -> Elasticsearch:
    node = OpenSearchNode if product == OPENSEARCH else Urllib3HttpNode
    json = _Answers()
    serializers = {"application/json": json, "application/vnd.elasticsearch+json": json}
    return Elasticsearch(node_class=node, serializers=serializers, **options)


class _Answers(JsonSerializer):
    """Reads answers; those to bulk requests have an entry for each document."""

    def loads(self, data: bytes) -> Any:
        """Return what `data` says."""
        return read_all_indexed(data) or super().loads(data)


def identify(client: Elasticsearch, index: str) -> Target:
    """Return which cluster `client` talks to; its seals are under that name in the lake.

    Raises SettingsError for a server that is too old, SearchServerError for answers that no server
    gives.
    """
    about = _about(client)
    product = _product(about)
    try:
        version = str(about.get("number") or _oldest_node(client))
        _check_version(product, version)
        uuid = _cluster_uuid(client)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SearchServerError(
            "ES_URL: what answers there is no Elasticsearch or OpenSearch, or something between "
            "changes its answers"
        ) from None
    digest = hashlib.sha256(uuid.encode()).hexdigest()[:12]
    return Target(
        name=f"{index}-{digest}",
        cluster_uuid=uuid,
        product=product,
        version=version,
        index=index,
    )


def _about(client: Elasticsearch) -> Mapping[str, Any]:
    """Return what the server says about its version.

    Nothing for the distribution of the local search server, which has no handler for `GET /`.
    Raises SettingsError where the path of the address does not lead to a server.
    """
    try:
        answer = client.info().body
    except (ApiError, SerializationError) as error:
        if isinstance(error, ApiError) and error.status_code == _NO_GET:
            return {}
        _check_path(client, error)
        raise
    about = answer.get("version") if isinstance(answer, dict) else None
    if isinstance(about, dict):
        return about
    _check_path(client)
    return {}


def _check_path(client: Elasticsearch, error: ApiError | SerializationError | None = None) -> None:
    """Raise SettingsError when the address has a path, and `error` shows that it is the reason.

    None is an answer that no root of a server gives.
    """
    parts = urlsplit(client.transport.node_pool.get().base_url)
    if parts.path and not (isinstance(error, ApiError) and _is_of_a_server(error)):
        raise SettingsError(
            f"ES_URL: there is no search server at the path {parts.path} of {parts.netloc}; leave "
            "out the path, unless it is that of a proxy (ES_INDEX names the index)"
        ) from None


def _is_of_a_server(error: ApiError) -> bool:
    """Return whether the root of a server, or a proxy before it, may answer with `error`."""
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return "no handler found" not in str(error.message)
    return error.status_code not in _NO_ROOT


def _product(about: Mapping[str, Any]) -> str:
    return OPENSEARCH if about.get("distribution") == OPENSEARCH else ELASTICSEARCH


def _check_version(product: str, version: str) -> None:
    oldest = _OLDEST[product]
    if tuple(int(part) for part in version.split(".")[:2]) < oldest:
        needed = ".".join(map(str, oldest))
        raise SettingsError(
            f"{TITLES[product]} {version} is not supported; {needed} or later is required"
        )


def _cluster_uuid(client: Elasticsearch) -> str:
    found = client.cluster.state(metric="metadata", filter_path="cluster_uuid")["cluster_uuid"]
    if not isinstance(found, str) or not found:
        raise TypeError
    return found


def _oldest_node(client: Elasticsearch) -> str:
    try:
        nodes = client.nodes.info(filter_path="nodes.*.version")["nodes"]
    except ApiError as error:
        _check_path(client, error)
        raise
    return min(str(node["version"]) for node in nodes.values())
