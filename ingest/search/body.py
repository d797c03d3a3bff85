"""The body of one bulk request: ready bytes, a line for the action and one for the document.

The server accepts some broken action lines without an error, so a wrong body must not be sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.errors import BooksError
from ingest.terminal.text import count_of

INDEX, DELETE = 2, 1  # lines of an action


@dataclass(frozen=True, slots=True)
class Body:
    """Actions ready to be sent. Action i is that of row `rows[i]` of its Parquet file.

    `lines` is INDEX (with a document) or DELETE (without). Raises BooksError when the bytes are
    not that many lines per row, each ended by LF.
    """

    data: bytes
    rows: Sequence[int]
    lines: int = INDEX

    def __post_init__(self) -> None:
        found = self.data.count(b"\n")
        if found != self.lines * len(self.rows) or not self.data.endswith(b"\n"):
            raise BooksError(
                f"a request of {count_of(len(self.rows), 'document')} has "
                f"{count_of(found, 'line')}: it was not sent"
            )

    def pick(self, wanted: Sequence[int]) -> Body:
        """Return the actions at the positions `wanted` only."""
        lines = self.data.split(b"\n")
        kept = [line for i in wanted for line in lines[self.lines * i : self.lines * (i + 1)]]
        return Body(b"\n".join(kept) + b"\n", [self.rows[i] for i in wanted], self.lines)

    def halves(self) -> tuple[Body, Body]:
        """Return the first and the second half of two or more actions."""
        middle = len(self.rows) // 2
        return self.pick(range(middle)), self.pick(range(middle, len(self.rows)))

    def documents(self, wanted: Sequence[int]) -> list[tuple[str, dict[str, Any]]]:
        """Return id and content of the documents at `wanted`; a deletion has empty content."""
        lines = self.data.split(b"\n")
        found = []
        for i in wanted:
            action, *document = lines[self.lines * i : self.lines * (i + 1)]
            (target,) = json.loads(action).values()
            found.append((str(target["_id"]), json.loads(document[0]) if document else {}))
        return found
