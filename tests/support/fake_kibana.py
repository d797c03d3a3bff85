"""A Kibana that keeps what it is sent, and fails on demand as a real one might.

It answers as Kibana's public description says; nobody has compared it with a real one.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEY = "key-of-kibana"
_VIEW = re.compile(r"/api/data_views/data_view(?:/(.+))?")
_DASHBOARD = re.compile(r"/api/dashboards/(.+)")
_MISSING = {"statusCode": 404, "message": "Saved object not found"}

Answer = tuple[int, Any]


class FakeKibana:
    """Its objects are in `views` and `dashboards`, by id; `requests` are "METHOD /path".

    `faults` maps the beginning of a request to what answers it: a status, or one of the words
    `slow`, `short`, `closed`, `html`, `redirect`, `made` (400 although the object was made).
    """

    def __init__(self, version: str = "9.5.0") -> None:
        self.version = version
        self.spaces = {"shop"}
        self.views: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.faults: dict[str, int | str] = {}
        self.import_errors: list[dict[str, Any]] = []
        self.lost_references: list[dict[str, str]] = []
        self.url = ""
        self.released = threading.Event()

    @contextmanager
    def running(self) -> Iterator[FakeKibana]:
        """Answer requests at `url`."""
        kibana = self

        class Handler(_Handler):
            fake = kibana

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """Return status and content for a request without a fault."""
        if path == "/api/status":
            return 200, {"version": {"number": self.version}}
        if path.startswith("/api/spaces/space/"):
            return (200, {}) if path.rpartition("/")[2] in self.spaces else (404, _MISSING)
        if found := _VIEW.fullmatch(path):
            return self._view(method, found[1], body)
        if found := _DASHBOARD.fullmatch(path):
            return self._dashboard(method, found[1], body)
        if path == "/api/saved_objects/_import":
            return self._import(body)
        assert path == "/api/saved_objects/_export", path
        return 200, self._export(body)

    def _view(self, method: str, name: str | None, body: Any) -> Answer:
        if method == "GET":
            found = self.views.get(str(name))
            return (200, {"data_view": found}) if found else (404, _MISSING)
        view = body["data_view"]
        if name is None:
            if view["name"] in {other["name"] for other in self.views.values()}:
                return 400, {"message": "Duplicate data view"}
            self.views[view["id"]] = view
            return 200, {"data_view": view}
        changed = self.views[name] | view
        if changed == self.views[name]:
            return 400, {"message": "Index pattern change set is empty."}
        self.views[name] = changed
        return 200, {"data_view": changed}

    def _dashboard(self, method: str, name: str, body: Any) -> Answer:
        if method == "PUT":
            self.dashboards[name] = body
            return 201, {"id": name, "data": body}
        return 200, {"id": name, "data": self.dashboards[name]}

    def _import(self, lines: list[dict[str, Any]]) -> Answer:
        if self.import_errors:
            return 200, {"success": False, "successCount": 0, "errors": self.import_errors}
        self.dashboards |= {line["id"]: line for line in lines}
        return 200, {"success": True, "successCount": len(lines)}

    def _export(self, body: Any) -> str:
        wanted = [self.dashboards.get(one["id"]) for one in body["objects"]]
        end = {"exportedCount": len(wanted), "missingReferences": self.lost_references}
        return "\n".join(json.dumps(one) for one in [*filter(None, wanted), end])


class _Handler(BaseHTTPRequestHandler):
    fake: FakeKibana

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        body = self._body()
        path = re.sub("^/s/[^/]+", "", urlsplit(self.path).path)
        request = f"{self.command} {path}"
        self.fake.requests.append(f"{self.command} {self.path}")
        if self.headers["authorization"] != f"ApiKey {KEY}":
            return self._send(401, {"message": "no"})
        if self.command != "GET" and self.headers["kbn-xsrf"] is None:
            return self._send(400, {"message": "Request must contain a kbn-xsrf header."})
        fault = next(
            (f for begin, f in self.fake.faults.items() if request.startswith(begin)), None
        )
        if isinstance(fault, int):
            return self._send(fault, {"message": f"fault {fault}"})
        if fault in {"slow", "closed", "html", "redirect"}:
            return self._fail(str(fault))
        status, content = self.fake.answer(self.command, path, body)
        if fault == "made":
            status, content = 400, {"message": "Unable to update config"}
        return self._send(status, content, short=fault == "short")

    def _body(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/"):
            return json.loads(raw) if raw else None
        head = f"content-type: {kind}\r\n\r\n".encode()
        _, part = BytesParser().parsebytes(head + raw).walk()
        assert part.get_filename() == "clickstream.ndjson"
        text = part.get_payload(decode=True)
        assert isinstance(text, bytes)
        return [json.loads(line) for line in text.splitlines()]

    def _fail(self, fault: str) -> None:
        if fault == "slow":
            self.fake.released.wait(60)
        elif fault == "html":
            self._send(200, "<html>", kind="text/html")
        elif fault == "redirect":
            self.send_response(302)
            self.send_header("location", "/login")
            self.end_headers()
        self.close_connection = True

    def _send(self, status: int, content: Any, *, kind: str = "", short: bool = False) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        kind = kind or ("application/ndjson" if isinstance(content, str) else "application/json")
        raw = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw) + (100 if short else 0)))
        self.end_headers()
        self.wfile.write(raw)
        self.close_connection = True
