"""The fields of a line, with blanks between two: words, or texts in quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from ingest.parse.fields.quotes import read_quoted

_WORD = re.compile("[^ ]+")


@dataclass(slots=True)
class Fields:
    """At most `most` fields of a `line` as logged, and one for the rest.

    `closed` is False when the last, at `opened`, did not end as it should. `runs` are of fields
    that were added together: the number of fields before them, and where they begin.
    """

    line: str
    most: int
    texts: list[str] = field(default_factory=list)
    quoted: list[bool] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    opened: int = 0
    closed: bool = True

    def add(self, text: str, at: int, *, quoted: bool, closed: bool) -> None:
        """Add the field `text`, which begins at `at`."""
        self.runs.append((len(self.texts), at))
        self.texts.append(text)
        self.quoted.append(quoted)
        self.opened, self.closed = at, closed

    @property
    def room(self) -> int:
        """How many more fields there may be."""
        return self.most - len(self.texts)

    def add_words(self, at: int, stop: int) -> int:
        """Add the words of line[at:stop], of which the last may hold a quote; return their end."""
        words = list(islice(_WORD.finditer(self.line, at, stop), self.room))
        self.runs.append((len(self.texts), at))
        self.texts += [word[0] for word in words]
        self.quoted += [False] * len(words)
        end = stop if self.room else words[-1].end()
        if words and '"' in self.texts[-1]:
            self.opened, self.closed = words[-1].start(), False
            self._drop_after_quoted()
        return end

    def _drop_after_quoted(self) -> None:
        """Drop the words behind the last quoted field: a quote in one may be its end."""
        while self.quoted and not self.quoted[-1]:
            self.texts.pop()
            self.quoted.pop()

    def begin_of(self, index: int) -> int:
        """Return where the field `index` begins, the end of a line that has fewer."""
        if index >= len(self.texts):
            return len(self.line)
        before, at = next(run for run in reversed(self.runs) if run[0] <= index)
        for text in self.texts[before:index]:
            at = self.line.index(text, at) + len(text)
        return at if self.quoted[index] else self.line.index(self.texts[index], at)


def read_fields(line: str, most: int) -> Fields:
    """Return the fields of `line`, up to one that does not end as it should.

    What is behind `most` of them is one more field.
    """
    fields = Fields(line, most)
    at = 0
    while fields.closed and at < len(line):
        if not fields.room:
            _add_rest(fields, at)
            break
        if line[at] == '"':
            quoted = read_quoted(line, at)
            fields.add(quoted.text, at, quoted=True, closed=quoted.closed)
            at = quoted.end
        else:
            at = fields.add_words(at, _stop_of_words(line, at))
    return fields


def _add_rest(fields: Fields, at: int) -> None:
    rest = fields.line[at:].strip(" ")
    if rest:
        fields.add(rest, fields.line.index(rest, at), quoted=False, closed=True)


def _stop_of_words(text: str, at: int) -> int:
    """Return where the words from `at` on stop: before a quote, behind a word that holds one."""
    quote = text.find('"', at)
    if quote < 0 or text[quote - 1] == " ":
        return len(text) if quote < 0 else quote
    end = text.find(" ", quote)
    return len(text) if end < 0 else end
