"""The parts of lines, many lines at once: request, status, referrer, address list.

Each function returns positions or values per candidate, and `valid`: where they can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ingest.contract import EVENTS
from ingest.parse.fast.texts import DictionaryColumn, cut, dictionary_column, null_column
from ingest.parse.fast.words import (
    WORD,
    Bytes,
    Mask,
    Pattern,
    Positions,
    Words,
    byte,
    find,
    index_of,
    low_bytes,
    numbers,
    word,
)
from ingest.parse.fields.addresses import is_address_list
from ingest.parse.fields.behind import is_surely_referrer
from ingest.parse.fields.urls import domain_of

_BLANK, _DASH, _SLASH = ord(" "), ord("-"), ord("/")
_LIST_BYTES = EVENTS.column("forwarded_for").width or 0
_METHODS = (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE")
_METHOD_WORDS = np.sort(np.array([word(method) for method in _METHODS]))
_METHOD_NAMES = pa.array(
    [int(w).to_bytes(WORD, "little").rstrip(b"\0").decode() for w in _METHOD_WORDS]
)
_LOW_BYTES = np.array([low_bytes(count) for count in range(WORD + 1)])
_VERSIONS = pa.array([f"{major}.{minor}" for major in range(10) for minor in range(10)])
_PROTOCOLS = (Pattern(b"HTTP/0.0"), Pattern(b"HTTP 0.0"))
_PROTOCOL_BYTES = len(" HTTP/1.1")
_AUTHORITY_BYTES = 64


@dataclass(frozen=True, slots=True)
class Requests:
    """`METHOD target HTTP/d.d`, with the positions of the targets, which begin with `/`."""

    method: DictionaryColumn
    version: DictionaryColumn
    begin: Positions
    end: Positions
    valid: Mask


def read_requests(words: Words, quotes: Positions) -> Requests:
    """Return the requests between the two rows of `quotes`."""
    first = words[quotes[0] + 1]
    length = index_of(first, b" ")
    method = first & _LOW_BYTES[length]
    codes = np.minimum(np.searchsorted(_METHOD_WORDS, method), len(_METHODS) - 1)
    begin = quotes[0] + length + 2
    end = quotes[1] - _PROTOCOL_BYTES
    valid = (length < WORD) & (_METHOD_WORDS[codes] == method)
    valid &= (end > begin) & (byte(words[begin], 0) == _SLASH)
    around, protocol = words[end - 1], words[end + 1]
    valid &= (byte(around, 0) != _BLANK) & (byte(around, 1) == _BLANK)
    digits, with_slash = _PROTOCOLS[0].match(protocol)
    valid &= with_slash | _PROTOCOLS[1].match(protocol)[1]
    version = np.where(valid, byte(digits, 5) * 10 + byte(digits, 7), 0)
    return Requests(
        method=DictionaryColumn(codes.astype(np.int32), _METHOD_NAMES),
        version=DictionaryColumn(version.astype(np.int32), _VERSIONS),
        begin=begin,
        end=end,
        valid=valid,
    )


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers, true only where `valid`; a second array says where each is not null."""

    status: Positions
    size: Positions
    has_size: Mask
    valid: Mask


_STATUS = Pattern(b'" 000 ??')


def read_counts(words: Words, quotes: Positions, line_ends: Positions) -> Counts:
    """Return ` status bytes ` after the request."""
    digits, valid = _STATUS.match(words[quotes[1]])
    status = byte(digits, 2) * 100 + byte(digits, 3) * 10 + byte(digits, 4)
    valid &= (status == 0) | ((status >= 100) & (status <= 599))
    begin, end = quotes[1] + 6, line_ends if len(quotes) == 2 else quotes[2] - 1
    size, has_size = numbers(words, begin, end)
    valid &= has_size | ((end - begin == 1) & (byte(digits, 6) == _DASH))
    return Counts(status, size, has_size, valid)


@dataclass(frozen=True, slots=True)
class Headers:
    """Positions of referrer and agent (begin = end where null), and the referrer's host."""

    referrer: tuple[Positions, Positions]
    agent: tuple[Positions, Positions]
    domain: DictionaryColumn
    absolute: Mask
    valid: Mask


def read_headers(buffer: Bytes, words: Words, quotes: Positions) -> Headers:
    """Return `"referrer" "agent"`; lines of two quotes have neither."""
    if len(quotes) == 2:
        nothing, nowhere = (quotes[1], quotes[1]), np.zeros(quotes[1].size, dtype=np.bool_)
        return Headers(nothing, nothing, null_column(nowhere.size), nowhere, ~nowhere)
    before, between = words[quotes[2] - 1], words[quotes[3]]
    valid = (byte(before, 0) == _BLANK) & ((between & low_bytes(3)) == word(b'" "'))
    ends = (
        np.where((before & low_bytes(4)) == word(b' "-"'), quotes[2] + 1, quotes[3]),
        np.where((between & low_bytes(5)) == word(b'" "-"'), quotes[4] + 1, quotes[5]),
    )
    referrer, agent = (quotes[2] + 1, ends[0]), (quotes[4] + 1, ends[1])
    hosts, absolute, are_whole = _hosts(buffer, words, *referrer)
    valid &= are_whole
    if len(quotes) > 6:  # of more than two fields the first may be something else
        known = [is_surely_referrer(text) for text in hosts.values.to_pylist()]
        valid &= np.array([*known, True])[hosts.codes]
    domain = hosts.map(lambda texts: [domain_of(text) for text in texts])
    return Headers(referrer, agent, domain, absolute, valid)


def read_forwarded(buffer: Bytes, words: Words, quotes: Positions) -> tuple[DictionaryColumn, Mask]:
    """Return the address lists after the agent, and which rows have a list, `-` or nothing."""
    if len(quotes) < 8:
        return null_column(quotes[0].size), np.ones(quotes[0].size, dtype=np.bool_)
    between = words[quotes[5]]
    valid = (between & low_bytes(3)) == word(b'" "')
    is_null = (between & low_bytes(5)) == word(b'" "-"')
    begin = quotes[6] + 1
    lists = dictionary_column(cut(buffer, begin, np.where(valid & ~is_null, quotes[7], begin)))
    known = [
        is_address_list(text) and len(text) <= _LIST_BYTES for text in lists.values.to_pylist()
    ]
    return lists, valid & np.array([*known, True])[lists.codes]


def _hosts(
    buffer: Bytes, words: Words, begin: Positions, end: Positions
) -> tuple[DictionaryColumn, Mask, Mask]:
    """Return enough of each referrer to know its host, which are http or https URLs, and validity.

    That is the text up to the slash after the authority, or all of a short referrer of another
    kind: few different texts, however many URLs.
    """
    first = words[begin]
    https, http = first == word(b"https://"), (first & low_bytes(7)) == word(b"http://")
    authority = begin + np.where(https, 8, 7)
    length = find(buffer, authority, b"/", limit=_AUTHORITY_BYTES)
    absolute = (https | http) & (authority <= end)
    stop = np.where(absolute, np.minimum(authority + length, end), end)
    valid = np.where(absolute, authority + _AUTHORITY_BYTES, begin + _AUTHORITY_BYTES) > stop
    texts = dictionary_column(cut(buffer, begin, np.where(valid, stop, begin)))
    return texts, absolute, valid
