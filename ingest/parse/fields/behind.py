"""What stands between the bytes and the tail: section 7.5 of the specification."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.parse.fields.addresses import is_address_list, is_dotted_host, split_port
from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.quotes import Quoted, read_quoted
from ingest.parse.fields.tail import is_cookie
from ingest.parse.fields.text import value

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,63})=")
# The beginning of an absolute URL, which no user agent has.
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,63}://")
_LETTER = re.compile(r"[A-Za-z]")
# A host, referrer and agent: what has to be seen to tell which is which.
_FIELDS = 3


@dataclass(slots=True, kw_only=True)
class Behind:
    """The fields behind the bytes, as logged; None where there is none.

    `words` are those of the form `name=value`. `unplaced` is text that no rule places. `end` is
    where the tail begins, None when a field did not end as it should: then nothing follows.
    """

    number: str | None = None
    words: list[tuple[str, str]] = field(default_factory=list)
    server: str | None = None
    unplaced: list[str] = field(default_factory=list)
    referrer: str | None = None
    agent: str | None = None
    end: int | None = None

    @property
    def has_one_field(self) -> bool:
        """Whether the user agent is missing, although a referrer is there."""
        return self.referrer is not None and self.agent is None and self.end is not None


def read_behind(text: str, at: int) -> Behind:
    """Return the fields of `text` from `at` on, where the bytes end."""
    words, quote = _words(text, at)
    fields = _quoted_fields(text, quote)
    found = Behind(end=at)
    if words and (value(words[0]) is None or _NUMBER.fullmatch(words[0])):
        found.number = value(words[0])
        found.end = text.index(words[0], at) + len(words[0])
        words = words[1:]
    if not fields or (words and len(fields) == 1):
        if found.number is None:
            found.end = at
        return found
    for word in words:
        _put_word(found, word)
    _put_quoted(found, fields)
    return found


def _words(text: str, at: int) -> tuple[list[str], int]:
    """Return the words up to the first quoted field, and where that is (or the end).

    Where there are more than `MOST_SURPLUS`, none of them: they belong to the tail.
    """
    words: list[str] = []
    while at < len(text):
        if len(words) > MOST_SURPLUS:
            return [], at
        if text[at] == " ":
            at += 1
            continue
        if text[at] == '"':
            break
        end = _word_end(text, at)
        words.append(text[at:end])
        at = end
    return words, at


def _word_end(text: str, at: int) -> int:
    """Return the end of the word at `at`; the value of `name="value"` may hold spaces."""
    name = _NAME.match(text, at)
    if name is not None and text.startswith('"', name.end()):
        return read_quoted(text, name.end()).end
    end = text.find(" ", at)
    return len(text) if end < 0 else end


def _quoted_fields(text: str, at: int) -> list[Quoted]:
    """Return at most three quoted fields, one space between them, from `at` on."""
    fields: list[Quoted] = []
    while len(fields) < _FIELDS and text.startswith('"', at):
        fields.append(read_quoted(text, at))
        at = fields[-1].end + 1
        if not fields[-1].closed:
            break
    return fields


def _put_word(found: Behind, word: str) -> None:
    name = _NAME.match(word)
    if name is not None:
        sent = word[name.end() :]
        is_quoted = len(sent) > 1 and sent[0] == sent[-1] == '"'
        found.words.append((name[1], sent[1:-1] if is_quoted else sent))
    elif found.server is None and _is_bare_host(word):
        found.server = word
    else:
        found.unplaced.append(word)


def _put_quoted(found: Behind, fields: list[Quoted]) -> None:
    """Store referrer and agent; what stands before the referrer is a host or unplaced."""
    first, *rest = fields
    is_shifted = _is_shifted(fields)
    if is_shifted and _is_bare_host(first.text) and found.server is None:
        found.server = first.text
    elif is_shifted or (len(fields) == _FIELDS and not _is_referrer(first.text)):
        found.unplaced.append(f'"{first.text}"')
    else:
        found.referrer = first.text
    if is_shifted:
        found.referrer, *rest = (rest[0].text, *rest[1:])
    last = rest[0] if rest else fields[-1]
    found.agent = rest[0].text if rest else None
    found.end = last.end if last.closed else None


def _is_shifted(fields: list[Quoted]) -> bool:
    """Return whether the referrer is the second field, and the first one a field before it."""
    if len(fields) < 2 or (len(fields) == 2 and fields[-1].closed):
        return False
    first, second = fields[0].text, fields[1].text
    if len(fields) == 2:
        return _is_bare_host(first) and is_absolute(second)
    if _is_bare_host(first):
        return is_absolute(second) or value(second) is None or second.startswith("/")
    return is_absolute(second) and _can_be_agent(fields[2].text)


def is_absolute(text: str) -> bool:
    """Return whether `text` begins like an absolute URL: a referrer, and no user agent."""
    return _ABSOLUTE.match(text) is not None


def _can_be_agent(text: str) -> bool:
    return _LETTER.search(text) is not None and not (is_address_list(text) or is_cookie(text))


def is_surely_referrer(raw: str) -> bool:
    """Return whether `raw`, of three fields the first, is a referrer; the third is no agent."""
    return _is_referrer(raw) and not _is_bare_host(raw)


def _is_referrer(raw: str) -> bool:
    return value(raw) is None or any(character in raw for character in ":/ ")


def _is_bare_host(text: str) -> bool:
    return is_dotted_host(split_port(text)[0])
