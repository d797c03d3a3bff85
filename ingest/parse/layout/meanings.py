"""What Apache's directives and nginx's variables mean: the table of section 4.2."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ingest.contract import EVENTS
from ingest.parse.fields.extra import key_of
from ingest.parse.fields.possessive import P
from ingest.parse.fields.prefix import is_user
from ingest.parse.layout.times import TimeFormat, items_of, time_format

WORD = re.compile("[^ ]*").fullmatch
COUNT = re.compile("[0-9]+|-").fullmatch
STATUS = re.compile("[0-9]+|-1|-").fullmatch
# Some of these are no number, but nothing else either: the value is wrong, not its place.
NUMBER = re.compile("[-+.0-9Ee]*").fullmatch
# What a list in one value looks like; the first entry may be empty.
ADDRESSES = re.compile(f"[^ ,]*{P}(?:, ?[^ ,]+{P})*{P}")
UPSTREAMS = re.compile(f"[^ ,]*{P}(?:(?:, ?| : )[^ ,]+{P})*{P}")
# The bytes with headers: beside a count of the body a key of `extra`, else response_bytes.
TOTAL = "bytes_out_total"
ONLY_TOTAL = "total_bytes"
COLUMNS = frozenset(column.name for column in EVENTS.columns)
# Keys of `extra` that the parser fills itself.
_OWN_KEYS = frozenset(
    ("end_time", "protocol", "relay", "request_line", "tail", "unplaced", "url_port")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Where a value goes and what it looks like.

    `target` is a column, a key of `extra`, or a name that `put.py` knows. Of several values for
    one target the one with the lowest `rank` counts, the others are kept in `extra` under `key`.
    `unit` is in milliseconds. `fits` tells whether a text can be such a value; a list of
    `list_shape` may hold spaces. `is_text`: at the end of a line it may hold spaces.
    `begins` is the character that it begins with, unless it is `optional` and empty.
    """

    target: str
    key: str = ""
    rank: int = 0
    unit: float = 1
    fits: Callable[[str], object] | None = None
    list_shape: re.Pattern[str] | None = None
    is_text: bool = False
    begins: str = ""
    optional: bool = False
    time: TimeFormat | None = None


def _text(target: str) -> Meaning:
    return Meaning(target=target, is_text=True)


def _word(target: str, *, rank: int = 0) -> Meaning:
    return Meaning(target=target, rank=rank, fits=WORD)


def _count(target: str) -> Meaning:
    return Meaning(target=target, fits=COUNT)


def _duration(target: str, unit: float, *, rank: int = 0) -> Meaning:
    return Meaning(target=target, unit=unit, rank=rank, fits=NUMBER)


_CLIENT = Meaning(target="client", fits=ADDRESSES.fullmatch, list_shape=ADDRESSES)
_USER = Meaning(target="user_name", fits=is_user, is_text=True)
_STATUS_CODE = Meaning(target="status_code", fits=STATUS)
_TIME = Meaning(target="event_time")
_PATH = Meaning(target="url", rank=1, is_text=True, begins="/")
_ARGS = Meaning(target="args", fits=WORD)
# Headers of requests that have a column, by their key.
_HEADERS: Mapping[str, Meaning] = {
    "referer": _text("referrer"),
    "user_agent": _text("user_agent"),
    "x_forwarded_for": Meaning(target="forwarded_for", list_shape=ADDRESSES, is_text=True),
    "cookie": _text("cookie"),
    "host": _word("server_name", rank=1),
    "x_request_id": _word("native_id", rank=1),
}
_NGINX: Mapping[str, Meaning] = {
    "remote_addr": _CLIENT,
    "realip_remote_addr": _word("peer_address"),
    "remote_user": _USER,
    "time_local": _TIME,
    "time_iso8601": replace(_TIME, fits=WORD, rank=1),
    "msec": replace(_TIME, rank=2, time=time_format(("sec", ".", "msec_frac"))),
    "request": _text("request"),
    "request_method": _word("http_method"),
    "uri": _PATH,
    "request_uri": Meaning(target="url", fits=WORD, begins="/"),
    "args": _ARGS,
    "query_string": _ARGS,
    "server_protocol": _word("http_version"),
    "status": _STATUS_CODE,
    "body_bytes_sent": _count("response_bytes"),
    "bytes_sent": _count(TOTAL),
    "request_length": _count("request_bytes"),
    "request_time": _duration("duration_ms", 1000),
    # No variable of nginx: for logs of others, such as HAProxy's.
    "request_time_ms": _duration("duration_ms", 1, rank=1),
    "upstream_response_time": _duration("target_duration_ms", 1000),
    "upstream_status": _word("backend_status"),
    "upstream_addr": _word("target"),
    "host": _word("server_name"),
    "server_name": _word("server_name", rank=2),
    "server_port": _word("server_port"),
    "remote_port": _word("client_port"),
    "request_id": _word("native_id"),
    "req_id": _word("native_id"),
    "scheme": _word("url_scheme"),
}
# By argument and letter. `%>s` is the status that was sent at last.
_APACHE: Mapping[str, Meaning] = {
    "h": replace(_CLIENT, rank=1),
    "a": _CLIENT,
    "{c}a": _word("peer_address"),
    "l": _word("ident"),
    "u": _USER,
    "r": _text("request"),
    "m": _word("http_method"),
    "U": _PATH,
    "q": replace(_ARGS, begins="?", optional=True),
    "H": _word("http_version"),
    "s": replace(_STATUS_CODE, rank=1),
    ">s": _STATUS_CODE,
    "b": _count("response_bytes"),
    "B": _count("response_bytes"),
    "O": _count(TOTAL),
    "I": _count("request_bytes"),
    "D": _duration("duration_ms", 1e-3),
    "T": _duration("duration_ms", 1000, rank=2),
    "{us}T": _duration("duration_ms", 1e-3),
    "{ms}T": _duration("duration_ms", 1, rank=1),
    "{s}T": _duration("duration_ms", 1000, rank=2),
    "v": _word("server_name"),
    "V": _word("server_name", rank=1),
    "p": _word("server_port"),
    "{canonical}p": _word("server_port"),
    "{local}p": _word("server_port"),
    "{remote}p": _word("client_port"),
    "L": _word("native_id", rank=2),
    "f": _text("apache_f"),
    "{pid}P": _word("apache_p"),
    "{tid}P": _word("apache_p"),
    "{hextid}P": _word("apache_p"),
    **{letter: _word(f"apache_{letter.lower()}") for letter in "AkPRSX"},
}
# What a variable of the user's own that has such a name does not fill: it means something else.
_TAKEN = (
    _OWN_KEYS
    | COLUMNS
    | {one.target for table in (_NGINX, _APACHE, _HEADERS) for one in table.values()}
    | {ONLY_TOTAL}
)
_NAMED = {"i": "header", "o": "resp_header", "C": "cookie", "n": "note", "e": "env"}
_UNIQUE_ID = "UNIQUE_ID"
_BEGIN, _END = "begin:", "end:"
# Of `%t`, with the brackets around it.
CLF_ITEMS = ("[", *items_of("%d/%b/%Y:%T %z"), "]")


def variable(name: str) -> Meaning:
    """Return the meaning of nginx's `$name`."""
    name = name.lower()
    if name.startswith("http_"):
        return _header(name.removeprefix("http_"))
    if name.startswith("sent_http_"):
        return _text(f"resp_header_{name.removeprefix('sent_http_')}")
    other = f"nginx_{name}" if key_of(name) in _TAKEN else key_of(name)
    found = _NGINX.get(name) or Meaning(target=other, is_text=name.startswith("cookie_"))
    found = replace(found, key=name)
    shape = _list_shape(name)
    return found if shape is None else replace(found, list_shape=shape, fits=shape.fullmatch)


def _list_shape(name: str) -> re.Pattern[str] | None:
    """Return how nginx joins the values of several upstreams, None where there is one."""
    one = ("upstream_http_", "upstream_cookie_", "upstream_trailer_")
    is_joined = name.startswith("upstream_") and not name.startswith(one)
    return UPSTREAMS if is_joined else None


def directive(letter: str, argument: str | None, redirect: str = "") -> Meaning | None:
    """Return the meaning of Apache's `%{argument}letter`, None when it is unknown.

    `redirect` is `<`, `>` or nothing: of which request, when it was redirected internally. Raises
    KeyError for an unknown code of a time.
    """
    if letter == "t":
        return _time(argument)
    if letter in _NAMED:
        return None if argument is None or not key_of(argument) else _named(letter, argument)
    wanted = letter if argument is None else f"{{{argument.lower()}}}{letter}"
    found = _APACHE.get(f"{redirect}{wanted}") or _APACHE.get(wanted)
    return found and replace(found, key=f"apache_{letter.lower()}")


def _named(letter: str, name: str) -> Meaning:
    key = f"{_NAMED[letter]}_{key_of(name)}"
    if letter == "i":
        return _header(key_of(name))
    is_id = letter == "e" and name == _UNIQUE_ID
    return replace(_word("native_id") if is_id else _text(key), key=key)


def _header(name: str) -> Meaning:
    key = f"header_{name}"
    return replace(_HEADERS.get(name, _text(key)), key=key)


def _time(argument: str | None) -> Meaning:
    is_end = argument is not None and argument.startswith(_END)
    form = None if argument is None else time_format(time_items(argument))
    return replace(_TIME, time=form, rank=int(is_end), key="end_time" if is_end else "time")


def time_items(argument: str | None) -> tuple[str, ...]:
    """Return the items of the time `%{argument}t`, None = of `%t`; raises KeyError."""
    if argument is None:
        return CLF_ITEMS
    return tuple(items_of(argument.removeprefix(_BEGIN).removeprefix(_END)))
