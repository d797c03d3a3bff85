"""A client of the local search server: no credentials, no retries, this machine only."""

from __future__ import annotations

from elasticsearch import Elasticsearch

_ANSWER_SECONDS = 60


def local_client(url: str) -> Elasticsearch:
    """Return a client of the server at `url`; nothing is sent yet, and the caller closes it."""
    return Elasticsearch(url, max_retries=0, request_timeout=_ANSWER_SECONDS)
