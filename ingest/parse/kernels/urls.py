"""Requests, targets, referrers and their parameters: sections 2.4 and 3.8 of the specification."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.parse.kernels.compiled import (
    BYTES,
    CODES,
    FLAGS,
    POSITIONS,
    TABLE,
    WORD,
    WORDS,
    helper,
    kernel,
)
from ingest.parse.kernels.split import ESCAPED, NOT_PLAIN
from ingest.parse.kernels.words import (
    EIGHT,
    ONE,
    TWO,
    ZERO,
    Bytes,
    Flags,
    Positions,
    copied,
    find,
    is_digit,
    is_same,
    word,
    word_at,
)

# `http_version` by code: with a second digit, and without.
VERSIONS: Final = tuple(
    [f"{major}.{minor}" for major in range(10) for minor in range(10)]
    + [str(major) for major in range(10)]
)
# Rows of the parts of requests. The method begins where the request does, the origin of an absolute
# target (scheme and authority) where the target does.
METHOD_STOP: Final = np.uint64(0)
TARGET: Final = np.uint64(1)
TARGET_STOP: Final = np.uint64(2)
ORIGIN_STOP: Final = np.uint64(3)
PATH: Final = np.uint64(4)
PATH_STOP: Final = np.uint64(5)
QUERY: Final = np.uint64(6)
QUERY_STOP: Final = np.uint64(7)
ODD_STOP: Final = np.uint64(8)
PARTS: Final = 9
_ONE_DIGIT: Final = 100
_AMPERSAND: Final = np.uint64(ord("&"))
_BACKSLASH: Final = np.uint64(ord("\\"))
_BLANK: Final = np.uint64(ord(" "))
_COLON: Final = np.uint64(ord(":"))
_FRAGMENT: Final = np.uint64(ord("#"))
_QUESTION: Final = np.uint64(ord("?"))
_SLASH: Final = np.uint64(ord("/"))
_SHORT: Final = np.uint64(len(" HTTP/1"))
_LONG: Final = np.uint64(len(" HTTP/1.1"))
_HTTP: Final = np.uint64(word(b" HTTP"))
_FIVE: Final = np.uint64(5)
_SIX: Final = np.uint64(6)
_SEVEN: Final = np.uint64(7)
_HTTP_BYTES: Final = np.uint64((1 << 40) - 1)
_LONGEST_METHOD: Final = np.uint64(32)
_LONGEST_SCHEME: Final = np.uint64(64)


@helper
def _protocol(buffer: Bytes, at: np.uint64) -> bool:
    """Return whether ` HTTP/d` or ` HTTP d` is at `at`."""
    after = buffer[at + _FIVE]
    return (
        word_at(buffer, at) & _HTTP_BYTES == _HTTP
        and (after == ord("/") or after == ord(" "))
        and is_digit(buffer[at + _SIX])
    )


@helper
def _version(buffer: Bytes, begin: np.uint64, stop: np.uint64) -> int:
    """Return the code of the version that ends the request [begin, stop), -1 without any."""
    if stop - begin > _LONG and _protocol(buffer, stop - _LONG):
        major, minor = buffer[stop - _LONG + _SIX], buffer[stop - ONE]
        if buffer[stop - TWO] == ord(".") and is_digit(minor):
            return (np.int64(major) - 48) * 10 + np.int64(minor) - 48
    if stop - begin > _SHORT and _protocol(buffer, stop - _SHORT):
        return _ONE_DIGIT + np.int64(buffer[stop - ONE]) - 48
    return -1


@helper
def _authority(buffer: Bytes, begin: np.uint64, stop: np.uint64) -> np.uint64:
    """Return where the authority of the absolute URL [begin, stop) begins, `begin` for others."""
    colon = find(buffer, begin, min(stop, begin + _LONGEST_SCHEME + ONE), _COLON)
    end = colon + np.uint64(3)
    if colon == begin or end > stop:
        return begin
    if buffer[colon] != _COLON or buffer[colon + ONE] != _SLASH or buffer[colon + TWO] != _SLASH:
        return begin
    for index in range(begin, colon):
        byte = buffer[index]
        letter = byte | 0x20
        is_letter = ord("a") <= letter <= ord("z")
        is_other = is_digit(byte) or byte == ord("+") or byte == ord(".") or byte == ord("-")
        if not is_letter and (index == begin or not is_other):
            return begin
    return end


@helper
def _put_target(
    buffer: Bytes,
    begin: np.uint64,
    stop: np.uint64,
    line: np.uint64,
    parts: npt.NDArray[np.uint32],
) -> bool:
    """Note the parts of the target [begin, stop), and return whether it is a path or absolute."""
    authority = begin if buffer[begin] == _SLASH else _authority(buffer, begin, stop)
    fragment = find(buffer, authority, stop, _FRAGMENT)
    query = find(buffer, authority, fragment, _QUESTION)
    path = find(buffer, authority, query, _SLASH)
    parts[TARGET, line], parts[TARGET_STOP, line] = begin, stop
    parts[ORIGIN_STOP, line] = path
    parts[PATH, line], parts[PATH_STOP, line] = path, query
    parts[QUERY, line], parts[QUERY_STOP, line] = min(query + ONE, fragment), fragment
    return path != query and (path == begin or authority != begin)


@helper
def _put_request(
    buffer: Bytes,
    begin: np.uint64,
    stop: np.uint64,
    line: np.uint64,
    parts: npt.NDArray[np.uint32],
) -> int:
    """Note the parts of the request [begin, stop), and return its version, -1 if it is odd."""
    version = _version(buffer, begin, stop)
    end = stop - (_LONG if version < _ONE_DIGIT else _SHORT)
    blank = find(buffer, begin, stop, _BLANK)
    target = blank + ONE
    # An empty method would be null, as that of a bad request is.
    if version < 0 or target >= end or blank == begin or blank - begin > _LONGEST_METHOD:
        return -1
    if buffer[target] == _BLANK or buffer[end - ONE] == _BLANK:
        return -1
    parts[METHOD_STOP, line] = blank
    return version if _put_target(buffer, target, end, line, parts) else -1


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, TABLE, CODES, WORD, WORD)
def read_requests(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    parts: npt.NDArray[np.uint32],
    versions: npt.NDArray[np.int32],
    first: np.uint64,
    after: np.uint64,
) -> None:
    """Fill the parts of `METHOD target HTTP/d.d`, a row of `parts` each, and the version.

    Only those of lines [first, after) are.
    The version is a code of VERSIONS, a query or origin that is not there is empty. Whether the
    text before the first space is a method has still to be asked. All parts of another request are
    empty but `ODD_STOP`, where it stops, and its version is -1.
    """
    for number in range(first, after):
        line = np.uint64(number)
        if plain[line] == NOT_PLAIN:
            continue
        begin, stop = np.uint64(begins[line]), np.uint64(stops[line])
        # What a backslash is, and whether it is one, the reference parser knows.
        is_raw = plain[line] & ESCAPED and find(buffer, begin, stop, _BACKSLASH) != stop
        version = -1 if is_raw else _put_request(buffer, begin, stop, line, parts)
        if version < 0:
            for index in range(parts.shape[0]):
                parts[np.uint64(index), line] = begin
        parts[ODD_STOP, line] = stop if version < 0 else begin
        versions[line] = version


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS)
def doubt_escapes(buffer: Bytes, begins: Positions, stops: Positions, plain: Flags) -> None:
    """Lines with a backslash in this field are not `plain`."""
    for number in range(begins.size):
        line = np.uint64(number)
        if plain[line] & ESCAPED:
            begin, stop = np.uint64(begins[line]), np.uint64(stops[line])
            if find(buffer, begin, stop, _BACKSLASH) != stop:
                plain[line] = NOT_PLAIN


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, POSITIONS, POSITIONS, POSITIONS, FLAGS)
def read_referrers(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    origin_stops: Positions,
    query_begins: Positions,
    query_stops: Positions,
    sure: Flags,
) -> None:
    """Fill the end of scheme and authority (the begin without them), and the query.

    `sure` says that nothing but a referrer is written like this, or that there is none.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        begin, stop = np.uint64(begins[line]), np.uint64(stops[line])
        origin_stops[line] = query_begins[line] = query_stops[line] = begin
        sure[line] = True
        if plain[line] == NOT_PLAIN or begin == stop:
            continue
        authority = _authority(buffer, begin, stop)
        is_path = buffer[begin] == _SLASH
        sure[line] = is_path or authority != begin
        if not sure[line]:
            continue
        fragment = find(buffer, authority, stop, _FRAGMENT)
        query = find(buffer, authority, fragment, _QUESTION)
        if authority != begin:
            origin_stops[line] = find(buffer, authority, query, _SLASH)
        query_begins[line], query_stops[line] = min(query + ONE, fragment), fragment


@helper
def _put_parameters(
    buffer: Bytes,
    at: np.uint64,
    stop: np.uint64,
    names: npt.NDArray[np.uint64],
    wanted: np.uint64,
    line: np.uint64,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
) -> None:
    """Note the values of the parameters in the set of bits `wanted`; the first of a name counts."""
    while at < stop and wanted != ZERO:
        end = find(buffer, at, stop, _AMPERSAND)
        first, second = word_at(buffer, at), word_at(buffer, at + EIGHT)
        for index in range(names.shape[0]):
            name = np.uint64(index)
            if (first ^ names[name, 0]) & names[name, 1] != ZERO:
                continue
            if (second ^ names[name, 2]) & names[name, 3] != ZERO or wanted >> name & ONE == ZERO:
                continue
            begin = at + names[name, 4]
            if begin == end or (begin < end and buffer[begin] == ord("=")):
                wanted &= ~(ONE << name)
                begins[name, line] = min(begin + ONE, end)
                stops[name, line] = end
        at = end + ONE


@helper
def _is_encoded(buffer: Bytes, at: np.uint64, stop: np.uint64) -> bool:
    for index in range(at, stop):
        byte = buffer[index]
        if byte == ord("%") or byte == ord("+") or byte == ord("\\"):
            return True
    return False


@kernel(BYTES, FLAGS, POSITIONS, POSITIONS, POSITIONS, POSITIONS, WORDS, TABLE, TABLE)
def read_parameters(
    buffer: Bytes,
    plain: Flags,
    query_begins: Positions,
    query_stops: Positions,
    referrer_begins: Positions,
    referrer_stops: Positions,
    names: npt.NDArray[np.uint64],
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
) -> None:
    """Note the values of the parameters `names`, a row each; `begins` and `stops` are zeros before.

    A name is two words, each with its mask, its length, whether a referrer may have it, how many
    bytes a value may take, and whether it may not be encoded; lines with other values are not
    `plain`. Values of the URL win.
    """
    everything, of_referrers = ZERO, ZERO
    for index in range(names.shape[0]):
        name = np.uint64(index)
        everything |= ONE << name
        of_referrers |= names[name, 5] << name
    for number in range(plain.size):
        line = np.uint64(number)
        begin, stop = np.uint64(query_begins[line]), np.uint64(query_stops[line])
        other, end = np.uint64(referrer_begins[line]), np.uint64(referrer_stops[line])
        if plain[line] == NOT_PLAIN or (begin == stop and other == end):
            continue
        _put_parameters(buffer, begin, stop, names, everything, line, begins, stops)
        missing = of_referrers
        for index in range(names.shape[0]):
            name = np.uint64(index)
            if begins[name, line] != stops[name, line]:
                missing &= ~(ONE << name)
        _put_parameters(buffer, other, end, names, missing, line, begins, stops)
        for index in range(names.shape[0]):
            name = np.uint64(index)
            at, after = np.uint64(begins[name, line]), np.uint64(stops[name, line])
            is_encoded = names[name, 7] != ZERO and _is_encoded(buffer, at, after)
            if after - at > names[name, 6] or is_encoded:
                plain[line] = NOT_PLAIN


@kernel(BYTES, POSITIONS, POSITIONS, FLAGS, TABLE)
def read_targets(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    plain: Flags,
    parts: npt.NDArray[np.uint32],
) -> None:
    """Fill the parts of targets that are logged alone, as `read_requests` does.

    Parts of lines without one stay; those of other targets than paths and absolute URLs are not
    `plain`.
    """
    for number in range(begins.size):
        line = np.uint64(number)
        begin, stop = np.uint64(begins[line]), np.uint64(stops[line])
        if plain[line] != NOT_PLAIN and begin != stop:
            parts[ODD_STOP, line] = parts[METHOD_STOP, line] = begin
            if not _put_target(buffer, begin, stop, line, parts):
                plain[line] = NOT_PLAIN


@kernel(BYTES, POSITIONS, POSITIONS, POSITIONS, POSITIONS, FLAGS, FLAGS)
def join_queries(
    buffer: Bytes,
    begins: Positions,
    stops: Positions,
    query_begins: Positions,
    query_stops: Positions,
    plain: Flags,
    texts: Flags,
) -> None:
    """Write targets and queries that are logged apart into `texts`, and note where they are.

    That begins at position `buffer.size`. A target may have the same query already; lines with
    another one, or without a target, are not `plain`.
    """
    to, base = ZERO, np.uint64(buffer.size)
    for number in range(begins.size):
        line = np.uint64(number)
        begin, stop = np.uint64(begins[line]), np.uint64(stops[line])
        query, end = np.uint64(query_begins[line]), np.uint64(query_stops[line])
        if plain[line] == NOT_PLAIN or query == end:
            continue
        path = find(buffer, begin, stop, _QUESTION)
        if begin == stop:
            plain[line] = NOT_PLAIN
        elif path + ONE >= stop:
            begins[line] = base + to
            to = copied(buffer, begin, path, texts, to)
            texts[to] = np.uint8(_QUESTION)
            to = copied(buffer, query, end, texts, to + ONE)
            stops[line] = base + to
        else:
            own = find(buffer, path, stop, _FRAGMENT)
            if not is_same(buffer, path + ONE, own, query, end):
                plain[line] = NOT_PLAIN
