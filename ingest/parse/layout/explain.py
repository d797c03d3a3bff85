"""What the directives of a layout capture, and where a line stops having that layout."""

from __future__ import annotations

from ingest.parse.layout.caret import pointed
from ingest.parse.layout.compiled import Layout
from ingest.parse.layout.cut import Misfit
from ingest.parse.layout.meanings import ONLY_TOTAL, TOTAL, Meaning
from ingest.parse.layout.put import COLUMNS
from ingest.parse.layout.record import read_line

# Targets that fill more than the column, or the key of `extra`, of the same name.
_FILLS = {
    "client": "client_ip, client_address, extra.client_port",
    "request": "http_method, url_*, http_version; extra.request_line when it is not a request",
    "url": "url_original, url_path, url_query",
    "args": "url_query",
    "server_name": "server_name, extra.server_port",
    "referrer": "referrer, referrer_domain",
    "response_bytes": "response_bytes; bytes_scope is body",
    ONLY_TOTAL: "response_bytes; bytes_scope is total",
    TOTAL: f"extra.{TOTAL}",
}


def explained(layout: Layout) -> str:
    """Return a line for each directive of `layout`: what is written, and what it fills."""
    width = max(len(one.written) for one in layout.directives)
    lines = [f"{one.written:{width}}  {_fills(one.meaning)}" for one in layout.directives]
    return "\n".join([*lines, f"{'(the rest)':{width}}  extra.tail"])


def _fills(meaning: Meaning) -> str:
    own = meaning.target if meaning.target in COLUMNS else f"extra.{meaning.target}"
    return _FILLS.get(meaning.target, own)


def misfit_of(layout: Layout, line: str) -> str | None:
    """Return why `line` has not the `layout`, with a caret at the place; None when it has it."""
    read = read_line(layout, line.encode(errors="replace"), set())
    if not isinstance(read.cut, Misfit):
        return None
    return f"expected {read.cut.expected}:\n{pointed(read.text, read.cut.at)}"
