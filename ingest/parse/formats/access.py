"""The CLF family's lenient grammar `access`: section 4.2 of the format specification.

    prefix [time] "request" status bytes [number] ["referrer" "user-agent"] tail

Every repetition in the patterns is possessive, so that parsing is linear in the line's length.
"""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple

from ingest.parse.fast.path import parse_fast
from ingest.parse.fields.addresses import choose_client, is_address_list
from ingest.parse.fields.parameters import read_shop
from ingest.parse.fields.prefix import Prefix, read_prefix
from ingest.parse.fields.text import QUOTED, cut, is_blank, is_wider, repair, unescape, value
from ingest.parse.fields.times import BadTime, read_time
from ingest.parse.fields.urls import NO_URL, Url, domain_of, read_request, split_target
from ingest.parse.format import FastPath, Format, Head, ParserOfLines
from ingest.parse.model import Identity
from ingest.parse.registry import register
from ingest.parse.verdict import BLANK, COMMENT, Event, Reject, Skip
from ingest.settings import ParseSettings

GRAMMAR = """\
prefix [time] "request" status bytes [number] ["referrer" "user-agent"] tail

prefix      [vhost[:port]] host [ident [user]]; or an address list, quoted or with commas,
            instead of the host
            server_name, extra.server_port, client_ip, client_address, extra.client_port,
            extra.ident, user_name, forwarded_for, extra.peer_address
time        event_time; 03/Mar/2024:07:08:09 +0100, 2024-03-03T07:08:09Z, an epoch
request     http_method, http_version, url_original, url_scheme, url_domain, url_path,
            url_query, extra.url_port; extra.request_line when it is not a request
status      status_code
bytes       response_bytes
number      extra.number_after_bytes
referrer    referrer, referrer_domain
user-agent  user_agent
tail        ["text"] [X-Forwarded-For="list"] [integer]: forwarded_for or cookie,
            forwarded_for, duration_other; anything else is extra.tail as logged

URL parameters fill event_name, item_id, product_id, category, session_id and campaign_*."""
# Formats whose lines this grammar reads: name -> (description, the string in the server's terms).
_NAMED = {
    "common": ("Apache's common log", '%h %l %u %t "%r" %>s %b'),
    "combined": (
        "Apache's combined log: common, then referrer and user agent",
        '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
    ),
    "vhost_combined": (
        "Apache's combined log with the virtual host and its port in front",
        '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
    ),
    "nginx_combined": (
        "nginx's predefined log: the fields of combined",
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent"',
    ),
    "nginx_main": (
        "the log of the nginx packages: combined, then X-Forwarded-For",
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
    ),
    "splunk_tutorial": (
        "the log of the Splunk tutorial: combined without a time zone, then an integer",
        "combined, but the time has no zone and an integer follows at the end (duration_other);\n"
        "the protocol may be `HTTP 1.1`",
    ),
}
# Only an IPv6 address at the very start (or of a quoted list there) may contain a `[`.
_HEAD = re.compile(
    r'("?+(?:\[[0-9A-Fa-f:.]{2,45}(?:%[^\[\] ]*+)?+\])?+[^\[]*+)(?<= )\[([^\]]*+)\] '
    + QUOTED
    + r" ([0-9]{3}|-) ([0-9]++|-)(?![^ ])",
    re.DOTALL,
)
_NUMBER = re.compile(r" ([0-9]++(?:\.[0-9]++)?+)(?![^ ])")
_FIELD = re.compile(QUOTED, re.DOTALL)
_TAIL = re.compile(rf"(?: {QUOTED})?+(?: X-Forwarded-For={QUOTED})?+(?: ([0-9]++))?+", re.DOTALL)
_FORWARDED = " X-Forwarded-For="
_REQUEST_LINE_BYTES = 8192


class _Quoted(NamedTuple):
    """A quoted field: its raw text, where reading continues, and whether it ended as it should."""

    text: str
    end: int
    closed: bool


def access_parser(
    identity: Identity, settings: ParseSettings, *, fast_path: FastPath | None = parse_fast
) -> ParserOfLines:
    """Return the parser of one object; without `fast_path` it is the oracle of the fast path."""
    line_parser = partial(parse_line, settings=settings)
    return ParserOfLines(identity, settings, line_parser, fast_path=fast_path)


def score(head: Head, settings: ParseSettings) -> int:
    """Return how many lines of the sample have the shape of the grammar."""
    return sum(parse_line(line, settings) != Reject("no_match") for line in head.sample)


def parse_line(raw: bytes, settings: ParseSettings) -> Event | Skip | Reject:
    """Return the verdict on one line, given without its line end."""
    if is_blank(raw):
        return BLANK
    if raw.startswith(b"#"):
        return COMMENT
    event = Event()
    text = repair(raw, event.warnings).strip(" ")
    head = _HEAD.match(text)
    prefix = None if head is None else read_prefix(head[1].strip(" "))
    if head is None or prefix is None:
        return Reject("no_match")
    try:
        _put_time(event, head[2], settings)
    except BadTime:
        return Reject("bad_timestamp", head[2])
    _put_status_and_bytes(event, head[4], head[5])
    _put_fields(event, text, head.end())
    _put_prefix(event, prefix, settings)
    _put_request(event, head[3], settings)
    return event


def _put_time(event: Event, text: str, settings: ParseSettings) -> None:
    if value(text) is None:
        event.warnings.add("no_timestamp")
    else:
        event.values["event_time"] = read_time(text, event.warnings, timezone=settings.timezone)


def _put_status_and_bytes(event: Event, status: str, size: str) -> None:
    event.values["bytes_scope"] = "body"
    if status != "-":
        event.put_status(status)
    if size != "-":
        event.put_bigint("response_bytes", size)


def _put_fields(event: Event, text: str, at: int) -> None:
    """Store what follows the bytes, from `at` on."""
    number = _NUMBER.match(text, at)
    if number is not None:
        event.put_extra("number_after_bytes", number[1])
        at = number.end()
    for column in ("referrer", "user_agent"):
        quoted = _read_quoted(text, at)
        if quoted is None:
            if column == "user_agent":
                event.warnings.add("missing_fields")
            break
        event.values[column] = _text(quoted.text)
        if not quoted.closed:
            event.warnings.add("unterminated_quote")
            return
        at = quoted.end
    _put_tail(event, text[at:])


def _text(raw: str) -> str | None:
    return None if value(raw) is None else unescape(raw)


def _read_quoted(text: str, at: int, *, before: str = " ") -> _Quoted | None:
    """Return the quoted field that starts with `before` at `at`, None when none does.

    One that is not closed runs to the end, one that text follows to the last quote of `text`.
    """
    start = at + len(before)
    if not text.startswith(f'{before}"', at):
        return None
    field = _FIELD.match(text, start)
    if field is None:
        return _Quoted(text[start + 1 :], len(text), closed=False)
    if text[field.end() : field.end() + 1] in ("", " "):
        return _Quoted(field[1], field.end(), closed=True)
    return _Quoted(text[start + 1 : text.rindex('"')], len(text), closed=False)


def _put_tail(event: Event, tail: str) -> None:
    whole = _TAIL.fullmatch(tail)
    if whole is not None:
        _put_text(event, whole[1])
        _put_forwarded(event, whole[2])
        if whole[3] is not None:
            event.put_bigint("duration_other", whole[3])
    elif not _put_broken_tail(event, tail):
        event.put_extra("tail", value(tail.strip(" ")))


def _put_broken_tail(event: Event, tail: str) -> bool:
    """Store a tail that ends in a broken quoted field; return whether it is one."""
    text = _read_quoted(tail, 0)
    if text is not None and not text.closed:
        _put_text(event, text.text)
    else:
        forwarded = _read_quoted(tail, text.end if text else 0, before=_FORWARDED)
        if forwarded is None or forwarded.closed:
            return False
        _put_text(event, text.text if text else None)
        _put_forwarded(event, forwarded.text)
    event.warnings.add("unterminated_quote")
    return True


def _put_text(event: Event, raw: str | None) -> None:
    """Store the field after the user agent: a list of addresses, or else a cookie."""
    text = None if raw is None else _text(raw)
    if text is not None:
        column = "forwarded_for" if is_address_list(text) else "cookie"
        event.values[column] = text


def _put_forwarded(event: Event, raw: str | None) -> None:
    text = None if raw is None else _text(raw)
    if text is None:
        return
    # Two lists on one line: the one that names its header wins, the other is kept as it is.
    event.put_extra("tail", event.values.get("forwarded_for"))
    event.values["forwarded_for"] = text


def _put_prefix(event: Event, prefix: Prefix, settings: ParseSettings) -> None:
    values = event.values
    values["user_name"] = prefix.user
    values["server_name"] = prefix.server
    event.put_extra("ident", prefix.ident)
    event.put_extra("peer_address", prefix.peer)
    if prefix.server_port is not None:
        event.put_port("server_port", prefix.server_port)
    if prefix.forwarded_for is not None:
        # A list before the time holds the client; one in the tail is kept in addition.
        event.put_extra("tail", values.get("forwarded_for"))
        values["forwarded_for"] = prefix.forwarded_for
    _put_client(event, prefix, settings)


def _put_client(event: Event, prefix: Prefix, settings: ParseSettings) -> None:
    client = prefix.client
    forwarded = event.values.get("forwarded_for")
    if settings.client_from == "forwarded_for" and forwarded and prefix.forwarded_for is None:
        event.put_extra("peer_address", client.address)
        client = choose_client(forwarded)
    event.put_client(client)


def _put_request(event: Event, raw: str, settings: ParseSettings) -> None:
    url = _put_request_line(event, raw)
    cookie = event.values.get("cookie")
    referrer = event.values.get("referrer")
    event.values |= read_shop(url, settings, referrer=referrer, cookie=cookie)
    if referrer is not None:
        event.values["referrer_domain"] = domain_of(referrer)
    if not settings.keep_cookie:
        event.values["cookie"] = None


def _put_request_line(event: Event, raw: str) -> Url:
    """Store the request and return its URL; a bad request line is kept in `extra`."""
    request = read_request(unescape(raw))
    if request is None:
        event.warnings.add("bad_request_line")
        line = value(raw)
        if line is not None and is_wider(line, _REQUEST_LINE_BYTES):
            event.warnings.add("truncated_field")
            line = cut(line, _REQUEST_LINE_BYTES)
        event.put_extra("request_line", line)
        return NO_URL
    url = split_target(request.target, method=request.method)
    event.put_extra("url_port", url.port)
    event.values |= {
        "http_method": request.method,
        "http_version": request.version,
        "url_original": request.target,
        "url_scheme": url.scheme,
        "url_domain": url.domain,
        "url_path": url.path,
        "url_query": url.query,
    }
    return url


register(
    Format(
        name="access",
        description="web server logs of the CLF family, read by one lenient grammar",
        grammar=f"{GRAMMAR}\n\nReads the lines of {', '.join(_NAMED)},\nand more.",
        splittable=True,
        parser=access_parser,
        score=score,
        rank=9,
        is_fallback=True,
    )
)
for _name, (_description, _string) in _NAMED.items():
    register(
        Format(
            name=_name,
            description=_description,
            grammar=f"{_string}\n\nRead by the grammar of `access`:\n\n{GRAMMAR}",
            splittable=True,
            parser=access_parser,
        )
    )
