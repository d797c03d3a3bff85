"""Visits as lines of formats in columns, each below the header that names them."""

from __future__ import annotations

import json

from bench.lines import SITE, Visit

CSV_HEAD = (
    "Action,Bytes,Item ,# Of Purchases,Response,Pct_Purchase,# Of Views,Brand,Clickhere,Category,"
    "ClientIP,ItemID,Msg,Number of Records,ProductID,Rbytes,Rstat,ServerIp,SessionID,TimeStamp,"
    "URL\n"
)
_TIMED = "date time"
_EPOCH = "timestamp(ms)"
_CLOUDFRONT = (
    "x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    "cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header "
    "cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher "
    "x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port "
    "time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start "
    "sc-range-end"
)
V1_HEAD = f"#Version: 1.0\n#Fields: {_TIMED} {_CLOUDFRONT}\n"
V2_HEAD = f"#Fields: {_EPOCH} {_CLOUDFRONT}\n"
_REAL_TIME = (
    "timestamp c-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host "
    "cs-uri-stem cs-bytes x-edge-location x-edge-request-id time-taken cs-protocol-version "
    "c-ip-version cs-user-agent cs-referer cs-cookie x-edge-response-result-type ssl-protocol "
    "ssl-cipher c-port x-edge-detailed-result-type c-country"
)
RT_FIELDS = tuple(_REAL_TIME.split())
IIS_HEAD = (
    "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip "
    "cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken\n"
)
_ITEMS = ("Tripod", "Home Theator", "Lens", "Camera Bag", "Tablet")
_BRANDS = ("Orion", "Vega", "Lyra")
_SCREENS = ("/product.screen", "/cart.do", "/oldlink")
_EDGES = ("FRA56-P1", "DUB2-C1", "AMS1-P3")


def schematic_csv(visit: Visit) -> str:
    """Return the record of `visit` in the reference file's CSV, 21 columns."""
    mixed = visit.mixed
    action, purchases = (("View", 0), ("addtocart", 0), ("purchase", 1))[mixed % 3]
    return (
        f"{action},{mixed % 900 + 100},{_ITEMS[mixed % 5]},{purchases},Successfull,"
        f"{100 * purchases},{1 - purchases},{_BRANDS[mixed % 7 % 3]},Click Here,,{visit.client},"
        f"est-{mixed % 40},,1,bs-ag-g{mixed % 99:02},{visit.size},{visit.status},-,"
        f"sd{mixed % 10}sl{mixed % 11}ff{mixed % 12}adff{mixed % 50_000},,"
        f"{SITE}{_SCREENS[mixed % 8 % 3]}\n"
    )


def cloudfront(visit: Visit) -> str:
    """Return the line of `visit` in CloudFront's standard log, 33 columns."""
    return f"{visit.at:%Y-%m-%d}\t{visit.at:%H:%M:%S}\t{_behind_time(visit)}"


def cloudfront_v2(visit: Visit) -> str:
    """Return the line of `visit` in the standard log v2 with a time in milliseconds, 32 columns."""
    return f"{int(visit.at.timestamp()) * 1000 + visit.mixed % 1000}\t{_behind_time(visit)}"


def cloudfront_v2_json(visit: Visit) -> str:
    """Return the line of `visit` in the standard log v2 as a JSON object of 32 texts."""
    names = (_EPOCH, *_CLOUDFRONT.split())
    return json.dumps(dict(zip(names, cloudfront_v2(visit)[:-1].split("\t"), strict=True))) + "\n"


def cloudfront_rt(visit: Visit) -> str:
    """Return the line of `visit` in the real-time log, of the fields `RT_FIELDS`."""
    mixed = visit.mixed
    agent = visit.agent.replace("\\", "%5C").replace('"', "%22").replace(" ", "%20")
    return (
        f"{int(visit.at.timestamp())}.{mixed % 1000:03}\t{visit.client}\t0.{mixed % 100:03}\t"
        f"{visit.status}\t{visit.size}\tGET\thttps\tshop.example\t{visit.target}\t"
        f"{mixed % 900 + 100}\t{_EDGES[mixed % 3]}\t{mixed:08x}{visit.number:024x}Zh==\t"
        f"0.{mixed % 1000:03}\tHTTP/2.0\tIPv4\t{agent}\t{visit.referrer}\t-\tHit\tTLSv1.3\t"
        f"TLS_AES_128_GCM_SHA256\t{mixed % 60_000 + 1024}\tHit\tDE\n"
    )


def _behind_time(visit: Visit) -> str:
    mixed = visit.mixed
    path, _, query = visit.target.partition("?")
    agent = visit.agent.replace("\\", "%5C").replace('"', "%22").replace(" ", "%20")
    return (
        f"{_EDGES[mixed % 3]}\t{visit.size}\t{visit.client}\tGET\td111111abcdef8.cloudfront.net\t"
        f"{path}\t{visit.status}\t{visit.referrer}\t{agent}\t{query or '-'}\t-\tHit\t"
        f"{mixed:08x}{visit.number:024x}{mixed:08x}Zh==\tshop.example\thttps\t{mixed % 900 + 100}\t"
        f"0.{mixed % 1000:03}\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t"
        f"{mixed % 60_000 + 1024}\t0.{mixed % 100:03}\tHit\ttext/html\t{visit.size}\t-\t-\n"
    )


def iis(visit: Visit) -> str:
    """Return the line of `visit` as IIS writes it, 15 columns between blanks."""
    mixed = visit.mixed
    path, _, query = visit.target.partition("?")
    agent = visit.agent.replace(" ", "+")
    return (
        f"{visit.at:%Y-%m-%d %H:%M:%S} 192.0.2.1 GET {path} {query or '-'} 443 - {visit.client} "
        f"{agent} {visit.referrer} {visit.status} 0 0 {mixed % 1000}\n"
    )
