"""Access logs of AWS load balancers, `alb` and `clb`: sections 4.4 and 4.5 of the specification.

Fields are words and quoted texts. AWS adds fields at the end without notice: they are kept. `ok`
means that every byte was placed (section 7), so a line whose columns may be shifted is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ingest.parse.fields.addresses import read_address, read_host_port
from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.text import logged, repair, unescape, value
from ingest.parse.fields.times import BadTime, is_iso_time, read_utc
from ingest.parse.fields.urls import NO_URL
from ingest.parse.fields.words import Fields, read_fields
from ingest.parse.format import Format, Head, ParserOfLines
from ingest.parse.kernels.declared import Field, Spaced, Value, Written
from ingest.parse.layout.meanings import NUMBER
from ingest.parse.model import Identity
from ingest.parse.place import Misfit, no_match, placed
from ingest.parse.registry import register
from ingest.parse.verdict import CONTROL, Event, Reject, Verdict, skip_of
from ingest.parse.web import (
    finish_request,
    put_client,
    put_request,
    read_count,
    read_milliseconds,
    read_status,
)
from ingest.settings import ParseSettings

_GRAMMAR = """\
Fields are words or quoted texts, in which \\" is a quote. In the order of the log:

{type}time                        event_time, in UTC
elb                         extra.elb
client:port                 client_ip, client_address, extra.client_port
target:port                 extra.target
three processing times (s)  duration_ms = their sum; the second: extra.target_duration_ms
status, that of the target  status_code, extra.backend_status
received, sent bytes        request_bytes, response_bytes
"request"                   http_method, http_version, url_*; extra.request_line when it is not one
"user agent"                user_agent
cipher, protocol            extra.tls_cipher, extra.tls_protocol
{rest}
Fields that AWS may add later are extra.extra_fields; what is behind 2,048 of them is one text."""
_ALB_REST = """\
domain_name                 server_name; where it is not logged, the host of the URL
the other fields            extra, under these names: target_group_arn, trace_id, chosen_cert_arn,
                            matched_rule_priority, request_creation_time, actions_executed,
                            redirect_url, error_reason, target_list, target_status_list,
                            classification, classification_reason, conn_trace_id,
                            transformed_host, transformed_uri, request_transform_status
"""
_CLB_REST = """\

server_name is the host of the URL. A request of dashes only is that of a TCP listener: the
event_type is tcp.
"""
# Our names of the fields in their order; those without a column are keys of `extra`.
_ALB_NAMES = (
    "lb_type", "time", "elb", "client", "target", "before", "within", "after", "status",
    "backend_status", "received", "sent", "request", "agent", "tls_cipher", "tls_protocol",
    "target_group_arn", "trace_id", "domain_name", "chosen_cert_arn", "matched_rule_priority",
    "request_creation_time", "actions_executed", "redirect_url", "error_reason", "target_list",
    "target_status_list", "classification", "classification_reason", "conn_trace_id",
    "transformed_host", "transformed_uri", "request_transform_status",
)  # fmt: skip
_TYPES = frozenset(("http", "https", "h2", "grpcs", "ws", "wss"))
# Three times, two statuses, two sizes.
_NUMBERS = 7
_NLB = "tls"
_NLB_VERSION = re.compile(r"[0-9]\.[0-9]")
_CONTROL_LINE = b"Enable AccessLog for ELB:"
_CIPHER = re.compile(r"[A-Za-z0-9_-]+")
_PROTOCOL = re.compile(r"-|[A-Z]{2,8}v?[0-9.]*")
_HOST_PORT = re.compile(r"(?:\[[^\]]+\]|[^ ]+):[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """What one kind of log has: its names in their order, and the numbers of fields so far.

    `refusal` returns why a line is none of this log's, judged by its first two fields. `event_type`
    returns the type of an event that a request of no URL names, None for any other request.
    """

    names: tuple[str, ...]
    widths: frozenset[int]
    refusal: Callable[[str, str], str | None]
    bytes_scope: str
    event_type: Callable[[str], str | None] | None = None

    @property
    def request(self) -> int:
        """The index of the request."""
        return self.names.index("request")

    @property
    def time(self) -> int:
        """The index of the time."""
        return self.names.index("time")


def _tcp(request: str) -> str | None:
    """Return the type of an event at a listener of TCP or SSL, whose request is dashes only."""
    return "tcp" if request and not request.strip("- ") else None


def _refuse_alb(first: str, second: str) -> str | None:
    if is_iso_time(first) or (first == _NLB and _NLB_VERSION.fullmatch(second)):
        return "wrong_log_type"
    return None if is_iso_time(second) else "no_match"


def _refuse_clb(first: str, second: str) -> str | None:
    if first in _TYPES or first == _NLB or read_address(second) is not None:
        return "wrong_log_type"
    return None if is_iso_time(first) else "no_match"


_ALB = _Log(
    names=_ALB_NAMES,
    widths=frozenset((20, 21, 25, 27, 29, 30, 33)),
    refusal=_refuse_alb,
    bytes_scope="total",
)
_CLB = _Log(
    names=_ALB_NAMES[1:16],
    widths=frozenset((12, 15)),
    refusal=_refuse_clb,
    bytes_scope="body",
    event_type=_tcp,
)

# What kernels read; the other names are keys of `extra` with a text.
_FIELDS = {
    "lb_type": Field(target="lb_type", check=_TYPES.__contains__, required=True),
    "time": Field(Value.ISO_TIME),
    "elb": Field(target="elb", check=lambda name: read_address(name) is None),
    "client": Field(Value.HOST_PORT),
    "before": Field(Value.SECONDS),
    "within": Field(Value.SECONDS, "target_duration_ms"),
    "after": Field(Value.SECONDS),
    "status": Field(Value.STATUS, "status_code"),
    "backend_status": Field(Value.STATUS, "backend_status"),
    "received": Field(Value.COUNT, "request_bytes"),
    "sent": Field(Value.COUNT, "response_bytes"),
    "agent": Field(target="user_agent"),
    "tls_cipher": Field(target="tls_cipher", check=_CIPHER.fullmatch),
    "tls_protocol": Field(target="tls_protocol", check=_PROTOCOL.fullmatch),
    "domain_name": Field(target="server_name"),
    "matched_rule_priority": Field(Value.COUNT, "matched_rule_priority"),
}


def parse_line(raw: bytes, settings: ParseSettings, *, log: _Log) -> Verdict:
    """Return the verdict on one line, given without its line end."""
    skip = skip_of(raw)
    if skip is not None:
        return skip
    if raw.startswith(_CONTROL_LINE):
        return CONTROL
    event = Event()
    fields = _fields_of(repair(raw, event.warnings), log)
    reject = _refused(fields, log)
    if reject is not None:
        return reject
    named = dict(zip(log.names, fields.texts, strict=False))
    time = named.pop("time")
    try:
        event.values["event_time"] = read_utc(time, event.warnings)
    except BadTime:
        return Reject("bad_timestamp", placed(time, fields.begin_of(log.time)))
    _check_width(event, fields, log)
    _put(event, named, settings, log)
    return event


def _fields_of(line: str, log: _Log) -> Fields:
    return read_fields(line, len(log.names) + MOST_SURPLUS)


def _refused(fields: Fields, log: _Log) -> Reject | None:
    """Return why the line is refused, None when its fields can be placed."""
    first, second = (*fields.texts, "", "")[:2]
    reason = log.refusal(first, second)
    count, least = len(fields.texts), min(log.widths)
    is_open = not fields.closed and count <= log.request + 1
    if is_open and reason in (None, "no_match"):
        return no_match(Misfit(fields.opened, "quotes around a whole field"))
    if reason == "no_match":
        time = fields.begin_of(log.time)
        return no_match(Misfit(time, "a time such as 2024-05-06T07:08:09Z"))
    if reason is not None:
        return Reject(reason, _sibling(fields.texts))
    if fields.closed and count < least:
        return Reject(
            "wrong_field_count", placed(f"{count} of at least {least} fields", len(fields.line))
        )
    misfit = _shift(fields, log) or _words(fields, log)
    return None if misfit is None else no_match(misfit)


def _sibling(texts: list[str]) -> str:
    """Return which log of a load balancer the line is of."""
    first, second = (*texts, "", "")[:2]
    if first == _NLB:
        kind = "a network load balancer"
    elif first in _TYPES:
        kind = "an application load balancer: format `alb`"
    elif read_address(second) is not None:
        kind = "the connections of an application load balancer"
    else:
        kind = "a classic load balancer: format `clb`"
    return f"a record of {kind}"


def _shift(fields: Fields, log: _Log) -> Misfit | None:
    """Return where request or agent may be several fields: quotes are missing, or too many."""
    request = log.request
    if not fields.quoted[request] and value(fields.texts[request]) is not None:
        return Misfit(fields.begin_of(request), "the request in quotes")
    behind = zip((_CIPHER, _PROTOCOL), fields.texts[request + 2 :], strict=False)
    for index, (pattern, text) in enumerate(behind, request + 2):
        if not pattern.fullmatch(text):
            return Misfit(fields.begin_of(index), f"the {log.names[index].replace('_', ' ')}")
    return None


def _words(fields: Fields, log: _Log) -> Misfit | None:
    """Return where the first of several words stands that should be numbers before the request."""
    odd = _odd_numbers(fields.texts, log)
    return Misfit(fields.begin_of(odd[0]), "numbers before the request") if odd else None


def _odd_numbers(texts: list[str], log: _Log) -> list[int]:
    """Return which fields before the request should be numbers and are not, if several are not.

    Then all fields are others than they seem. A single one is a wrong value: that is a warning.
    """
    first = log.request - _NUMBERS
    numbers = enumerate(texts[first : log.request], first)
    odd = [index for index, text in numbers if not NUMBER(text)]
    return odd if odd[1:] else []


def _check_width(event: Event, fields: Fields, log: _Log) -> None:
    count, known = len(fields.texts), len(log.names)
    if not fields.closed:
        event.warnings.add("unterminated_quote")
    elif count < known and count not in log.widths:
        event.warnings.add("missing_fields")
    event.put_extra("extra_fields", [unescape(text) for text in fields.texts[known:]] or None)


def _put(event: Event, fields: dict[str, str], settings: ParseSettings, log: _Log) -> None:
    """Store the fields, which are as logged, but for the time."""
    event.values["bytes_scope"] = log.bytes_scope
    if "lb_type" in fields and fields["lb_type"] not in _TYPES:
        event.warnings.add("unknown_type")
    put_client(event, read_host_port(fields.pop("client")), settings)
    _put_times(event, *(fields.pop(name) for name in ("before", "within", "after")))
    event.values["status_code"] = read_status(event, fields.pop("status"))
    event.put_extra("backend_status", read_status(event, fields.pop("backend_status")))
    event.values["request_bytes"] = read_count(event, fields.pop("received"))
    event.values["response_bytes"] = read_count(event, fields.pop("sent"))
    event.values["user_agent"] = logged(fields.pop("agent", None))
    _put_priority(event, fields.pop("matched_rule_priority", "-"))
    request, domain = fields.pop("request"), fields.pop("domain_name", None)
    for name, text in fields.items():
        event.put_extra(name, logged(text))
    kind = log.event_type(request) if log.event_type else None
    url = NO_URL if kind else put_request(event, unescape(request), logged=request)
    event.values["server_name"] = logged(domain) or url.domain
    finish_request(event, url, settings, kind=kind)


def _put_times(event: Event, *texts: str) -> None:
    times = [read_milliseconds(event, text, unit=1000) for text in texts]
    event.put_extra("target_duration_ms", times[1])
    known = [time for time in times if time is not None]
    event.values["duration_ms"] = round(sum(known), 6) if len(known) == len(times) else None


def _put_priority(event: Event, text: str) -> None:
    if text != "-1":
        number = read_count(event, text, too_big="invalid_number")
        event.put_extra("matched_rule_priority", number)


def _sampled(head: Head, log: _Log) -> Iterator[list[str]]:
    lines = (line.decode(errors="replace") for line in head.sample)
    return (_fields_of(line, log).texts for line in lines)


def score_alb(head: Head, _settings: ParseSettings) -> int:
    """Return how many lines of the sample have the shape of an ALB's records."""
    return sum(
        len(texts) >= min(_ALB.widths)
        and is_iso_time(texts[1])
        and "/" in texts[2]
        and not _odd_numbers(texts, _ALB)
        for texts in _sampled(head, _ALB)
    )


def score_clb(head: Head, _settings: ParseSettings) -> int:
    """Return how many lines of the sample begin like the records of a classic load balancer."""
    return sum(
        len(texts) > 2
        and is_iso_time(texts[0])
        and not _odd_numbers(texts, _CLB)
        and read_address(texts[1]) is None
        and _HOST_PORT.fullmatch(texts[2]) is not None
        for texts in _sampled(head, _CLB)
    )


def _shape(log: _Log) -> Spaced:
    request = Field(Value.REQUEST, written=Written.QUOTED, event_type=log.event_type)
    fields = {**_FIELDS, "request": request}
    return Spaced(
        fields=tuple(fields.get(name, Field(target=name)) for name in log.names),
        widths=log.widths,
        bytes_scope=log.bytes_scope,
        server_is_host=True,
    )


ALB, CLB = _shape(_ALB), _shape(_CLB)


def _parser(log: _Log, shape: Spaced) -> Callable[[Identity, ParseSettings], ParserOfLines]:
    def parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
        line_parser = partial(parse_line, settings=settings, log=log)
        return ParserOfLines(identity, settings, line_parser, fast_path=shape.parse)

    return parser


register(
    Format(
        name="alb",
        description="access log of an AWS application load balancer",
        grammar=_GRAMMAR.format(type="type                        extra.lb_type\n", rest=_ALB_REST),
        splittable=True,
        parser=_parser(_ALB, ALB),
        score=score_alb,
        rank=6,
    )
)
register(
    Format(
        name="clb",
        description="access log of an AWS classic load balancer",
        grammar=_GRAMMAR.format(type="", rest=_CLB_REST),
        splittable=True,
        parser=_parser(_CLB, CLB),
        score=score_clb,
        rank=7,
    )
)
