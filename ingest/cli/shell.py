"""The shell of `clickstream query`: one session for many questions, with completion and history."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

from ingest.cli.common import answer_text
from ingest.errors import ClickstreamError, described
from ingest.terminal import interrupts
from ingest.terminal.text import printable_lines, table_text
from ingest.warehouse import Warehouse
from ingest.warehouse.query import NO_TABLES, run_query

HELP = r"""A query ends with ; and may span several lines. Tab completes names.
  \d         list tables and views
  \d NAME    list the columns of one
  \?         show this help
  \q         leave (so does Ctrl-D)
Ctrl-C drops what was typed, or stops the running query."""
_KEYWORDS = (
    "and", "as", "asc", "avg", "between", "by", "case", "cast", "count", "date", "desc", "distinct",
    "else", "end", "from", "full", "group", "having", "in", "is", "join", "left", "like", "limit",
    "max", "min", "not", "null", "on", "or", "order", "over", "partition", "select", "sum", "then",
    "timestamp", "union", "when", "where", "with",
)  # fmt: skip
_CANCEL_SECONDS = 0.2
_WORD = re.compile(r"[\\\w.]+")
# Strings, quoted names and comments: what is in them does not end a query.
_QUOTED = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL
)


class Names(Completer):
    """Completes keywords, tables, and the columns of the tables that the query names."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.relations = warehouse.relations()
        self._columns: dict[str, list[str]] = {}

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterator[Completion]:
        """Yield the names that begin as the word before the cursor does, in any case."""
        word = document.get_word_before_cursor(pattern=_WORD)
        if not word:
            return
        for name in self._candidates(document):
            if name.lower().startswith(word.lower()):
                yield Completion(name, start_position=-len(word))

    def _candidates(self, document: Document) -> list[str]:
        if document.text_before_cursor.startswith("\\d "):
            return self.relations
        words = {word.lower() for word in _WORD.findall(document.text)}
        mentioned = [relation for relation in self.relations if relation.lower() in words]
        columns = {name for relation in mentioned for name in self._columns_of(relation)}
        return [*sorted(columns), *self.relations, *_KEYWORDS]

    def _columns_of(self, relation: str) -> list[str]:
        if relation not in self._columns:
            try:
                columns = self._warehouse.columns(relation)
            except ClickstreamError:
                columns = []  # the query itself will say why
            self._columns[relation] = [column.name for column in columns]
        return self._columns[relation]


class _History(FileHistory):
    """Keeps what was asked where it can; without that the shell works all the same."""

    def store_string(self, string: str) -> None:
        """Add a query to the file."""
        with suppress(OSError):
            super().store_string(string)


def open_shell(
    warehouse: Warehouse,
    history: Path,
    *,
    shared: bool = False,
    source: Input | None = None,
    sink: Output | None = None,
) -> None:
    """Answer queries until the user leaves; `history` is the file that keeps them.

    `shared` tells that others can use the warehouse meanwhile, as they can a database. `source` and
    `sink` replace the terminal in tests.
    """
    names = Names(warehouse)
    session: PromptSession[str] = PromptSession(
        history=_History(str(history)),
        completer=names,
        complete_while_typing=False,
        key_bindings=_enter_runs_what_is_complete(),
        multiline=True,
        prompt_continuation=lambda width, _line, _soft: "> ".rjust(width),
        input=source,
        output=sink,
    )
    leave = "Leave" if shared else "No other command can use this warehouse until you leave"
    click.echo(rf"\? shows help. {leave} with \q.")
    while True:
        try:
            text = session.prompt("clickstream> ").strip().rstrip(";").rstrip()
        except KeyboardInterrupt:
            if not interrupts.forget_ctrl_c():
                raise
            continue
        except EOFError:
            return
        if text in (r"\q", "exit", "quit"):
            return
        if text:
            click.echo(_answer(warehouse, names, text))


def is_complete(text: str) -> bool:
    """Return whether Enter runs `text`: a command, or a query that a ; ends."""
    text = text.strip()
    if not text or text.startswith("\\") or text in ("exit", "quit"):
        return True
    rest = _QUOTED.sub(" ", text).rstrip()
    return rest.endswith(";") and not re.search(r"['\"`]|/\*", rest)


def _enter_runs_what_is_complete() -> KeyBindings:
    keys = KeyBindings()

    @Condition
    def can_run() -> bool:
        return is_complete(get_app().current_buffer.text)

    # Elsewhere, as in a search of the history, Enter keeps its meaning.
    @keys.add("enter", filter=has_focus(DEFAULT_BUFFER) & can_run)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _answer(warehouse: Warehouse, names: Names, text: str) -> str:
    """Return what to show for a command or a query; an error is an answer too."""
    width = shutil.get_terminal_size().columns

    def work() -> str:
        if text.startswith("\\"):
            return printable_lines(_command(warehouse, names, text))
        return answer_text(run_query(warehouse, text), width)

    try:
        return _interruptible(work, warehouse.cancel)
    except ClickstreamError as error:
        return printable_lines(f"error: {described(error)}")
    except Exception as error:  # noqa: BLE001 - a bug must not end the shell
        return printable_lines(f"error: unexpected {type(error).__name__} (a bug): {error}")


def _command(warehouse: Warehouse, names: Names, text: str) -> str:
    command, _, name = text.partition(" ")
    if command == r"\d" and name.strip():
        columns = warehouse.columns(name.strip())
        return table_text(("column", "type"), columns)
    if command == r"\d":
        return "\n".join(names.relations) or NO_TABLES
    if command == r"\?":
        return HELP
    return rf"error: no command {command}; \? lists them"


def _interruptible(work: Callable[[], str], cancel: Callable[[], None]) -> str:
    """Return what `work` returns, from a thread of its own; Ctrl-C cancels it and waits for it.

    No executor: one that is interrupted while it starts its thread does not wait for it.
    """
    answer: Future[str] = Future()
    try:
        threading.Thread(target=_fulfil, args=(answer, work), daemon=True).start()
        return answer.result()
    except KeyboardInterrupt:
        # Again and again: between two jobs of a query there is nothing to cancel.
        while not answer.done():
            cancel()
            wait([answer], timeout=_CANCEL_SECONDS)
        if not interrupts.forget_ctrl_c():
            raise
        raise ClickstreamError("the query was stopped") from None


def _fulfil(answer: Future[str], work: Callable[[], str]) -> None:
    try:
        answer.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised where the answer is wanted
        answer.set_exception(error)
