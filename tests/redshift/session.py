"""One client's connection: its messages go to PostgreSQL, the answers come back.

The protocol has questions and answers: whatever a client sends up to Sync, or a simple query, is
answered up to ReadyForQuery. So messages are held until then, and both sides never talk at once.
Flush is dropped: redshift_connector sends it after each message, and Sync after them anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from redshift import frames
from redshift.backend import Backend, BackendError
from redshift.copy_command import CopyCommand
from redshift.copy_load import load
from redshift.frames import Message, read_message
from redshift.load_log import LoadLog
from redshift.refusal import CopyRefused
from redshift.statements import raising, translated

_SYNC = Message(frames.SYNC)
_OF_STATEMENT = b"S"
_LAST = (frames.QUERY, frames.SYNC, frames.TERMINATE)


class Session:
    """The conversation of one client that is logged in."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        backend: Backend,
        s3: Any,
        log: LoadLog,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._backend = backend
        self._s3 = s3
        self._log = log
        # Which prepared statements, and which portals of a batch, are a COPY.
        self._statements: dict[str, CopyCommand] = {}
        self._portals: dict[str, CopyCommand | None] = {}

    async def run(self) -> None:
        """Answer until the client says good-bye.

        Raises IncompleteReadError when a side goes away without a word, ConnectionError.
        """
        while True:
            batch: list[Message] = []
            while not batch or batch[-1].type not in _LAST:
                batch.append(await read_message(self._reader))
            *before, last = (message for message in batch if message.type != frames.FLUSH)
            if last.type == frames.TERMINATE:
                return
            if last.type == frames.QUERY:
                await self._answer_query(last)
            else:
                await self._answer_batch(before)
            await self._writer.drain()

    async def _answer_query(self, message: Message) -> None:
        statement = translated(frames.split_text(message.body)[0])
        if isinstance(statement, CopyCommand):
            await self._copy(statement)
            await self._relay([_SYNC])
        else:
            await self._relay([frames.query(statement)])

    async def _answer_batch(self, batch: Sequence[Message]) -> None:
        """Answer the messages before a Sync; PostgreSQL gets all but the Execute of a COPY."""
        self._portals.clear()
        asked = [self._noted(message) for message in batch]
        copies = [self._copy_of(message) for message in asked]
        at, command = next(((n, copy) for n, copy in enumerate(copies) if copy), (0, None))
        if command is None:
            await self._relay([*asked, _SYNC])
        elif await self._relay([*asked[:at], _SYNC], ready=False):
            done = await self._copy(command)
            await self._relay([*asked[at + 1 :], _SYNC] if done else [_SYNC])

    def _noted(self, message: Message) -> Message:
        """Return `message` for PostgreSQL, and note which names mean a COPY."""
        if message.type == frames.PARSE:
            return self._parsed(message)
        if message.type == frames.BIND:
            portal, rest = frames.split_text(message.body)
            self._portals[portal] = self._statements.get(frames.split_text(rest)[0])
        elif message.type == frames.CLOSE and message.body.startswith(_OF_STATEMENT):
            self._statements.pop(frames.split_text(message.body[1:])[0], None)
        return message

    def _parsed(self, message: Message) -> Message:
        name, rest = frames.split_text(message.body)
        sql, types = frames.split_text(rest)
        statement = translated(sql)
        self._statements.pop(name, None)
        if isinstance(statement, CopyCommand):
            self._statements[name] = statement
            statement = statement.from_stdin()
        return replace(message, body=frames.text(name) + frames.text(statement) + types)

    def _copy_of(self, message: Message) -> CopyCommand | None:
        """Return the COPY that `message` executes, if it does."""
        if message.type != frames.EXECUTE:
            return None
        return self._portals.get(frames.split_text(message.body)[0])

    async def _relay(self, messages: Iterable[Message], *, ready: bool = True) -> bool:
        """Send `messages`, pass the answers on and return whether none is an error.

        Without `ready`, ReadyForQuery is passed on after an error only.
        """
        good = True
        await self._backend.send(messages)
        async for answer in self._backend.answers():
            if answer.type == frames.COPY_IN_RESPONSE:
                raise ConnectionError("a second COPY among messages that are sent at once")
            good = good and answer.type != frames.ERROR
            if ready or not good or answer.type != frames.READY:
                self._tell(answer)
            await self._writer.drain()
        return good

    async def _copy(self, command: CopyCommand) -> bool:
        """Do a COPY, tell the client how it ended, and return whether it went well."""
        try:
            loaded = await load(command, self._backend, self._s3)
        except BackendError as error:
            self._tell(error.response)
            return False
        except CopyRefused as refusal:
            await self._log.refused(command, refusal)
            await self._abort(refusal)
            self._tell(refusal.response)
            return False
        await self._log.loaded(command, loaded)
        said = f"{loaded.rows} record(s) loaded successfully."
        fields = {"S": "INFO", "C": "00000"}
        fields["M"] = f"Load into table '{command.table[-1]}' completed, {said}"
        self._tell(frames.report(fields, frames.NOTICE))
        self._tell(Message(frames.COMMAND_COMPLETE, frames.text("COPY")))
        return True

    async def _abort(self, refusal: CopyRefused) -> None:
        """Abort the transaction as any failed statement does. It may be aborted already."""
        try:
            await self._backend.query(raising(refusal.message))
        except BackendError:
            return
        raise AssertionError("PostgreSQL raised nothing")

    def _tell(self, message: Message) -> None:
        self._writer.write(message.encoded)
