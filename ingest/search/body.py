"""The body of one bulk request: ready bytes, two lines a document.

The server takes some broken action lines without an error, so a wrong body must never leave.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingest.errors import BooksError

LINES_PER_DOCUMENT = 2


@dataclass(frozen=True, slots=True)
class Body:
    """Documents ready to be sent. Document i stands for row `rows[i]` of its Parquet file.

    Raises BooksError when the bytes are not two lines, each ended by LF, for each row.
    """

    data: bytes
    rows: Sequence[int]

    def __post_init__(self) -> None:
        lines = self.data.count(b"\n")
        if lines != LINES_PER_DOCUMENT * len(self.rows) or not self.data.endswith(b"\n"):
            raise BooksError(
                f"a request of {len(self.rows):,} documents has {lines:,} lines: nothing was sent"
            )

    def pick(self, wanted: Sequence[int]) -> Body:
        """Return the documents at the positions `wanted` only."""
        lines = self.data.split(b"\n")
        kept = [lines[2 * i] + b"\n" + lines[2 * i + 1] + b"\n" for i in wanted]
        return Body(b"".join(kept), [self.rows[i] for i in wanted])

    def halves(self) -> tuple[Body, Body]:
        """Return the first and the second half of two or more documents."""
        middle = len(self.rows) // 2
        return self.pick(range(middle)), self.pick(range(middle, len(self.rows)))

    def document(self, position: int) -> tuple[str, dict[str, Any]]:
        """Return id and content of the document at `position`."""
        lines = self.data.split(b"\n")
        (action,) = json.loads(lines[2 * position]).values()
        return str(action["_id"]), json.loads(lines[2 * position + 1])
