"""Access logs of AWS API Gateway in its CLF example, `apigw_clf`: section 4.11.

They are lines of the CLF family, but that the caller takes the place of the ident and that the id
of the request follows the bytes.
"""

from __future__ import annotations

import re
from functools import partial

from ingest.parse.fields.addresses import read_client
from ingest.parse.fields.head import Head, read_head
from ingest.parse.fields.relay import relay_end
from ingest.parse.fields.text import logged, repair, unescape, value
from ingest.parse.fields.times import BadTime
from ingest.parse.format import Format, ParserOfLines
from ingest.parse.layout.compiled import compile_layout
from ingest.parse.layout.reading import reading_of
from ingest.parse.model import Identity
from ingest.parse.place import Misfit, no_match, placed
from ingest.parse.registry import register
from ingest.parse.verdict import Event, Reject, Verdict, skip_of
from ingest.parse.web import (
    finish_request,
    put_client,
    put_request,
    put_time,
    read_count,
    read_status,
)
from ingest.settings import ParseSettings

GRAMMAR = """\
[relay] client caller user [time] "request" status bytes [request-id] [more]

relay       the header of a relay, such as the time that CloudWatch Logs adds: extra.relay
client      client_ip, client_address
caller      extra.ident
user        user_name
time        event_time; the request may follow it without a space, as in the example of AWS
request     http_method, http_version, url_*; extra.request_line when it is not a request
status      status_code
bytes       response_bytes
request-id  native_id
more        extra.tail"""
# The example of AWS has no space between the two.
_GLUED = re.compile(r'([^"\[]*\[[^"\[\]]*\])"')
_LAYOUTS = ('%h %l %u %t "%r" %>s %b', '%h %l %u %t"%r" %>s %b')


def apigw_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object."""
    reading = reading_of(*map(compile_layout, _LAYOUTS), of_gateway=True)
    return ParserOfLines(
        identity,
        settings,
        partial(parse_line, settings=settings),
        fast_path=None if reading is None else reading.parse,
    )


def parse_line(raw: bytes, settings: ParseSettings) -> Verdict:
    """Return the verdict on one line, given without its line end."""
    skip = skip_of(raw)
    if skip is not None:
        return skip
    event = Event()
    line = repair(raw, event.warnings)
    text = _parted(line.strip(" "))
    begin = relay_end(text)
    head = _checked(text, begin, read_head(text, begin))
    if isinstance(head, Misfit):
        return no_match(_logged(head, line), line)
    event.put_extra("relay", text[:begin].strip(" ") or None)
    try:
        put_time(event, head.time, settings)
    except BadTime:
        return Reject("bad_timestamp", placed(head.time, head.time_at, line))
    _put_people(event, *_people(head), settings=settings)
    _put_counts(event, head)
    _put_ids(event, text[head.end :].strip(" "))
    url = put_request(event, unescape(head.request), logged=head.request)
    finish_request(event, url, settings)
    return event


def _people(head: Head) -> list[str]:
    return head.prefix.split(" ", 2)


def _checked(text: str, begin: int, head: Head | Misfit) -> Head | Misfit:
    """Return `head`, unless the line is one of another server."""
    if isinstance(head, Misfit):
        return head
    if len(_people(head)) < 3:
        return Misfit(begin, "client, caller and user before the time")
    if text.startswith(' "', head.end):
        return Misfit(head.end + 1, "the id of the request, without quotes")
    return head


def _logged(misfit: Misfit, line: str) -> Misfit:
    """Return `misfit`, of a text that was parted, as that of the `line` without such a space."""
    glued = _GLUED.match(line.strip(" "))
    is_behind = glued is not None and misfit.at > glued.end(1)
    return misfit._replace(at=misfit.at - is_behind)


def _parted(text: str) -> str:
    """Return `text` with a space between the time and the request."""
    glued = _GLUED.match(text)
    return text if glued is None else f"{glued[1]} {text[glued.end(1) :]}"


def _put_people(
    event: Event, client: str, caller: str, user: str, *, settings: ParseSettings
) -> None:
    put_client(event, read_client(client), settings)
    event.put_extra("ident", logged(caller))
    event.values["user_name"] = logged(user.strip(" "))


def _put_counts(event: Event, head: Head) -> None:
    event.values["bytes_scope"] = "body"
    event.values["status_code"] = read_status(event, head.status)
    event.values["response_bytes"] = read_count(event, head.size)


def _put_ids(event: Event, text: str) -> None:
    """Store the id of the request; its extended id, or whatever follows, has no column."""
    request_id, _, rest = text.partition(" ")
    event.values["native_id"] = value(request_id)
    event.put_extra("tail", value(rest.strip(" ")))


register(
    Format(
        name="apigw_clf",
        description="access log of AWS API Gateway, in the CLF layout of its documentation",
        grammar=GRAMMAR,
        splittable=True,
        parser=apigw_parser,
    )
)
