"""Quoted fields of the CLF family: section 4.2 of the specification, `access` quotes."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingest.parse.fields.possessive import P

# What follows an opening quote: text, escapes, and the quote that closes it.
_UP_TO_QUOTE = re.compile(rf'[^"\\]*{P}(?:\\.[^"\\]*{P})*{P}"', re.DOTALL)


class Quoted(NamedTuple):
    """A quoted field: its raw text, where reading goes on, and whether it ended as it should."""

    text: str
    end: int
    closed: bool


def closing_quote(text: str, start: int) -> int:
    r"""Return the first `"` of `text` from `start` on that no `\` escapes, -1 without any."""
    at = text.find('"', start)
    if at <= start or text[at - 1] != "\\":
        return at
    match = _UP_TO_QUOTE.match(text, start)
    return -1 if match is None else match.end() - 1


def read_quoted(text: str, at: int) -> Quoted:
    """Return the field whose opening quote is at `at`.

    One that is not closed runs to the end, one that text follows to the last quote of `text`.
    """
    closing = closing_quote(text, at + 1)
    if closing < 0:
        return Quoted(text[at + 1 :], len(text), closed=False)
    if text[closing + 1 : closing + 2] in ("", " "):
        return Quoted(text[at + 1 : closing], closing + 1, closed=True)
    return Quoted(text[at + 1 : text.rindex('"')], len(text), closed=False)
