"""Logs of Amazon CloudFront: sections 4.6 to 4.8 of the format specification."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ingest.parse.fields.percent import decode_agent, decode_percent
from ingest.parse.format import Format, Head
from ingest.parse.json_lines import Shape, offer, read_line
from ingest.parse.json_object import Members
from ingest.parse.model import Identity
from ingest.parse.registry import register
from ingest.parse.verdict import Event, is_no_match
from ingest.parse.w3c import TAB, Columns, Header, W3cLines, W3cParser, columns_of, header_of
from ingest.parse.w3c_fields import Dialect, put_fields
from ingest.settings import ParseSettings

_MEANING = """\
date, time, timestamp(ms)   event_time, in UTC; timestamp(ms) is preferred: it is more precise
c-ip, c-port                client_ip, client_address, extra.client_port
x-forwarded-for             forwarded_for
cs-method, cs-protocol-version, cs-protocol
                            http_method, http_version, url_scheme
cs-uri-stem, cs-uri-query   url_path, url_query, url_original
sc-status                   status_code
sc-bytes, cs-bytes          response_bytes, request_bytes: with headers
time-taken (s)              duration_ms
time-to-first-byte (s)      extra.ttfb_ms
x-host-header               server_name; else cs(Host)
cs(Host)                    extra.distribution_host
cs(Referer), cs(User-Agent), cs(Cookie)
                            referrer, referrer_domain, user_agent, cookie
x-edge-request-id           native_id
x-edge-location             extra.edge_location
x-edge-result-type          extra.cache_result
ssl-protocol, ssl-cipher    extra.tls_protocol, extra.tls_cipher
all others                  extra, under the name in lower case, with _ for other characters

Path, query, referrer, cookie and X-Forwarded-For are percent-decoded once, the user agent twice
where once is not enough. More columns than names are extra.extra_fields."""
_V1 = f"""\
TAB-separated columns, named by the #Fields line before them; each such line counts from there on.
Without one: the 33 columns of the standard log in their order, or the first 12 or more of them.

{_MEANING}"""
_V2 = f"""\
One record a line, of any fields in any order:

w3c    TAB-separated, named by the #Fields line before them
json   one object a line; its names are those of the columns
plain  without a header: `fields` names the columns (default: the 33 of the standard log),
       `delimiter` is between them (default: TAB)

{_MEANING}"""
_RT = f"""\
TAB-separated columns without a header: `fields` names those in the configuration of the log.
They are written in CloudFront's own order, whatever the order of `fields`; with a name that is
unknown here, in the order of `fields`.

timestamp                   event_time: seconds since 1970, with a fraction
cs-uri-stem                 url_path, and after its first ? url_query
cs-host, cs-user-agent, cs-referer, cs-cookie
                            as cs(Host), cs(User-Agent), cs(Referer), cs(Cookie)

{_MEANING}"""
_V1_FIELDS = """
    date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer)
    cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header
    cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher
    x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port
    time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start
    sc-range-end
"""
_V1_COLUMNS = columns_of(_V1_FIELDS.split(), widths=frozenset((12, 15, 18, 19, 23, 24, 26, 33)))
_RT_FIELDS = """
    timestamp c-ip s-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host
    cs-uri-stem cs-bytes x-edge-location x-edge-request-id x-host-header time-taken
    cs-protocol-version c-ip-version cs-user-agent cs-referer cs-cookie cs-uri-query
    x-edge-response-result-type x-forwarded-for ssl-protocol ssl-cipher x-edge-result-type
    fle-encrypted-fields fle-status sc-content-type sc-content-len sc-range-start sc-range-end
    c-port x-edge-detailed-result-type c-country cs-accept-encoding cs-accept
    cache-behavior-path-pattern cs-headers cs-header-names cs-headers-count
    primary-distribution-id primary-distribution-dns-name origin-fbl origin-lbl asn
"""
_RT_CMCD_FIELDS = """
    encoded-bitrate buffer-length buffer-starvation content-id object-duration deadline
    measured-throughput next-object-request next-range-request object-type playback-rate
    requested-maximum-throughput streaming-format session-id stream-type startup top-bitrate version
"""
_RT_LAST_FIELDS = "r-host sr-reason x-edge-mqcs distribution-tenant-id connection-id"
# CloudFront writes the fields in this order, whatever the order in the configuration of the log.
_RT_ORDER = (
    *_RT_FIELDS.split(),
    *(f"cmcd-{name}" for name in _RT_CMCD_FIELDS.split()),
    *_RT_LAST_FIELDS.split(),
)
_RT_PLACES = {name: place for place, name in enumerate(_RT_ORDER)}
_DECODERS = {
    **dict.fromkeys(
        ("cs-uri-stem", "cs-uri-query", "cs(referer)", "cs(cookie)", "x-forwarded-for"),
        decode_percent,
    ),
    "cs(user-agent)": decode_agent,
}
_EXTRAS = {
    "cs(host)": "distribution_host",
    "x-edge-location": "edge_location",
    "x-edge-result-type": "cache_result",
    "ssl-protocol": "tls_protocol",
    "ssl-cipher": "tls_cipher",
}
STANDARD = Dialect(duration_unit=1000, decoders=_DECODERS, extras=_EXTRAS)
_REAL_TIME = Dialect(duration_unit=1000, decoders=_DECODERS, extras=_EXTRAS, stem_has_query=True)
_NO_NAME = re.compile(r"[,\s]")
_RECORD = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}\t[0-9]{2}:[0-9]{2}:[0-9]{2}\t")


def v1_parser(identity: Identity, settings: ParseSettings) -> W3cParser:
    """Return the parser of one object of the standard log."""
    lines = W3cLines(settings, dialect=STANDARD, usual=_V1_COLUMNS)
    return W3cParser(identity, settings, lines)


def v2_parser(identity: Identity, settings: ParseSettings) -> W3cParser:
    """Return the parser of one object of the standard log v2."""
    usual = _V1_COLUMNS if settings.fields is None else columns_of(settings.fields)
    lines = W3cLines(
        settings,
        dialect=STANDARD,
        delimiter=settings.delimiter or TAB,
        usual=usual,
        json=partial(read_line, shapes=(_V2_OBJECT,), settings=settings),
        fits=fits_v2,
    )
    return W3cParser(identity, settings, lines)


def fits_v2(value: dict[str, Any]) -> bool:
    """Return whether the object is a record of the standard log v2."""
    return any(name in value for name in _V2_KEYS)


def put_v2(event: Event, members: Members, settings: ParseSettings) -> None:
    """Store a record whose names and texts are the members of an object."""
    fields: dict[str, str] = {}
    for name, value in list(members.value.items()):
        lower = name.lower()
        text = "-" if value in _NULLS else members.take((name,)) if lower not in fields else None
        if text is not None:
            fields.setdefault(lower, text)
    put_fields(event, fields, settings, STANDARD)


# Also texts that are logged as nothing: a request that is declared and not logged is a bad one.
_NULLS = ("", "-", None)
_V2_KEYS = ("timestamp(ms)", "x-edge-location", "x-edge-request-id", "cs-uri-stem", "sc-status")
_V2_OBJECT = Shape(
    name="cloudfront_v2",
    rank=4,
    fits=fits_v2,
    needs=f"one of {', '.join(_V2_KEYS)}",
    put=put_v2,
)
offer(_V2_OBJECT)


def rt_parser(identity: Identity, settings: ParseSettings) -> W3cParser:
    """Return the parser of one object of the real-time log."""
    usual = _rt_columns(settings.fields or ())
    return W3cParser(identity, settings, W3cLines(settings, dialect=_REAL_TIME, usual=usual))


def _rt_columns(fields: Iterable[str]) -> Columns:
    names = [name.lower() for name in fields]
    if all(name in _RT_PLACES for name in names):
        names.sort(key=_RT_PLACES.__getitem__)
    return columns_of(names)


def score_v1(head: Head, settings: ParseSettings) -> int:
    """Return how many lines of the sample are of the standard log.

    A header says it of all of them, and of at least one: the records may be still to come.
    """
    header = header_of(head)
    if _is_cloudfront(header, head):
        return 0 if _is_v2(header) else max(1, len(head.sample))
    least = min(_V1_COLUMNS.widths)
    read = W3cLines(settings, dialect=STANDARD, usual=_V1_COLUMNS)
    records = (line for line in head.sample if _RECORD.match(line))
    return sum(line.count(b"\t") >= least - 1 and not is_no_match(read(line)) for line in records)


def score_v2(head: Head, _settings: ParseSettings) -> int:
    """Return how many lines of the sample a header says to be of the standard log v2."""
    header = header_of(head)
    is_v2 = _is_cloudfront(header, head) and _is_v2(header)
    return max(1, len(head.sample)) if is_v2 else 0


def _is_cloudfront(header: Header, head: Head) -> bool:
    # CloudFront writes a quote as %22; others, such as Akamai, put texts between quotes.
    is_quoted = any(b'\t"' in line for line in head.sample)
    return bool(header.names) and not header.software and not is_quoted


def _is_v2(header: Header) -> bool:
    return "timestamp(ms)" in header.names or not header.has_version


# What ends a line or a text, or begins a header.
_NO_DELIMITERS = '\n\r\0"#'


def _fields_problems(settings: ParseSettings) -> Sequence[str]:
    names = Counter(name.lower() for name in settings.fields or ())
    return [
        *(f"fields names {name!r} more than once" for name, times in names.items() if times > 1),
        *(
            f"fields names {name!r}: a name has neither commas nor blanks; write each on its own"
            for name in names
            if _NO_NAME.search(name)
        ),
    ]


def _v2_problems(settings: ParseSettings) -> Sequence[str]:
    problems = list(_fields_problems(settings))
    delimiter = settings.delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in _NO_DELIMITERS):
        problems.append(
            f"delimiter {delimiter!r} has to be one character, and no line end, quote or `#`"
        )
    return problems


def _rt_problems(settings: ParseSettings) -> Sequence[str]:
    if settings.fields is None:
        return ["cloudfront_rt needs `fields`: the names of the fields that the log is set up with"]
    return _fields_problems(settings)


register(
    Format(
        name="cloudfront",
        description="CloudFront's standard log",
        grammar=_V1,
        splittable=False,  # a header changes what follows
        parser=v1_parser,
        score=score_v1,
        rank=1,
    )
)
register(
    Format(
        name="cloudfront_v2",
        description="CloudFront's standard log v2: w3c, JSON lines, or plain with `fields`",
        grammar=_V2,
        splittable=False,
        parser=v2_parser,
        score=score_v2,
        rank=1,
        reads=frozenset(("fields", "delimiter")),
        problems=_v2_problems,
    )
)
register(
    Format(
        name="cloudfront_rt",
        description="CloudFront's real-time log, of which `fields` names the columns",
        grammar=_RT,
        splittable=True,
        parser=rt_parser,
        reads=frozenset(("fields",)),
        problems=_rt_problems,
    )
)
