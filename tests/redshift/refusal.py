"""What COPY answers when it refuses, in the shape that Redshift gives it."""

from __future__ import annotations

from redshift import frames
from redshift.columns import TableColumn
from redshift.frames import Message

# Redshift's own codes: what is wrong with a file's content, and anything else.
SCAN_ERROR, OTHER_ERROR = 15007, 8001


class CopyRefused(Exception):
    """COPY refuses: `message` in short, `context` in full, and the file and column, if any."""

    def __init__(
        self,
        message: str,
        *,
        context: str = "",
        code: int = OTHER_ERROR,
        file: str | None = None,
        column: TableColumn | None = None,
    ) -> None:
        super().__init__(message, context)
        self.message = message
        self.context = context or message
        self.code = code
        self.file = file
        self.column = column

    @property
    def response(self) -> Message:
        """The ErrorResponse that the client gets."""
        detail = f"error: {self.message}\n  code: {self.code}\n  context: {self.context}"
        return frames.report({"S": "ERROR", "C": "XX000", "M": self.message, "D": detail})
