"""Server access logs of Amazon S3, `s3`: section 4.9 of the format specification.

Nothing is escaped, so quotes may be part of quoted texts. A text ends at the first quote behind
which the rest of the line has its shape; `_Ends` makes asking that cheap, so that parsing is
linear in the line's length.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import islice
from typing import NamedTuple

from ingest.parse.fields.addresses import choose_client, read_client
from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.text import repair, value
from ingest.parse.fields.times import BadTime
from ingest.parse.fields.urls import NO_URL
from ingest.parse.format import Format, Head, ParserOfLines
from ingest.parse.kernels.declared import Field, Spaced, Value, Written
from ingest.parse.model import Identity
from ingest.parse.place import Misfit, no_match, parts, placed, walk
from ingest.parse.registry import register
from ingest.parse.verdict import Event, Reject, Verdict, skip_of
from ingest.parse.web import (
    finish_request,
    put_client,
    put_request,
    put_time,
    read_count,
    read_milliseconds,
    read_status,
)
from ingest.settings import ParseSettings

GRAMMAR = """\
One space between fields; nothing in them is escaped. In the order of the log:

bucket owner         extra.bucket_owner
bucket               server_name
[time]               event_time; 06/May/2024:07:08:09 +0000
remote address       client_ip, client_address
requester            user_name
request id           native_id
operation            extra.s3_operation; event_type is storage_op unless an object was read
key                  extra.s3_key, as logged
"request"            http_method, http_version, url_*; `-` where there was none
status               status_code
error code           extra.error_code
bytes sent           response_bytes
object size          extra.object_size
total time (ms)      duration_ms
turn-around (ms)     extra.turn_around_ms
"referrer"           referrer
"user agent"         user_agent
the other fields     extra, under these names: version_id, host_id, signature_version, tls_cipher,
                     auth_type, host_header, tls_protocol, access_point_arn, acl_required,
                     source_region

Fields that AWS may add later are extra.extra_fields; what is behind 2,048 of them is one text."""
_HEAD = re.compile(r"([^ ]+) ([^ ]+) \[([^\[\]]*)\] ([^ ]+) ")
_WORD = r"[^ ]+(?: |\Z)"
_EACH_OF_HEAD = parts(
    the_owner_of_the_bucket=_WORD,
    the_bucket=_WORD,
    the_time_in_brackets=r"\[[^\[\]]*\] ",
    the_remote_address=_WORD,
    the_requester=_WORD,
    the_request_id="[^ ]+",
)
# The requester and the request id are at least a word each.
_TWO_WORDS = re.compile(r"[^ ]+ [^ ]+")
_OPERATION_NAME = re.compile(r"(?:REST|WEBSITE|SOAP|BATCH|S3)\.[A-Z0-9_.]+")
_OPERATION = re.compile(f" ({_OPERATION_NAME.pattern}) ([^ ]+) ")
_HIT = re.compile(r"(?:REST|WEBSITE)\.(?:GET|HEAD)\.OBJECT")
_COUNTS = r' ([0-9]{3}|0|-1|-) ([^ "]+)' + " ([0-9]+|-)" * 4 + ' (?=["-])'
_AFTER_QUOTE = re.compile(f'"{_COUNTS}')
_AFTER_DASH = re.compile(f"-{_COUNTS}")
_EACH_COUNT = parts(
    a_space=" ",
    the_status="(?:[0-9]{3}|0|-1|-) ",
    the_error_code='[^ "]+ ',
    the_bytes_sent="(?:[0-9]+|-) ",
    the_object_size="(?:[0-9]+|-) ",
    the_total_time="(?:[0-9]+|-) ",
    the_turn_around_time="(?:[0-9]+|-) ",
)
_REFERRER = "the referrer and the user agent in quotes, or - for them"
_NAMES_BEHIND = (
    "version_id", "host_id", "signature_version", "tls_cipher", "auth_type", "host_header",
    "tls_protocol", "access_point_arn", "acl_required", "source_region",
)  # fmt: skip
_FIELDS_BEFORE = 17
_WIDTHS = frozenset((17, 18, 24, 25, 26, 27))


def _kind(operation: str) -> str | None:
    """Return the event_type of an operation that reads no object, None of one that does."""
    return None if _HIT.fullmatch(operation) else "storage_op"


def _word(target: str | None = None, value: Value = Value.TEXT) -> Field:
    return Field(value, target, Written.WORD)


SHAPE = Spaced(
    fields=(
        _word("bucket_owner"),
        _word("server_name"),
        Field(Value.CLF_TIME, written=Written.BRACKETED),
        _word(value=Value.CLIENT),
        _word("user_name"),
        _word("native_id"),
        Field(
            target="s3_operation",
            written=Written.WORD,
            check=_OPERATION_NAME.fullmatch,
            required=True,
            event_type=_kind,
        ),
        _word("s3_key"),
        Field(Value.REQUEST, written=Written.QUOTED),
        _word("status_code", Value.STATUS),
        _word("error_code"),
        _word("response_bytes", Value.COUNT),
        _word("object_size", Value.COUNT),
        _word(value=Value.MILLISECONDS),
        _word("turn_around_ms", Value.COUNT),
        Field(target="referrer", written=Written.QUOTED),
        Field(target="user_agent", written=Written.QUOTED),
        *map(_word, _NAMES_BEHIND),
    ),
    widths=_WIDTHS,
    bytes_scope="body",
    escapes=False,
    needs_request=False,
)


class _Front(NamedTuple):
    """The fields before the request, which begins at `end`; the time is at `time_at`."""

    owner: str
    bucket: str
    time: str
    time_at: int
    client: str
    requester: str
    request_id: str
    operation: str
    key: str
    end: int


class _Ends(NamedTuple):
    """Where the last quote of a line is, and the last `" "` before it; -1 without one."""

    quote: int
    pair: int


class _Behind(NamedTuple):
    """Referrer and agent (None: the line ends before it); `end` is where that ends."""

    referrer: str
    agent: str | None
    end: int


class _Line(NamedTuple):
    """A line in its parts. `counts`: status, error code, two sizes, two times."""

    front: _Front
    request: str
    counts: tuple[str, ...]
    behind: _Behind
    others: list[str]

    @property
    def width(self) -> int:
        """The number of its fields."""
        return _FIELDS_BEFORE - (self.behind.agent is None) + len(self.others)


def s3_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object."""
    line_parser = partial(parse_line, settings=settings)
    return ParserOfLines(identity, settings, line_parser, fast_path=SHAPE.parse)


def score(head: Head, _settings: ParseSettings) -> int:
    """Return how many lines of the sample have the shape of the grammar."""
    return sum(isinstance(_read(line.decode(errors="replace")), _Line) for line in head.sample)


def parse_line(raw: bytes, settings: ParseSettings) -> Verdict:
    """Return the verdict on one line, given without its line end."""
    skip = skip_of(raw)
    if skip is not None:
        return skip
    event = Event()
    logged = repair(raw, event.warnings)
    line = _read(logged)
    if isinstance(line, Misfit):
        return no_match(line, logged)
    try:
        put_time(event, line.front.time, settings)
    except BadTime:
        return Reject("bad_timestamp", placed(line.front.time, line.front.time_at, logged))
    if line.width < max(_WIDTHS) and line.width not in _WIDTHS:
        event.warnings.add("missing_fields")
    _put_front(event, line.front, settings)
    _put_counts(event, *line.counts)
    _put_behind(event, line)
    request = value(line.request)
    url = NO_URL if request is None else put_request(event, request)
    finish_request(event, url, settings, kind=_kind(line.front.operation))
    return event


def _read(text: str) -> _Line | Misfit:
    """Return the parts of `text`, or where it stops having the shape of a record."""
    text = text.strip(" ")
    front = _read_front(text)
    if isinstance(front, Misfit):
        return front
    last = text.rfind('"')
    ends = _Ends(last, text.rfind('" "', 0, max(last, 0)))
    if not text.startswith('"', front.end):
        after = _AFTER_DASH.match(text, front.end)
        behind = after and _read_behind(text, after.end(), ends)
        if after and behind:
            return _line(text, front, "-", after, behind)
        return _misfit_behind(text, front.end)
    for after in islice(_AFTER_QUOTE.finditer(text, front.end + 1), MOST_SURPLUS):
        behind = _read_behind(text, after.end(), ends)
        if behind is not None:
            return _line(text, front, text[front.end + 1 : after.start()], after, behind)
    return _misfit_behind(text, front.end)


def _misfit_behind(text: str, at: int) -> Misfit:
    """Return where a line goes wrong whose request begins at `at`, up to the user agent."""
    end = at if text[at] == "-" else text.find('" ', at + 1)
    if text[at] not in '"-' or end < 0:
        return Misfit(at, "the request in quotes, or -")
    counted = walk(text, end + 1, _EACH_COUNT)
    return counted if isinstance(counted, Misfit) else Misfit(counted, _REFERRER)


def _line(
    text: str, front: _Front, request: str, after: re.Match[str], behind: _Behind
) -> _Line | Misfit:
    first, *others = text[behind.end :].split(" ", len(_NAMES_BEHIND) + MOST_SURPLUS + 1)
    # A field would be shifted if two spaces were read as one, or as an empty field.
    if first or "" in others:
        at = behind.end if first else text.index("  ", behind.end) + 1
        return Misfit(at, "one space between fields")
    return _Line(front, request, after.groups(), behind, others)


def _read_front(text: str) -> _Front | Misfit:
    head = _HEAD.match(text)
    words = head and _TWO_WORDS.match(text, head.end())
    operation = words and _OPERATION.search(text, words.end())
    if head is None or operation is None:
        walked = walk(text, 0, _EACH_OF_HEAD)
        if isinstance(walked, Misfit):
            return walked
        return Misfit(walked, "an operation such as REST.GET.OBJECT, then key and request")
    requester, _, request_id = text[head.end() : operation.start()].rpartition(" ")
    owner, bucket, time, client = head.groups()
    return _Front(
        owner, bucket, time, head.start(3), client, requester, request_id,
        operation[1], operation[2], operation.end(),
    )  # fmt: skip


def _read_behind(text: str, at: int, ends: _Ends) -> _Behind | None:
    """Return what follows the counts; None, in constant time, when it has not the shape."""
    if text[at] == '"' and ends.pair > at:
        pair = text.find('" "', at + 1)
        return _Behind(text[at + 1 : pair], text[pair + 3 : ends.quote], ends.quote + 1)
    if text[at] == '"':
        is_closed = ends.quote > at
        return (
            _with_bare_agent(text, text[at + 1 : ends.quote], ends.quote + 1) if is_closed else None
        )
    if text.startswith('- "', at):
        agent = text[at + 3 : ends.quote]
        return _Behind("-", agent, ends.quote + 1) if ends.quote > at + 2 else None
    return _with_bare_agent(text, "-", at + 1) if ends.quote < at else None


def _with_bare_agent(text: str, referrer: str, at: int) -> _Behind | None:
    """Return the fields of a line that ends behind the referrer, or has no agent in quotes."""
    if at == len(text):
        return _Behind(referrer, None, at)
    return _Behind(referrer, "-", at + 2) if text.startswith(" -", at) else None


def _put_front(event: Event, front: _Front, settings: ParseSettings) -> None:
    event.put_extra("bucket_owner", value(front.owner))
    event.values["server_name"] = value(front.bucket)
    event.values["user_name"] = value(front.requester)
    event.values["native_id"] = value(front.request_id)
    event.put_extra("s3_operation", front.operation)
    event.put_extra("s3_key", value(front.key))
    is_list = "," in front.client
    if is_list:
        event.values["forwarded_for"] = front.client
    client = choose_client(front.client) if is_list else read_client(front.client)
    put_client(event, client, settings, from_list=is_list)


def _put_counts(
    event: Event, status: str, error: str, sent: str, size: str, total: str, turn_around: str
) -> None:
    event.values["bytes_scope"] = "body"
    event.values["status_code"] = read_status(event, status)
    event.put_extra("error_code", value(error))
    event.values["response_bytes"] = read_count(event, sent)
    event.put_extra("object_size", read_count(event, size))
    event.values["duration_ms"] = read_milliseconds(event, total, unit=1)
    turned = read_count(event, turn_around, too_big="invalid_number")
    event.put_extra("turn_around_ms", turned)


def _put_behind(event: Event, line: _Line) -> None:
    event.values["referrer"] = value(line.behind.referrer)
    event.values["user_agent"] = value(line.behind.agent)
    known = len(_NAMES_BEHIND)
    for name, text in zip(_NAMES_BEHIND, line.others, strict=False):
        event.put_extra(name, value(text))
    event.put_extra("extra_fields", line.others[known:] or None)


register(
    Format(
        name="s3",
        description="server access log of Amazon S3",
        grammar=GRAMMAR,
        splittable=True,
        parser=s3_parser,
        score=score,
        rank=8,
    )
)
