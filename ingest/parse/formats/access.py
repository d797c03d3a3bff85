"""The CLF family's lenient grammar `access`: section 4.2 of the format specification.

    prefix [time] "request" status bytes [number] ["referrer" "user-agent"] tail

It is read by scanning, part by part, so that parsing is linear in the line's length. `ok` means
that every byte was placed (section 7): what no rule places is `unplaced_text`, or no line of this
grammar at all, but never a plausible wrong value.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.fields.addresses import split_port
from ingest.parse.fields.behind import read_behind
from ingest.parse.fields.colours import without_colours
from ingest.parse.fields.extra import key_of
from ingest.parse.fields.head import read_head
from ingest.parse.fields.prefix import Prefix, read_prefix
from ingest.parse.fields.relay import relay_end
from ingest.parse.fields.tail import read_tail
from ingest.parse.fields.text import logged, repair, unescape
from ingest.parse.fields.times import BadTime
from ingest.parse.format import FastPath, Format, Head, ParserOfLines
from ingest.parse.model import Identity, Lines
from ingest.parse.place import Misfit, no_match, placed
from ingest.parse.registry import register
from ingest.parse.verdict import Event, Reject, Skip, is_no_match, skip_of
from ingest.parse.web import finish_request, put_client, put_request, put_time
from ingest.settings import ParseSettings

GRAMMAR = """\
[relay] prefix [time] "request" status bytes [more] ["referrer" "user-agent"] tail

relay       the header of syslog, docker compose, CRI or grep: extra.relay
prefix      [vhost[:port]] host [vhost[:port]] [ident [user]]; or an address list, quoted or
            with commas, instead of the host; or further addresses after it
            server_name, extra.server_port, client_ip, client_address, extra.client_port,
            extra.ident, user_name, forwarded_for, extra.peer_address
time        event_time; 03/Mar/2024:07:08:09 +0100, 2024-03-03T07:08:09Z, an epoch
request     http_method, http_version, url_original, url_scheme, url_domain, url_path,
            url_query, extra.url_port; extra.request_line when it is not a request.
            A URL scheme has at most 64 characters: with a longer one, only url_original
status      status_code
bytes       response_bytes
more        a number: extra.number_after_bytes; name=value: extra.<name>; a host: server_name
referrer    referrer, referrer_domain
user-agent  user_agent
tail        fields in any order: an address list or X-Forwarded-For="list": forwarded_for;
            "name=value; ...": cookie; one integer at the end: duration_other; anything else
            is extra.tail as logged

Text before the time or the referrer that is none of these is extra.unplaced, with the warning
unplaced_text. A line that leaves its client in doubt is rejected as no_match.
URL parameters fill event_name, item_id, product_id, category, session_id and campaign_*."""
# Formats whose lines this grammar reads: name -> (description, the server's string, None without).
_NAMED: Mapping[str, tuple[str, str | None]] = {
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
        "the log of nginx packages: combined, then X-Forwarded-For",
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
    ),
    "splunk_tutorial": (
        "the log of the Splunk tutorial: combined without time zone, perhaps with `HTTP 1.1`, then"
        " an integer (duration_other)",
        None,
    ),
}
# Keys of `extra` that have a meaning of their own, which no `name=value` of a line takes.
_OWN_KEYS = frozenset(
    (
        "client_port", "ident", "number_after_bytes", "peer_address", "relay", "request_line",
        "server_port", "tail", "unplaced", "url_port",
    )
)  # fmt: skip


def parse_fast(
    lines: Lines, identity: Identity, settings: ParseSettings
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Read the lines of the usual shapes; see `FastPath`."""
    from ingest.parse.kernels.access import parse_access

    return parse_access(lines, identity, settings)


def access_parser(
    identity: Identity, settings: ParseSettings, *, fast_path: FastPath | None = parse_fast
) -> ParserOfLines:
    """Return the parser of one object; without `fast_path` it is the oracle of the fast path."""
    line_parser = partial(parse_line, settings=settings)
    return ParserOfLines(identity, settings, line_parser, fast_path=fast_path)


def score(head: Head, settings: ParseSettings) -> int:
    """Return how many lines of the sample have the shape of the grammar."""
    return sum(not is_no_match(parse_line(line, settings)) for line in head.sample)


def parse_line(raw: bytes, settings: ParseSettings) -> Event | Skip | Reject:
    """Return the verdict on one line, given without its line end."""
    skip = skip_of(raw)
    if skip is not None:
        return skip
    event = Event()
    line = without_colours(repair(raw, event.warnings))
    text = line.strip(" ")
    begin = relay_end(text)
    head = read_head(text, begin)
    if isinstance(head, Misfit):
        return no_match(head, line)
    prefix = read_prefix(head.prefix)
    if prefix is None:
        return no_match(Misfit(begin, "a prefix that tells who the client is"), line)
    try:
        put_time(event, head.time, settings)
    except BadTime:
        return Reject("bad_timestamp", placed(head.time, head.time_at, line))
    _put_status_and_bytes(event, head.status, head.size)
    unplaced = [] if prefix.unplaced is None else [prefix.unplaced]
    _put_before(event, text[:begin], prefix)
    _put_behind(event, text, head.end, unplaced)
    if unplaced:
        event.warnings.add("unplaced_text")
        event.put_extra("unplaced", " ".join(unplaced))
    put_client(event, prefix.client, settings, from_list=prefix.from_list)
    url = put_request(event, unescape(head.request), logged=head.request)
    finish_request(event, url, settings)
    return event


def _put_status_and_bytes(event: Event, status: str, size: str) -> None:
    event.values["bytes_scope"] = "body"
    if status != "-":
        event.put_status(status)
    if size != "-":
        event.put_bigint("response_bytes", size)


def _put_before(event: Event, relay: str, prefix: Prefix) -> None:
    """Store what stands before the time, but for the client."""
    event.put_extra("relay", relay.strip(" ") or None)
    event.put_extra("ident", prefix.ident)
    event.put_extra("peer_address", prefix.peer)
    event.values["user_name"] = prefix.user
    event.values["forwarded_for"] = prefix.forwarded_for
    event.values["server_name"] = prefix.server
    if prefix.server_port is not None:
        event.put_port("server_port", prefix.server_port)


def _put_behind(event: Event, text: str, at: int, unplaced: list[str]) -> None:
    """Store what follows the bytes, from `at` on; what no rule places is added to `unplaced`."""
    behind = read_behind(text, at)
    event.put_extra("number_after_bytes", behind.number)
    for name, sent in behind.words:
        _put_word(event, name, sent, unplaced)
    if behind.server is not None:
        _put_server(event, behind.server, unplaced)
    unplaced += behind.unplaced
    event.values["referrer"] = logged(behind.referrer)
    event.values["user_agent"] = logged(behind.agent)
    if behind.has_one_field:
        event.warnings.add("missing_fields")
    if behind.end is None:
        event.warnings.add("unterminated_quote")
    else:
        _put_tail(event, text[behind.end :])


def _put_word(event: Event, name: str, sent: str, unplaced: list[str]) -> None:
    key = key_of(name)
    if key in _OWN_KEYS or key in event.extra or not key:
        unplaced.append(f"{name}={sent}")
    else:
        event.put_extra(key, logged(sent))


def _put_server(event: Event, token: str, unplaced: list[str]) -> None:
    """Store the host in front of the referrer, unless the prefix names another."""
    name, port = split_port(token)
    if event.values["server_name"] not in (None, name):
        unplaced.append(token)
        return
    event.values["server_name"] = name
    if port is not None:
        event.put_port("server_port", port)


def _put_tail(event: Event, text: str) -> None:
    tail = read_tail(text, has_list=event.values["forwarded_for"] is not None)
    if tail.forwarded_for is not None:
        event.values["forwarded_for"] = tail.forwarded_for
    event.values["cookie"] = tail.cookie
    event.put_extra("tail", tail.rest)
    if tail.duration is not None:
        event.put_bigint("duration_other", tail.duration)
    if not tail.closed:
        event.warnings.add("unterminated_quote")


register(
    Format(
        name="access",
        description="web server logs of the CLF family, read by one lenient grammar",
        grammar=f"{GRAMMAR}\n\nIt takes the lines of {', '.join(_NAMED)},\nand more.",
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
            grammar=f"Read by the grammar of `access`:\n\n{GRAMMAR}",
            layout=_string,
            splittable=True,
            parser=access_parser,
        )
    )
