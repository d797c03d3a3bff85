"""How to log in to the search server, from the environment of the process that connects only.

No settings, task, message or log contains a secret.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from ingest.errors import SettingsError
from ingest.settings import TITLES

API_KEY, SECRET, USER, ADDRESS = (
    "ES_API_KEY",
    "ES_API_KEY_SECRET",
    "ES_USER and ES_PASSWORD",
    "ES_URL",
)


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


def server_name(product: str | None, url: str | None, *, version: str | None = None) -> str:
    """Return a server as messages name it, such as `OpenSearch 2.19.6 at http://host:9200`.

    What is None is left out; the default ports are named, user and password are not.
    """
    title = TITLES.get(product or "", "a search server")
    return f"{title}{f' {version}' if version else ''}{f' at {public(url)}' if url else ''}"


def found_in(environ: Mapping[str, str], host: str | None) -> str | None:
    """Return which variables of `environ` hold the credentials for `host`, None without any.

    Raises SettingsError when half of them is missing.
    """
    user, password = environ.get("ES_USER"), environ.get("ES_PASSWORD")
    written = urlsplit(environ.get("ES_URL", ""))
    for name in (API_KEY, SECRET):
        if environ.get(name):
            return name
    if user and password:
        return USER
    if user or password:
        raise SettingsError("ES_USER and ES_PASSWORD belong together: set both, or ES_API_KEY")
    if written.hostname == host and written.username and written.password:
        return ADDRESS
    return None


def is_readable_on_the_way(parts: SplitResult) -> bool:
    """Return whether others could read what is sent to `parts`: plain HTTP to another machine."""
    if parts.scheme != "http":
        return False
    try:
        return not ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname != "localhost"


def credentials(environ: Mapping[str, str], parts: SplitResult) -> dict[str, Any]:
    """Return the options of the client that log in to the server at `parts`.

    Raises SettingsError for credentials that are incomplete, would be sent unencrypted, or are not
    in the place that ES_API_KEY_SECRET names.
    """
    source = found_in(environ, parts.hostname)
    written = urlsplit(environ.get("ES_URL", ""))
    if source and is_readable_on_the_way(parts):
        raise SettingsError(
            f"credentials for {parts.hostname} would be sent unencrypted: use https in ES_URL"
        )
    if source == API_KEY:
        return {"api_key": _printable(environ[API_KEY])}
    if source == SECRET:
        from ingest.search.secret import read_secret  # boto3 takes half a second to import

        return {"api_key": read_secret(environ[SECRET])}
    if source == USER:
        return _basic(environ["ES_USER"], environ["ES_PASSWORD"])
    if source == ADDRESS:
        return _basic(unquote(written.username or ""), unquote(written.password or ""))
    return {}


def _basic(user: str, password: str) -> dict[str, Any]:
    """Return the option of the client, which by itself knows ASCII only."""
    return {"basic_auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def _printable(key: str) -> str:
    """Return `key` without blanks around it, such as the CR of a file from Windows.

    Raises SettingsError for what no HTTP header holds: the client would show the key with it.
    """
    key = key.strip()
    if not re.fullmatch("[!-~]+", key):
        raise SettingsError(f"{API_KEY} is not a key: it holds a blank, a line break or the like")
    return key


def certificate(environ: Mapping[str, str], parts: SplitResult) -> dict[str, Any]:
    """Return the options of the client that tell the certificate of the server at `parts`.

    There is none that trusts any certificate. Raises SettingsError for values that cannot be used.
    """
    if parts.scheme != "https":
        return {}
    if fingerprint := environ.get("ES_SSL_FINGERPRINT", "").replace(":", ""):
        if not re.fullmatch("[0-9a-fA-F]{64}", fingerprint):
            raise SettingsError(
                "ES_SSL_FINGERPRINT is not the SHA-256 of a certificate: it has 64 hexadecimal"
                " digits"
            )
        # The fingerprint identifies one certificate, so neither chain nor name need checking.
        return {
            "ssl_assert_fingerprint": fingerprint,
            "verify_certs": False,
            "ssl_show_warn": False,
        }
    path = environ.get("ES_CA_CERTS")
    if not path:
        return {}
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        raise SettingsError(f"ES_CA_CERTS: {path} holds no certificate in PEM form") from None
    except OSError as error:
        raise SettingsError(f"ES_CA_CERTS: {path} cannot be read ({error.strerror})") from None
    return {"ca_certs": path}
