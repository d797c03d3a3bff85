"""The fields behind the user agent, in any order: section 7.6 of the specification."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ingest.parse.fields.addresses import has_no_ports, is_address_list
from ingest.parse.fields.quotes import read_quoted
from ingest.parse.fields.text import logged, value

_FORWARDED = "X-Forwarded-For="
# More than a line has that kernels read, and many times those of any log.
_MOST_BLANKS = 4096
# The name is a token of RFC 9110, as RFC 6265 wants it.
_PAIR = re.compile(r" *[!#$%&'*+.^_`|~0-9A-Za-z-]{1,255}=")


class _Field(NamedTuple):
    """A field at [start, end): its raw text; `quoted`, and perhaps with a name before it."""

    start: int
    end: int
    text: str
    quoted: bool
    named: bool
    closed: bool


@dataclass(slots=True)
class Tail:
    """What the fields say, texts unescaped; None where there is none.

    `duration` is digits. `rest` is what no rule takes, as logged. `closed` is False when the
    line ends within a quoted field.
    """

    forwarded_for: str | None = None
    cookie: str | None = None
    duration: str | None = None
    rest: str | None = None
    closed: bool = True


def is_cookie(text: str) -> bool:
    """Return whether `text` begins with a `name=value`, as every cookie does."""
    return _PAIR.match(text) is not None


def read_tail(text: str, *, has_list: bool) -> Tail:
    """Return the parts of `text`; `has_list`: the line has an address list before it.

    With too many words all of it is `rest`.
    """
    text = text.strip(" ")
    if text.count(" ") > _MOST_BLANKS:
        return Tail(rest=text)
    fields = list(_fields(text))
    # A field that is not closed runs to the end.
    tail = Tail(closed=not fields or fields[-1].closed)
    numbers = [field for field in fields if not field.quoted and _is_number(field.text)]
    left = []
    for index, field in enumerate(fields):
        if len(numbers) == 1 and numbers[0] is field and field is fields[-1]:
            tail.duration = field.text
        elif not _is_placed(tail, field, is_first=index == 0, has_list=has_list):
            left.append(field)
    tail.rest = value(" ".join(_joined(text, left)))
    return tail


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_placed(tail: Tail, field: _Field, *, is_first: bool, has_list: bool) -> bool:
    """Store `field` in `tail` when it is a list or a cookie; return whether it is."""
    text = logged(field.text) if field.quoted else field.text
    if text is None:
        # A `-` right behind the agent is a list or a cookie that was not sent.
        return is_first or field.named
    wants_list = tail.forwarded_for is None and not has_list
    if wants_list and (field.named or _is_list(field, text, is_first=is_first)):
        tail.forwarded_for = text
    elif field.quoted and not field.named and tail.cookie is None and is_cookie(text):
        tail.cookie = text
    else:
        return False
    return True


def _is_list(field: _Field, text: str, *, is_first: bool) -> bool:
    return is_address_list(text) and ((field.quoted and is_first) or has_no_ports(text))


def _fields(text: str) -> Iterator[_Field]:
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        named = text.startswith(f'{_FORWARDED}"', at)
        opening = at + len(_FORWARDED) if named else at
        if text[opening] == '"':
            raw, end, closed = read_quoted(text, opening)
            yield _Field(at, end, raw, quoted=True, named=named, closed=closed)
        else:
            end = _bare_end(text, at)
            yield _Field(at, end, text[at:end], quoted=False, named=False, closed=True)
        at = end


def _bare_end(text: str, at: int) -> int:
    """Return the end of the word at `at`, or of the addresses that commas join to it."""
    end = _word_end(text, at)
    while text[end - 1] == "," and text[end + 1 : end + 2] not in ("", " ", '"'):
        # The words before this one are addresses already.
        if not is_address_list(text[at : end - 1]):
            break
        at, end = end + 1, _word_end(text, end + 1)
    return end


def _word_end(text: str, at: int) -> int:
    end = text.find(" ", at)
    return len(text) if end < 0 else end


def _joined(text: str, fields: list[_Field]) -> Iterator[str]:
    """Return the texts of `fields`; of neighbours also what stands between them."""
    start = end = -1
    for field in fields:
        if start >= 0 and text[end : field.start].strip(" "):
            yield text[start:end]
            start = -1
        start, end = (start if start >= 0 else field.start), field.end
    if start >= 0:
        yield text[start:end]
