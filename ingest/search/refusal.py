"""What the errors of the search server's client mean to the user: one message each, with a remedy.

The errors' own text may contain log content and is never shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError

from ingest.errors import ClickstreamError, SearchServerError, SettingsError
from ingest.search.client import (
    ApiError,
    ConnectionTimeout,
    TlsError,
    TransportError,
    Unreachable,
    UnsupportedProductError,
)
from ingest.search.credentials import found_in, public
from ingest.search.outcome import STOPPING
from ingest.settings import TITLES

# What the two keys of docs/operations/search.md may do.
PRIVILEGES = frozenset(
    (
        "create_index",
        "maintenance",
        "manage",
        "manage_index_templates",
        "monitor",
        "read",
        "view_index_metadata",
        "write",
    )
)
# The type of an error to which the server gives none.
_UNNAMED = "error"
# What OpenSSL and urllib3 say of a server without TLS, and of a certificate.
_PLAIN = re.compile("wrong.version.number|http.request|record.layer", re.IGNORECASE)
_CERTIFICATE = re.compile("certificate|fingerprint", re.IGNORECASE)
# How Elasticsearch and OpenSearch name what they refuse; nothing else of their text is shown.
_ACTION = re.compile(r"(?:action|no permissions for) \[([\w:/*]+)")
_INDEX = re.compile(r"index \[([\w.,*-]+)\]")
_WHOLE_CLUSTER = re.compile(r"blocked by: \[\w+/\d+/cluster ")
_INDICES = re.compile(r"on indices \[([\w.,*-]+)\]")
_GRANTED_BY = re.compile(r"granted by the (?:index|cluster) privileges \[([\w,]+)\]")


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
                f"{place} sent an answer that cannot be read: is it {' or '.join(TITLES.values())}?"
            )
        case UnsupportedProductError():
            return SettingsError(
                f"{place} answers, but is not Elasticsearch: check ES_URL; for OpenSearch set "
                "search.product to auto or opensearch"
            )
        case _:
            return _refused(error, url)


def lacks_privilege(error: ApiError) -> bool:
    """Return whether the server refuses what the key or user may not do.

    A security plugin or a proxy may do so in plain text, or in a JSON of its own.
    """
    return error.status_code == 403 and error_type(error) in ("security_exception", _UNNAMED)


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


def _refused(error: ApiError, url: str) -> ClickstreamError:
    parts = urlsplit(public(url))
    place, kind = parts.netloc, error_type(error)
    if error.status_code == 401:
        return SettingsError(f"{place} {_unauthorised(os.environ, parts.hostname)}")
    if lacks_privilege(error):
        return SettingsError(f"{place} {_forbidden(str(error.body))}")
    if kind == "media_type_header_exception":
        return SettingsError(f"{place} does not support this client: install elasticsearch 8.19.x")
    if remedy := STOPPING.get((error.status_code, kind)):
        return SearchServerError(f"{_refusing(error) or f'the cluster of {place}'} {remedy}")
    return SearchServerError(f"{place} refuses the request: {error.status_code} {kind}")


def _refusing(error: ApiError) -> str | None:
    """Return which index refuses the request, None when the whole cluster does."""
    inner = error.body["error"]
    reason = str(inner.get("reason"))
    name = inner.get("index") or _first(_INDEX, reason)
    return f"index {name}" if name and not _WHOLE_CLUSTER.search(reason) else None


def _unauthorised(environ: Mapping[str, str], host: str | None) -> str:
    """Return what a server says about the credentials of `environ` when it does not let us in."""
    if source := found_in(environ, host):
        return f"does not accept the credentials in {source}"
    return "requires credentials: set ES_API_KEY, or ES_USER and ES_PASSWORD"


def _forbidden(text: str) -> str:
    """Return what a server refuses with the error `text`, and the privilege that allows it."""
    action, indices = _first(_ACTION, text) or "the request", _first(_INDICES, text)
    # The least powerful one is named first.
    granted_by = _first(_GRANTED_BY, text).split(",")
    name = next((name for name in granted_by if name in PRIVILEGES), None)
    return (
        f"refuses {action}{f' on {indices}' if indices else ''}, because the key or user lacks "
        f"{f'the privilege `{name}`' if name else 'a privilege'}: docs/operations/search.md has "
        "the roles that it needs"
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def error_type(error: ApiError) -> str:
    """Return the server's name for `error`, such as `index_not_found_exception`."""
    body = error.body
    inner = body.get("error") if isinstance(body, dict) else None
    return str(inner.get("type", _UNNAMED)) if isinstance(inner, dict) else _UNNAMED
