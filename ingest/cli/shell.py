"""The shell of `clickstream query`: one session for many questions, with completion and history."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

from ingest.errors import ClickstreamError, described
from ingest.terminal import interrupts
from ingest.terminal.text import printable_lines, table_text
from ingest.warehouse import Rows, Warehouse
from ingest.warehouse.query import answer_text, run_query

HELP = r"""A query ends with ; and may have several lines. Tab completes names.
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
_WORD = re.compile(r"[\\\w.?]+")


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
        mentioned = set(_WORD.findall(document.text)) & set(self.relations)
        columns = {name for relation in mentioned for name in self._columns_of(relation)}
        return [*sorted(columns), *self.relations, *_KEYWORDS]

    def _columns_of(self, relation: str) -> list[str]:
        if relation not in self._columns:
            columns = self._warehouse.columns(relation)
            self._columns[relation] = [column.name for column in columns]
        return self._columns[relation]


def open_shell(
    warehouse: Warehouse, history: Path, *, source: Input | None = None, sink: Output | None = None
) -> None:
    """Answer queries until the user leaves; `history` is the file that keeps them.

    `source` and `sink` replace the terminal in tests.
    """
    names = Names(warehouse)
    history.parent.mkdir(parents=True, exist_ok=True)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)),
        completer=names,
        complete_while_typing=False,
        key_bindings=_enter_runs_what_is_complete(),
        multiline=True,
        prompt_continuation=lambda width, _line, _soft: "> ".rjust(width),
        input=source,
        output=sink,
    )
    click.echo(r"\? shows help. Commands that use this warehouse wait until you leave with \q.")
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
            click.echo(printable_lines(_answer(warehouse, names, text)))


def _enter_runs_what_is_complete() -> KeyBindings:
    keys = KeyBindings()

    @Condition
    def is_complete() -> bool:
        text = get_app().current_buffer.text.strip()
        return not text or text.endswith(";") or text.startswith("\\") or text in ("exit", "quit")

    @keys.add("enter", filter=is_complete)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def _answer(warehouse: Warehouse, names: Names, text: str) -> str:
    """Return what to show for a command or a query; an error is an answer too."""
    try:
        if text.startswith("\\"):
            return _command(warehouse, names, text)
        found = _interruptible(lambda: run_query(warehouse, text), warehouse.cancel)
        return answer_text(found, shutil.get_terminal_size().columns)
    except ClickstreamError as error:
        return f"error: {described(error)}"


def _command(warehouse: Warehouse, names: Names, text: str) -> str:
    command, _, name = text.partition(" ")
    if command == r"\d" and name.strip():
        columns = warehouse.columns(name.strip())
        return table_text(("column", "type"), columns)
    if command == r"\d":
        names.relations = warehouse.relations()
        return "\n".join(names.relations) or "no tables yet: run `clickstream run` first"
    if command == r"\?":
        return HELP
    return rf"error: no command {command}; \? lists them"


def _interruptible(work: Callable[[], Rows], cancel: Callable[[], None]) -> Rows:
    """Return what `work` does, in a thread of its own; Ctrl-C calls `cancel` and waits for it."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            return pool.submit(work).result()
        except KeyboardInterrupt:
            cancel()
            if not interrupts.forget_ctrl_c():
                raise
            raise ClickstreamError("the query was stopped") from None
