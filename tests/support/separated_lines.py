"""Usual records of logs in columns, and what kernels and the reference parser make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fixtures.outcome import CSV_HEADER, IDENTITY, Outcome, read
from support.cloudfront import NAMES

from ingest.parse.model import Parsed
from ingest.parse.reader import parse_object
from ingest.settings import ParseSettings

# The worked example of section 6.
CLOUDFRONT = (
    "2024-05-06\t07:08:09\tFRA56-P1\t2310\t2001:db8::c0de\tGET\td0000example.cloudfront.net\t"
    "/caf%25C3%25A9/menu\t206\thttps://www.example.org/?a=1\tMozilla/5.0%20(X11;%20Linux)\t"
    "q=100%2525&utm_medium=cpc\t-\tMiss\tabcDEF123==\twww.example.com\thttps\t410\t0.250\t-\t"
    "TLSv1.3\tTLS_AES_128_GCM_SHA256\tMiss\tHTTP/3.0\t-\t-\t51000\t0.120\tMiss\ttext/html\t2000\t"
    "0\t1999"
)
COOKIES = (
    CLOUDFRONT.replace("\t-\tMiss\tabc", "\ta=b%253D1;%20c=d\tMiss\tabc")
    .replace("\t0.250\t-", "\t12.5\t192.0.2.1,%20198.51.100.2")
    .replace("/?a=1", "/%3Faction=view&itemId=I%252B1?itemId=I%25201&productId=P")
)
CSV = (
    "addtocart,412,Tripod,0,Successfull,0,1,Orion,Click Here,tee,192.0.2.61,est-90,,1,fx-ab-g02,"
    "1234,200,-,sd1sl1ff1adff77,,http://shop.example/product.screen"
)
QUOTED = (
    'View,77,"Lens, wide",0,Error,0,1,Orion,Click Here,,192.0.2.62,est-91,,1,fx-ab-g03,300,505,-,'
    "sd2sl2ff2adff78,,http://shop.example"
)
TIMED = (
    "purchase,5,Lens,1,Error,0,0,Orion,Buy,,a.example,est-91,m,2,fx,30,404,192.0.2.9,s,"
    "2024-05-06T07:08:09Z,-"
)
IIS_FIELDS = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent)"
    " cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status time-taken"
)
IIS = (
    "2024-05-06 07:08:09 192.0.2.1 GET /a%20b utm_source=m%20n&action=login 443 DOM\\ann"
    " 198.51.100.2 Mozilla/5.0+(X11) a=b;+c=d https://www.example.org/?a=1 www.example.com 200 0 0"
    " 15"
)
V2_NAMES = ("timestamp(ms)", "c-ip", "cs-uri-stem", "sc-status", "asn", "cs(Host)", "x-host-header")
V2 = "1714979289123,192.0.2.44,/v2,000,64500,d1.cloudfront.net,-"
V2_OBJECT = (
    '{"timestamp(ms)":"1714979289123","c-ip":"192.0.2.44","cs-uri-stem":"/v2","sc-status":"000",'
    '"asn":"64500","cs(Host)":"d1.cloudfront.net","x-host-header":"-","cs(User-Agent)":"a%20b"}'
)
RT_NAMES = (
    "timestamp", "c-ip", "sc-status", "cs-uri-stem", "time-to-first-byte", "cs-user-agent",
    "cs-host", "c-country", "cs-uri-query",
)  # fmt: skip
# In CloudFront's own order.
RT = "1714979289.123\t192.0.2.45\t0.012\t200\td1.example\t/r%20t?x=%2541\tMoz%20illa\t-\tDE"
# Name -> (settings, what is before the records, records of which kernels take each).
CASES: dict[str, tuple[ParseSettings, str, tuple[str, ...]]] = {
    "schematic-csv": (ParseSettings(format="schematic-csv"), CSV_HEADER, (CSV, QUOTED, TIMED)),
    "cloudfront": (ParseSettings(format="cloudfront"), f"#Fields: {NAMES}", (CLOUDFRONT, COOKIES)),
    "headerless": (
        ParseSettings(format="cloudfront"),
        "#",
        (CLOUDFRONT, "\t".join(CLOUDFRONT.split("\t")[:12])),
    ),
    "cloudfront_v2": (
        ParseSettings(format="cloudfront_v2", fields=V2_NAMES, delimiter=","),
        "#",
        (V2, V2.replace("-", "www.example.com").replace("/v2", "/%C3%A9")),
    ),
    "v2 objects": (
        ParseSettings(format="cloudfront_v2"),
        "#",
        (V2_OBJECT, '{"date":"2024-05-06", "TIME":"07:08:09", "cs-uri-stem":"\\/a", "x":null}'),
    ),
    "cloudfront_rt": (
        ParseSettings(format="cloudfront_rt", fields=RT_NAMES),
        "#",
        (RT, RT.replace("?x=%2541\t", "?\t").replace("\t-\tDE", "\taction=View\tDE")),
    ),
    "w3c": (
        ParseSettings(format="w3c"),
        f"#Fields: {IIS_FIELDS}",
        (IIS, IIS.replace("DOM\\ann", "-").replace("a=b;+c=d", "-").replace(" GET", " -")),
    ),
}
MANY = 40
# The last lines are the reference parser's: kernels read ahead.
BEHIND = b"\n" * 100


def object_of(name: str, records: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in (CASES[name][1].encode(), *records)) + BEHIND


def chunks(data: bytes, parse: ParseSettings, **extent: Any) -> list[Parsed]:
    *parts, _ = parse_object(
        lambda first, last: data[first:last],
        len(data),
        name="log",
        identity=IDENTITY,
        settings=parse,
        **extent,
    )
    return [part for part in parts if isinstance(part, Parsed)]


def taken(data: bytes, parse: ParseSettings) -> list[dict[str, Any]]:
    """Return the events that kernels read, without what is null."""
    rows = [row for part in chunks(data, parse) for row in part.table.to_pylist()]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def verdicts(outcome: Outcome) -> tuple[object, ...]:
    lists = (outcome.events, outcome.rejects, outcome.skips)
    ordered = [sorted(rows, key=lambda row: row["source_offset"]) for rows in lists]
    return (*ordered, outcome.lines, dict(outcome.verdict.counts), outcome.verdict.max_event_time)


def check(data: bytes, parse: ParseSettings, **extent: Any) -> None:
    fast = read(data, settings=parse, **extent)
    assert verdicts(fast) == verdicts(read(data, settings=replace(parse, fast=False), **extent))


def one(name: str, record: str) -> dict[str, Any]:
    """Return the event of a line, of which kernels take all copies."""
    rows = taken(object_of(name, [record.encode()] * MANY), CASES[name][0])
    assert len(rows) == MANY
    return rows[0]
