"""What the directives of a layout capture."""

from __future__ import annotations

from ingest.parse.layout.compiled import compile_layout
from ingest.parse.layout.json_string import is_json, variables_of
from ingest.parse.layout.meanings import COLUMNS, ONLY_TOTAL, TOTAL, Meaning
from ingest.terminal.text import printable

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


def explained(string: str) -> str:
    """Return a line for each value of the log format `string`: where it is, and what it fills.

    Raises LayoutError.
    """
    if is_json(string):
        pairs = [(".".join(path), _fills(meaning)) for path, meaning in variables_of(string)]
        pairs.append(("(the rest)", "extra, under its own name"))
    else:
        directives = compile_layout(string).directives
        pairs = [(one.written, _fills(one.meaning)) for one in directives]
        pairs.append(("(the rest)", "extra.tail"))
    width = max(len(where) for where, _ in pairs)
    return "\n".join(f"{printable(where):{width}}  {fills}" for where, fills in pairs)


def _fills(meaning: Meaning) -> str:
    own = meaning.target if meaning.target in COLUMNS else f"extra.{meaning.target}"
    return _FILLS.get(meaning.target, own)
