"""A server behind faults: a request reaches it first, and then its answer may be spoiled."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from support.faults import App, Environ, Faults, served

_OF_THE_CONNECTION = ("connection", "content-length", "transfer-encoding")


@contextmanager
def forwarded(url: str) -> Iterator[tuple[str, Faults]]:
    """Pass requests on to the server at `url` inside the block; yield where, and the faults."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request otherwise
    with urllib3.PoolManager(maxsize=8, retries=False) as pool:
        faults = Faults(_passing_on(pool, url))
        with served(faults, "proxy of the tests") as address:
            yield address, faults


def _passing_on(pool: urllib3.PoolManager, url: str) -> App:
    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        headers = {
            name: str(environ[key])
            for name, key in (("Accept", "HTTP_ACCEPT"), ("Content-Type", "CONTENT_TYPE"))
            if environ.get(key)
        }
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            answer = pool.request(
                environ["REQUEST_METHOD"], url + environ["REQUEST_URI"], body=body, headers=headers
            )
        except urllib3.exceptions.HTTPError:  # it has been killed
            start_response("502 Bad Gateway", [("Content-Length", "0")])
            return []
        kept = [(k, v) for k, v in answer.headers.items() if k.lower() not in _OF_THE_CONNECTION]
        start_response(f"{answer.status} {answer.reason}", kept)
        return [answer.data]

    return app
