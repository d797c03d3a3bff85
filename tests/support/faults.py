"""Faults in front of a server: what it does rarely, done on purpose and to chosen requests.

A request is known by its line: `GET /bucket/key 0-99` (the range of bytes that is asked for, if
any), or `POST AddJobFlowSteps` for a call of EMR's.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.test import run_wsgi_app

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
Environ = dict[str, Any]
# Answers in place of the application, or with what that says.
Fault = Callable[[App, Environ, Any], Iterable[bytes]]


class Rule:
    """Does `fault` to the first `times` of equal requests whose line fits; None = to all of them.

    Equal are requests for the same object, of which the same last byte is asked for: what is read
    on after a body broke off is no other request.
    """

    def __init__(self, pattern: str, fault: Fault, times: int | None) -> None:
        self.fault = fault
        self._pattern, self._times = re.compile(pattern), times
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def hits(self) -> int:
        """How often the fault was done."""
        most = self._times
        return sum(count if most is None else min(count, most) for count in self._seen.values())

    def takes(self, line: str, query: str) -> bool:
        """Return whether the fault is to be done to this request."""
        if not self._pattern.match(line):
            return False
        with self._lock:
            same = f"{re.sub(r' [0-9]+-', ' -', line)}?{query}"
            self._seen[same] += 1
            return self._times is None or self._seen[same] <= self._times


class Faults:
    """The application `app` behind the rules that tests add; what no rule takes is passed on."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._rules: list[Rule] = []

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        line, query = line_of(environ), str(environ.get("QUERY_STRING", ""))
        for rule in tuple(self._rules):
            if rule.takes(line, query):
                return rule.fault(self._app, environ, start_response)
        return self._app(environ, start_response)

    def add(self, pattern: str, fault: Fault, *, times: int | None = 1) -> Rule:
        """Add a rule for the lines that `pattern` fits from their beginning on."""
        rule = Rule(pattern, fault, times)
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()


@contextmanager
def served(app: App, name: str) -> Iterator[str]:
    """Serve `app` on a free port inside the block, and yield its address."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, name=name)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def line_of(environ: Environ) -> str:
    """Return the line by which a request is known."""
    action = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
    wanted = str(environ.get("HTTP_RANGE", "")).removeprefix("bytes=")
    parts = (environ["REQUEST_METHOD"], action or environ["PATH_INFO"], wanted)
    return " ".join(part for part in parts if part)


def refusal(status: str, code: str) -> Fault:
    """Answer with an error of S3's."""
    body = f"<Error><Code>{code}</Code><Message>on purpose</Message></Error>".encode()

    def fault(_app: App, _environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response(status, _headers(body, [("Content-Type", "application/xml")]))
        return [body]

    return fault


busy = refusal("503 Slow Down", "SlowDown")
broken = refusal("500 Internal Server Error", "InternalError")
denied = refusal("403 Forbidden", "AccessDenied")


def cut(app: App, environ: Environ, start_response: Any) -> Iterator[bytes]:
    """Break off in the middle of the body."""
    body, status, headers = _answer(app, environ)
    start_response(status, _headers(body, headers))
    yield body[: len(body) // 2]
    raise ConnectionAbortedError


def stalled(seconds: float) -> Fault:
    """Return a fault that stops for a while in the middle of the body."""

    def fault(app: App, environ: Environ, start_response: Any) -> Iterator[bytes]:
        body, status, headers = _answer(app, environ)
        start_response(status, _headers(body, headers))
        yield body[: len(body) // 2]
        time.sleep(seconds)
        yield body[len(body) // 2 :]

    return fault


def shortened(app: App, environ: Environ, start_response: Any) -> Iterator[bytes]:
    """Give fewer bytes than were asked for, in an answer that is whole."""
    body, status, headers = _answer(app, environ)
    start_response(status, _headers(body[: len(body) // 2], headers))
    yield body[: len(body) // 2]


def whole(app: App, environ: Environ, start_response: Any) -> Iterable[bytes]:
    """Give the whole object, whatever range is asked for."""
    return app({k: v for k, v in environ.items() if k != "HTTP_RANGE"}, start_response)


def preceded(action: Callable[[], object], then: Fault | None = None) -> Fault:
    """Return a fault that calls `action` first, and then answers as usual, or as `then` does."""

    def fault(app: App, environ: Environ, start_response: Any) -> Iterable[bytes]:
        action()
        return then(app, environ, start_response) if then else app(environ, start_response)

    return fault


def in_turn(action: Callable[[], object]) -> Fault:
    """Return a fault that calls `action`, and then answers as usual, one request at a time.

    moto, unlike S3, may tell two at once that they were the first to write an object.
    """
    turn = threading.Lock()

    def fault(app: App, environ: Environ, start_response: Any) -> Iterable[bytes]:
        action()
        with turn:
            body, status, headers = _answer(app, environ)
        start_response(status, headers)
        return [body]

    return fault


def _end(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def _half_close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)  # until the other side closes as well


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


def followed(action: Callable[[], object], end: Callable[[socket.socket], None] = _end) -> Fault:
    """Return a fault that does what is asked, calls `action`, and then ends the connection."""

    def fault(app: App, environ: Environ, _start_response: Any) -> Iterable[bytes]:
        _answer(app, environ)
        action()
        end(environ["werkzeug.socket"])
        raise ConnectionAbortedError

    return fault


unanswered = followed(lambda: None)
half_closed = followed(lambda: None, _half_close)
reset = followed(lambda: None, _reset)


def spoiled(change: Callable[[bytes], bytes], status: str | None = None) -> Fault:
    """Return a fault that does what is asked, and changes the answer and its status."""

    def fault(app: App, environ: Environ, start_response: Any) -> Iterable[bytes]:
        body, told, headers = _answer(app, environ)
        body = change(body)
        start_response(status or told, _headers(body, headers))
        return [body]

    return fault


class Remembering:
    """Answers requests whose JSON has the same value of `field` once, and then from memory."""

    def __init__(self, field: str) -> None:
        self.asked = 0
        self._field = field
        self._answers: dict[str, tuple[bytes, str, list[tuple[str, str]]]] = {}

    def __call__(self, app: App, environ: Environ, start_response: Any) -> Iterable[bytes]:
        self.asked += 1
        content = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        value = json.loads(content)[self._field]
        if value not in self._answers:
            self._answers[value] = _answer(app, {**environ, "wsgi.input": io.BytesIO(content)})
        body, status, headers = self._answers[value]
        start_response(status, headers)
        return [body]


def through(inner: Fault, outer: Fault) -> Fault:
    """Return `outer` in front of `inner`, in front of the application."""

    def fault(app: App, environ: Environ, start_response: Any) -> Iterable[bytes]:
        def behind(environ: Environ, start_response: Any) -> Iterable[bytes]:
            return inner(app, environ, start_response)

        return outer(behind, environ, start_response)

    return fault


def _answer(app: App, environ: Environ) -> tuple[bytes, str, list[tuple[str, str]]]:
    """Return body, status and headers of the application's answer."""
    chunks, status, headers = run_wsgi_app(app, environ)
    return b"".join(chunks), status, list(headers)


def _headers(body: bytes, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return [*kept, ("Content-Length", str(len(body)))]
