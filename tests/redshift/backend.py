"""A connection to the PostgreSQL behind the stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Self

from redshift import frames
from redshift.frames import Message, read_message

_PROTOCOL_3 = 196608
# Parts of a COPY that are in the socket before we wait for PostgreSQL to take them.
_CHUNK_BYTES = 1 << 20


class BackendError(Exception):
    """PostgreSQL refused; `response` is its ErrorResponse."""

    def __init__(self, response: Message) -> None:
        super().__init__(frames.report_fields(response.body).get("M", ""))
        self.response = response


class Backend:
    """A connection as user postgres. `greeting` is what PostgreSQL sent when it was opened."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.greeting: list[Message] = []

    @classmethod
    async def open(cls, socket: Path, parameters: Mapping[str, str]) -> Self:
        """Connect; `parameters` name at least the database.

        Raises BackendError when it does not exist.
        """
        backend = cls(*await asyncio.open_unix_connection(socket))
        try:
            await backend._greet({**parameters, "user": "postgres"})
        except BaseException:
            await backend.close()
            raise
        return backend

    async def _greet(self, parameters: Mapping[str, str]) -> None:
        pairs = b"".join(frames.text(part) for pair in parameters.items() for part in pair)
        body = frames.number(_PROTOCOL_3) + pairs + b"\0"
        self._writer.write(frames.number(len(body) + 4) + body)
        while not self.greeting or self.greeting[-1].type != frames.READY:
            message = await read_message(self._reader)
            if message.type == frames.ERROR:
                raise BackendError(message)
            self.greeting.append(message)

    @property
    def process_id(self) -> int:
        """The number of the process that serves this connection."""
        body = next(one.body for one in self.greeting if one.type == frames.KEY_DATA)
        return int.from_bytes(body[:4], "big")

    async def send(self, messages: Iterable[Message]) -> None:
        """Send `messages`."""
        self._writer.write(b"".join(message.encoded for message in messages))
        await self._writer.drain()

    async def answers(self) -> AsyncIterator[Message]:
        """Yield what PostgreSQL answers, up to and with ReadyForQuery."""
        while True:
            message = await read_message(self._reader)
            yield message
            if message.type == frames.READY:
                return

    async def query(self, sql: str) -> list[list[str | None]]:
        """Return the rows of `sql` as text. Raises BackendError."""
        await self.send([frames.query(sql)])
        answers = await self._complete()
        return [frames.data_row(one.body) for one in answers if one.type == frames.DATA_ROW]

    async def copy_in(self, sql: str, chunks: AsyncIterator[bytes]) -> int:
        """Run `sql`, a COPY FROM STDIN, with `chunks` and return the number of rows.

        Raises BackendError, or what `chunks` raises; either way the transaction is aborted.
        """
        await self.send([frames.query(sql)])
        first = await read_message(self._reader)
        if first.type != frames.COPY_IN_RESPONSE:
            await self._complete(first)
        try:
            async for chunk in chunks:
                for at in range(0, len(chunk), _CHUNK_BYTES):
                    part = Message(frames.COPY_DATA, chunk[at : at + _CHUNK_BYTES])
                    await self.send([part])
        except Exception:
            await self.send([Message(frames.COPY_FAIL, frames.text("refused"))])
            async for _ in self.answers():  # the error that we asked for
                pass
            raise
        await self.send([Message(frames.COPY_DONE)])
        answers = await self._complete()
        tag = next(one.body for one in answers if one.type == frames.COMMAND_COMPLETE)
        return int(tag.rstrip(b"\0").rpartition(b" ")[2])

    async def _complete(self, *before: Message) -> list[Message]:
        """Return `before` and the answers after it. Raises BackendError when one is an error."""
        answers = [*before, *[message async for message in self.answers()]]
        for message in answers:
            if message.type == frames.ERROR:
                raise BackendError(message)
        return answers

    async def close(self) -> None:
        """Say good-bye; an open transaction is rolled back."""
        try:
            await self.send([Message(frames.TERMINATE)])
        except ConnectionError:
            pass  # PostgreSQL has gone already
        finally:
            self._writer.close()


def literal(value: object) -> str:
    """Return `value` as a literal of SQL; None is null."""
    if value is None:
        return "null"
    escaped = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def identifier(name: str) -> str:
    """Return `name` as a quoted name."""
    return '"' + name.replace('"', '""') + '"'
