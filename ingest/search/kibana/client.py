"""Kibana's HTTP API in one space, and what its refusals mean.

The API key is in the environment only, and in no message. Nothing is sent twice: whoever calls
knows what a lost answer means.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from ingest.errors import ClickstreamError, KibanaError, SettingsError
from ingest.local_search.fetch import trust_the_machine
from ingest.search.credentials import is_readable_on_the_way

API_KEY = "KIBANA_API_KEY"
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60
_LONGEST_REASON = 300


class Kibana:
    """A Kibana at `url`; with `space` every request goes to that space. Close it."""

    def __init__(
        self,
        url: str,
        *,
        space: str | None = None,
        api_key: str | None = None,
        seconds: float = _ANSWER_SECONDS,
    ) -> None:
        """Raise SettingsError for an address that cannot be used, or not with a key."""
        self.place = _checked(url, api_key)
        self.space = space
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._seconds = seconds
        self._session = requests.Session()
        # Also without a key: else requests would take one from ~/.netrc.
        self._session.auth = self._authorise
        self._session.headers["kbn-xsrf"] = "true"
        trust_the_machine(os.environ)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Kibana:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def address(self, path: str) -> str:
        """Return the address of `path` in the space."""
        space = f"/s/{quote(self.space, safe='')}" if self.space else ""
        return f"{self._url}{space}{path}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        accepting: Collection[int] = (),
        **content: Any,
    ) -> Any:
        """Return Kibana's answer, or its status when that is one of `accepting`.

        The answer is parsed JSON, or text where Kibana says that it is something else. Raises
        SettingsError for an address or a key that will not do, KibanaError for the rest.
        """
        try:
            response = self._session.request(
                method,
                self.address(path),
                timeout=(_CONNECT_SECONDS, self._seconds),
                allow_redirects=False,
                **content,
            )
        except requests.RequestException as error:
            raise self._no_answer(error) from None  # its own text holds the whole address
        if _is_search_server(response):
            raise SettingsError(
                f"{self.place} is a search server, not Kibana: set KIBANA_URL to the address of "
                "Kibana, which usually has port 5601"
            )
        if response.status_code in accepting:
            return response.status_code
        if response.status_code != HTTPStatus.OK and response.status_code != HTTPStatus.CREATED:
            raise self._refused(response, f"{method} {path}")
        return self._read(response)

    def _authorise(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._api_key:
            request.headers["Authorization"] = f"ApiKey {self._api_key}"
        return request

    def _read(self, response: requests.Response) -> Any:
        if "ndjson" in response.headers.get("content-type", ""):
            return response.text
        try:
            return response.json()
        except requests.JSONDecodeError:
            raise KibanaError(
                f"{self.place} sent an answer that is not JSON: is KIBANA_URL the address of "
                "Kibana, with its base path?"
            ) from None

    def _no_answer(self, error: requests.RequestException) -> ClickstreamError:
        match error:
            case requests.exceptions.SSLError():
                return SettingsError(
                    f"TLS with {self.place} failed: check KIBANA_URL; REQUESTS_CA_BUNDLE names the "
                    "file of trusted certificates"
                )
            case requests.Timeout():
                return KibanaError(
                    f"{self.place} did not answer in {self._seconds:g} s: run the command again"
                )
            case requests.exceptions.ChunkedEncodingError():
                return KibanaError(f"{self.place} cut its answer short: run the command again")
        return KibanaError(
            f"{self.place} cannot be reached, or closed the connection: check KIBANA_URL and the "
            "network, and run the command again"
        )

    def _refused(self, response: requests.Response, request: str) -> ClickstreamError:
        status, where = response.status_code, f"in space {self.space}" if self.space else "there"
        if status == HTTPStatus.UNAUTHORIZED:
            if self._api_key:
                return SettingsError(f"{self.place} does not accept the key in {API_KEY}")
            return SettingsError(f"{self.place} requires an API key: set {API_KEY}")
        if status == HTTPStatus.FORBIDDEN:
            return SettingsError(
                f"{self.place} does not allow {request}: grant the key `all` {where} on Dashboard, "
                f"Data View Management and Saved Objects Management ({_reason(response)})"
            )
        if status == HTTPStatus.CONFLICT:
            return KibanaError(
                f"{self.place} refuses {request} ({_reason(response)}): somebody else is changing "
                "it, or another space has an object of this id; run the command again, or use the "
                "space that has it"
            )
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            return KibanaError(f"{self.place} is not ready: run the command again in a minute")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return SettingsError(
                f"{self.place} redirects {request}: set KIBANA_URL to the address that it "
                "redirects to, with its base path"
            )
        return KibanaError(f"{self.place} refuses {request}: {status} ({_reason(response)})")


def _checked(url: str, api_key: str | None) -> str:
    """Return host and port of `url`, which are shown."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError("KIBANA_URL must be http(s)://host[:port][/base/path]")
    if "@" in parts.netloc:
        raise SettingsError(f"KIBANA_URL holds a user or password: set {API_KEY} instead")
    if api_key and is_readable_on_the_way(parts):
        raise SettingsError(
            f"the key for {parts.netloc} would be sent unencrypted: use https in KIBANA_URL"
        )
    return parts.netloc


def _is_search_server(response: requests.Response) -> bool:
    """Return whether Elasticsearch answers, or OpenSearch, which knows no path of Kibana."""
    if "kbn-name" in response.headers:
        return False
    if "x-elastic-product" in response.headers:
        return True
    return response.status_code == HTTPStatus.BAD_REQUEST and "no handler found" in response.text


def _reason(response: requests.Response) -> str:
    """Return what Kibana says, which holds no log content."""
    try:
        answer = response.json()
    except requests.JSONDecodeError:
        return "no reason given"
    said = answer.get("message") if isinstance(answer, Mapping) else None
    return str(said or "no reason given")[:_LONGEST_REASON]
