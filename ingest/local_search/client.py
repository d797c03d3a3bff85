"""Asks the local search server: no credentials, no proxy, no retries, this machine only."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_ANSWER_SECONDS = 60


def ask(url: str, path: str) -> Any:
    """Return the server's JSON answer to `path`, None when it gives none."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=_ANSWER_SECONDS)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return json.load(answer) if answer.status == 200 else None
        except (OSError, HTTPException, ValueError):
            return None
