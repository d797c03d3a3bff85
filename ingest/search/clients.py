"""Leaves the addresses of clients out of the rows of an export: docs/operations/privacy.md.

The client's own address is replaced wherever it was sent; in `extra`, which holds addresses under
any name, every address is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from ingest.parse.fields.addresses import read_address
from ingest.pseudonyms import SENT_TEXTS, SHORTEST_ADDRESS, Pseudonyms
from ingest.search.private import clean

# The columns that hold it, and that are read to hide it elsewhere.
CLIENT = ("client_ip", "client_address")
# Valid in Rust and in Python: finds too much rather than too little, such as times of day; and
# escapes that could spell an address.
_MAYBE = r"[0-9]\.[0-9]+\.[0-9]+\.[0-9]|:[0-9A-Fa-f]{0,4}:|\\u00[2-7]"
_ESCAPE = "\\u00"
_ADDRESS = re.compile(
    # Behind a name and a colon too, as in IPv6:2001:db8::1, and behind an escape of JSON.
    r"(?:(?<![0-9A-Za-z.:])|(?<=[0-9A-Za-z]:)|(?<=\\[bfnrt]))"
    r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f:.]*"
    r"|(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9]|\.[0-9])"
)


def without_clients(rows: pa.RecordBatch, pseudonyms: Pseudonyms) -> pa.RecordBatch:
    """Return `rows` of events with pseudonyms instead of addresses, and without forwarded_for.

    client_ip and client_address are null where they were null.
    """
    clients = _Clients(rows, pseudonyms)
    columns = [_hidden(name, rows[name], clients) for name in rows.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def _hidden(name: str, column: pa.Array, clients: _Clients) -> pa.Array:
    if name == "forwarded_for":
        return pa.nulls(len(column), column.type)
    if name == "client_ip":
        shown = zip(clients.ips, clients.names, strict=True)
        return pa.array([None if ip is None else pseudonym for ip, pseudonym in shown], column.type)
    if name == "client_address":
        return pa.array(clients.names, column.type)
    if name == "extra":
        return _replaced(column, clients.in_extra(column), column.type)
    if name in SENT_TEXTS:
        return _replaced(column, clients.in_text(column), column.type)
    return column


def _replaced(column: pa.Array, changed: dict[int, str | None], kind: pa.DataType) -> pa.Array:
    if not changed:
        return column
    values = column.to_pylist()
    for row, text in changed.items():
        values[row] = text
    return pa.array(values, kind)


class _Clients:
    """The clients of a chunk: canonical addresses, what was logged, and the names they get."""

    def __init__(self, rows: pa.RecordBatch, pseudonyms: Pseudonyms) -> None:
        self.ips = _texts(rows, "client_ip")
        self._sent = _texts(rows, "client_address")
        self._pseudonyms = pseudonyms
        self._known: dict[tuple[str | None, str | None], str | None] = {}
        self.names = [
            self._name(ip, address) for ip, address in zip(self.ips, self._sent, strict=True)
        ]

    def in_text(self, column: pa.Array) -> dict[int, str | None]:
        """Return row -> text without the client's address, for the rows that have it."""
        text = pl.lit(pl.Series(column))
        found = [
            text.str.contains(pl.lit(pl.Series(self._sought(of), dtype=pl.String)), literal=True)
            for of in (self._sent, self.ips)
        ]
        hits = pl.select(pl.any_horizontal(*(one.fill_null(False) for one in found)).arg_true())
        return {row: self._without(row, column[row].as_py()) for row in hits.to_series()}

    def in_extra(self, column: pa.Array) -> dict[int, str | None]:
        """Return row -> JSON without any address, for the rows that may have one."""
        text = pl.Series(column)
        hits = text.str.contains(_MAYBE).fill_null(False).arg_true()
        return {row: self._clean(text[row]) for row in hits}

    def _sought(self, texts: Sequence[str | None]) -> list[str | None]:
        """Return `texts` where the client is an address that is looked for in other texts."""
        return [
            text if ip is not None and len(ip) >= SHORTEST_ADDRESS else None
            for text, ip in zip(texts, self.ips, strict=True)
        ]

    def _without(self, row: int, text: str) -> str:
        name = self.names[row] or ""
        for found in (self._sent[row], self.ips[row]):
            text = text.replace(found, name) if found else text
        return text

    def _clean(self, text: str) -> str | None:
        """Return JSON without addresses; two keys may become one, of which the last stays."""
        plain = clean(text) if _ESCAPE in text else text
        return None if plain is None else clean(_ADDRESS.sub(self._of_match, plain))

    def _of_match(self, match: re.Match[str]) -> str:
        # A point or colon behind an address is not part of it.
        written = match[0] if match[0].endswith("::") else match[0].rstrip(".:")
        address = read_address(written)
        if address is None:
            return match[0]
        name = self._name(address.ip, None) or ""
        return name + match[0][len(written) :]

    def _name(self, ip: str | None, address: str | None) -> str | None:
        client = (ip, address if ip is None else None)
        if client not in self._known:
            self._known[client] = self._pseudonyms.name(*client)
        return self._known[client]


def _texts(rows: pa.RecordBatch, name: str) -> list[str | None]:
    if name not in rows.schema.names:
        return [None] * rows.num_rows
    texts: list[str | None] = rows[name].to_pylist()
    return texts
