"""Messages of PostgreSQL's protocol, version 3: a type byte, a length, a body.

Redshift speaks the same protocol. A letter may mean one thing from the client and another from the
server, so the names below are grouped by who sends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

# From the client.
BIND, CLOSE, DESCRIBE, EXECUTE, FLUSH, PARSE = b"B", b"C", b"D", b"E", b"H", b"P"
COPY_DATA, COPY_DONE, COPY_FAIL = b"d", b"c", b"f"
QUERY, SYNC, TERMINATE = b"Q", b"S", b"X"
# From the server.
AUTHENTICATION, KEY_DATA, PARAMETER_STATUS, READY = b"R", b"K", b"S", b"Z"
COMMAND_COMPLETE, COPY_IN_RESPONSE, DATA_ROW, ERROR, NOTICE = b"C", b"G", b"D", b"E", b"N"

_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `body` is what follows the length."""

    type: bytes
    body: bytes = b""

    @property
    def encoded(self) -> bytes:
        """The message as it is sent; the length counts itself."""
        return self.type + number(len(self.body) + _LENGTH_BYTES) + self.body


async def read_message(reader: asyncio.StreamReader) -> Message:
    """Return the next message. Raises IncompleteReadError when the other side has gone."""
    kind = await reader.readexactly(1)
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
    return Message(kind, await reader.readexactly(length - _LENGTH_BYTES))


def number(value: int) -> bytes:
    """Return `value` as four bytes, as lengths and codes are sent."""
    return value.to_bytes(4, "big")


def text(value: str) -> bytes:
    """Return `value` as a text that ends with a zero byte."""
    return value.encode() + b"\0"


def split_text(body: bytes) -> tuple[str, bytes]:
    """Return the text that `body` begins with, and what follows its zero byte."""
    value, _, rest = body.partition(b"\0")
    return value.decode(), rest


def query(sql: str) -> Message:
    """Return `sql` as a simple query."""
    return Message(QUERY, text(sql))


def data_row(body: bytes) -> list[str | None]:
    """Return the fields of a DataRow that was sent as text; None is null."""
    fields: list[str | None] = []
    at = 2  # the count of fields
    for _ in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[at : at + 4], "big", signed=True)
        at += 4
        fields.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return fields


def report(fields: Mapping[str, str], kind: bytes = ERROR) -> Message:
    """Return an ErrorResponse, or a NoticeResponse, of `fields`.

    The keys are the letters of the protocol: S severity, C code, M message, D detail.
    """
    return Message(kind, b"".join(text(key + value) for key, value in fields.items()) + b"\0")


def report_fields(body: bytes) -> dict[str, str]:
    """Return the fields of an ErrorResponse or a NoticeResponse by their letter."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}
