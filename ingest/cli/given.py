"""What the commands after this one need of its environment, in a shell that has none of it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator

from ingest.search.credentials import public
from ingest.settings import OFF, Settings
from ingest.warehouse.remembered import SECRET
from ingest.warehouse.target import engine_of

# Of all that AWS's own tools read: where things are, and who asks.
_AWS = (
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_CONFIG_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
_SEARCH = (
    "ES_URL",
    "ES_INDEX",
    "ES_USER",
    "ES_PASSWORD",
    "ES_API_KEY",
    "ES_API_KEY_SECRET",
    "ES_CA_CERTS",
    "ES_SSL_FINGERPRINT",
)
# An address that holds a user, and so perhaps a password.
_WITH_USER = re.compile(r"\w+://[^/]*@")


def given(settings: Settings) -> str:
    """Return the settings that the next command needs too, as a shell takes them before it."""
    environ = _of_clickstream(settings) | {
        name: value for name, value in _of_services(settings) if not _is_secret(name, value)
    }
    return _before_a_command(environ)


def secrets_given(settings: Settings) -> list[str]:
    """Return the names of the secrets that the next command needs too: they are never printed."""
    return [name for name, value in _of_services(settings) if _is_secret(name, value)]


def search_place(settings: Settings) -> str:
    """Return where the index is, as in `the index events at http://host:9200`."""
    url = settings.search.url
    return f"at {public(url)}" if url else "on the local search server"


def search_elsewhere(settings: Settings) -> str | None:
    """Return what an export uses in place of the local search server, None when it uses that."""
    url = settings.search.url
    if url is None:
        return None
    if url == OFF:
        return "ES_URL / search.url is off: nothing is exported"
    return f"ES_URL / search.url is {public(url)}: an export uses that, not this server"


def how_to_stop_search(settings: Settings) -> str:
    """Return the command that stops the local search server of these settings."""
    return f"{_before_a_command(_of_data(settings))}clickstream search down"


def _of_data(settings: Settings) -> dict[str, str]:
    is_usual = settings.data == settings.root / "data"
    return {} if is_usual else {"CLICKSTREAM_DATA": str(settings.data)}


def _of_clickstream(settings: Settings) -> dict[str, str]:
    environ = _of_data(settings)
    if os.environ.get("CLICKSTREAM_LAKE"):
        environ["CLICKSTREAM_LAKE"] = settings.lake
    if settings.target != "local":
        environ["CLICKSTREAM_TARGET"] = settings.target
    if profiles := os.environ.get("DBT_PROFILES_DIR"):
        environ["DBT_PROFILES_DIR"] = profiles
    return environ


def _of_services(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what is set for the warehouse and for AWS, where they are used, and for search."""
    is_on_redshift = engine_of(settings) == "redshift"
    names: list[str] = []
    if is_on_redshift:
        names += sorted(name for name in os.environ if name.startswith("REDSHIFT_"))
    if is_on_redshift or settings.lake.startswith("s3://"):
        names += _AWS
    for name in (*names, *_SEARCH):
        if value := os.environ.get(name, "").strip():
            yield name, value


def _is_secret(name: str, value: str) -> bool:
    return bool(SECRET.search(name) or _WITH_USER.match(value))


def _before_a_command(environ: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)} " for name, value in environ.items())
