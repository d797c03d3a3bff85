"""Colours of terminals in log lines: section 7.10 of the specification."""

from __future__ import annotations

import re

from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.quotes import closing_quote

_ESCAPE = "\x1b"
# One or more CSI sequences. A run that starts never has to be given up, so this is linear.
_RUN = re.compile(r"(?:\x1b\[[0-?]*[A-Za-z])+")
# What ends a field outside of quotes.
_ENDS = " []"


def without_colours(text: str) -> str:
    """Return the line `text` without the CSI sequences at the ends of its fields.

    Within a field they stay, and in a line of very many fields. A field is a quoted text, or a word
    outside of quotes.
    """
    if _ESCAPE not in text or text.count(_ESCAPE) + text.count('"') > MOST_SURPLUS:
        return text
    parts: list[str] = []
    at = 0
    while True:
        opening = text.find('"', at)
        if opening < 0:
            return "".join([*parts, _stripped(text[at:], ends=_ENDS)])
        closing = closing_quote(text, opening + 1)
        end = len(text) if closing < 0 else closing
        parts += [
            _stripped(text[at:opening], ends=_ENDS),
            '"',
            _stripped(text[opening + 1 : end], ends=""),
            text[end : end + 1],
        ]
        at = end + 1


def _stripped(text: str, *, ends: str) -> str:
    """Return `text` without the runs that touch its ends or one of the characters `ends`."""

    def kept(run: re.Match[str]) -> str:
        start, end = run.span()
        at_an_end = start == 0 or end == len(text) or text[start - 1] in ends or text[end] in ends
        return "" if at_an_end else run[0]

    return _RUN.sub(kept, text)
