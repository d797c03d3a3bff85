"""How a connection begins: no encryption, a password, and parameters that PostgreSQL knows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from redshift import frames
from redshift.frames import Message, read_message

CANCEL_REQUEST, SSL_REQUEST, GSSENC_REQUEST = 80877102, 80877103, 80877104
# redshift_connector tells more, such as driver_version, which PostgreSQL does not know.
_KEPT = ("database", "application_name", "client_encoding", "options")
# The driver compares this number, and cannot read PostgreSQL's own.
_SERVER_VERSION = "8.0.2"
_CLEARTEXT_PASSWORD = 3


@dataclass(frozen=True, slots=True)
class Cancel:
    """A request to cancel the statement of another connection: the packet as it came."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class Login:
    """Who connects, and the parameters that PostgreSQL gets."""

    user: str
    parameters: dict[str, str]


async def read_startup(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Login | Cancel:
    """Return what the client wants; encryption is answered with N for no.

    Raises IncompleteReadError when the client goes away instead.
    """
    while True:
        length = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(length, "big") - 4)
        code = int.from_bytes(body[:4], "big")
        if code == CANCEL_REQUEST:
            return Cancel(length + body)
        if code not in (SSL_REQUEST, GSSENC_REQUEST):
            return _login(body[4:])
        writer.write(b"N")
        await writer.drain()


def _login(body: bytes) -> Login:
    parts = [part.decode() for part in body.split(b"\0")]
    given = dict(zip(parts[::2], parts[1::2], strict=False))
    user = given.get("user", "")
    given.setdefault("database", user)
    return Login(user, {name: given[name] for name in _KEPT if name in given})


async def ask_password(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Return the password, which the client sends in plain text to this machine."""
    writer.write(Message(frames.AUTHENTICATION, frames.number(_CLEARTEXT_PASSWORD)).encoded)
    await writer.drain()
    return frames.split_text((await read_message(reader)).body)[0]


def login_refused(user: str) -> Message:
    """Return Redshift's answer to a wrong user or password."""
    said = f'password authentication failed for user "{user}"'
    return frames.report({"S": "FATAL", "C": "28000", "M": said})


def as_redshift(message: Message) -> Message:
    """Return `message` of PostgreSQL's greeting with Redshift's version in it."""
    if message.type == frames.PARAMETER_STATUS and message.body.startswith(b"server_version\0"):
        body = frames.text("server_version") + frames.text(_SERVER_VERSION)
        return Message(frames.PARAMETER_STATUS, body)
    return message
