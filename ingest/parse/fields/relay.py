"""Headers that a relay wrote before the record: section 7.1 of the specification.

Syslog (RFC 3164, also with an ISO time, and RFC 5424), docker compose, CRI, and `grep`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ingest.parse.fields.addresses import is_host_name, read_address, split_port

_LONGEST_WORD = 255
# Characters of structured data, and headers: many times those of any relay.
_LONGEST_DATA = 16_384
_MOST_HEADERS = 64
_WORD = rf"[^ ]{{1,{_LONGEST_WORD}}} "
_PRIORITY = "<[0-9]{1,3}>"
_BSD = (
    "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}[0-9]{1,2} "
    "[0-9]{2}:[0-9]{2}:[0-9]{2} "
)
_ISO = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    "(?:Z|[+-][0-9]{2}:?[0-9]{2}) "
)
_SYSLOG = re.compile(f"(?:{_PRIORITY})?(?:{_BSD}|{_ISO})")
_RFC5424 = re.compile(f"(?:{_PRIORITY}[0-9]{{1,2}} (?:{_ISO}|- )|1 {_ISO})(?:{_WORD}){{4}}")
_CRI = re.compile(f"{_ISO}(?:stdout|stderr) [PF] ")
_COMPOSE = re.compile(r"[A-Za-z0-9_.-]{1,255} {1,64}\| ")
_GREP_NUMBER = re.compile("[0-9]{1,9}:")
_FIRST_UNICAST = 0x2000
_BOM = "\ufeff"


def relay_end(text: str) -> int:
    """Return where the record begins in `text`: behind the headers of relays, 0 without any."""
    at = end = 0
    if read_address(_word(text, 0)[0]) is not None:
        return 0  # most lines: no header begins like this
    for _ in range(_MOST_HEADERS + 1):
        at = end
        end = next((end for reader in _READERS if (end := reader(text, at)) > at), -1)
        if end < 0:
            break
    return at


def grep_end(text: str, at: int) -> int:
    """Return where the line begins behind `file:`, `file:12:` or `file-12-` at `at`, else -1."""
    word, _ = _word(text, at)
    end = _context_end(word, at)
    name, _, rest = word.partition(":")
    if end >= 0 or not rest or not _is_file(name):
        return end
    begins = [at + len(name) + 1]
    number = _GREP_NUMBER.match(text, begins[0])
    if number is not None:
        begins.append(number.end())
    # Of `file:2001:2002:db8::1` nobody knows whether the 2001 is the number of a line.
    possible = [begin for begin in begins if _can_begin_a_line(text, begin, at + len(word))]
    return possible[0] if len(possible) == 1 else -1


def _context_end(word: str, at: int) -> int:
    before, _, client = word.rpartition("-")
    name, _, number = before.rpartition("-")
    if number.isascii() and number.isdigit() and _is_file(name) and read_address(client):
        return at + len(before) + 1
    return -1


def _is_file(name: str) -> bool:
    """Return whether `name` is that of a file beyond doubt: a path, dotted, or some log."""
    return any(part in name for part in ("/", ".", "log")) and any(c.isalpha() for c in name)


def _can_begin_a_line(text: str, begin: int, end: int) -> bool:
    """Return whether the word at [begin, end) can be the client, vhost or relay of a line."""
    first = text[begin:end].partition(",")[0]
    address = read_address(first)
    if address is not None:
        return not _is_unused(address.ip)
    return (
        first == "-"
        or first.startswith('"')
        or is_host_name(split_port(first)[0])
        or _SYSLOG.match(text, begin) is not None
    )


def _is_unused(ip: str) -> bool:
    """Return whether `ip` is an IPv6 address below 2000::, where no host has one, but for `::`."""
    head, colon, _ = ip.partition(":")
    return bool(colon and head) and int(head, 16) < _FIRST_UNICAST


def _rfc5424_end(text: str, at: int) -> int:
    header = _RFC5424.match(text, at)
    if header is None:
        return -1
    end = header.end()
    limit = end + _LONGEST_DATA
    while text.startswith("[", end):
        end = _element_end(text, end, limit)
        if end < 0:
            return -1
    if end == header.end():
        if not text.startswith("-", end):
            return -1
        end += 1
    if not text.startswith(" ", end):
        return -1
    return end + 2 if text.startswith(_BOM, end + 1) else end + 1


def _element_end(text: str, at: int, limit: int) -> int:
    """Return the end of the structured data at `at`; its values escape `]` by a backslash."""
    end = text.find("]", at, limit)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("]", end + 1, limit)
    return end + 1 if end > 0 else -1


def _syslog_end(text: str, at: int) -> int:
    stamp = _SYSLOG.match(text, at)
    if stamp is None:
        return -1
    first, second_at = _word(text, stamp.end())
    if _is_tag(first):
        return second_at
    second, third_at = _word(text, second_at)
    third, fourth_at = _word(text, third_at)
    if read_address(second) is not None:
        return second_at
    if _is_tag(second) or _is_bare_tag(second, third):
        return third_at
    if read_address(first) is not None:
        return stamp.end()
    has_user = third == "-" and _word(text, fourth_at)[0][:1] not in ("", "[")
    return second_at if is_host_name(second) and has_user else -1


def _is_tag(word: str) -> bool:
    return len(word) > 1 and word.endswith(":") and read_address(word) is None


def _is_bare_tag(word: str, following: str) -> bool:
    return is_host_name(word) and "." not in word and read_address(following) is not None


def _word(text: str, at: int) -> tuple[str, int]:
    """Return (the word at `at`, where the next one begins); a longer one is no word."""
    end = text.find(" ", at, at + _LONGEST_WORD + 1)
    return ("", at) if end < 0 else (text[at:end], end + 1)


def _by_pattern(pattern: re.Pattern[str]) -> Callable[[str, int], int]:
    def end(text: str, at: int) -> int:
        header = pattern.match(text, at)
        return -1 if header is None else header.end()

    return end


_READERS = (_rfc5424_end, _by_pattern(_CRI), _syslog_end, _by_pattern(_COMPOSE), grep_end)
