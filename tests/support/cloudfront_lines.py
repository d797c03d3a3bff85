"""Lines of CloudFront's logs, and what is read from them."""

from __future__ import annotations

import json
from typing import Any

from fixtures.outcome import Outcome, event, read
from support.cloudfront import NAMES

from ingest.settings import ParseSettings

FULL = (
    "2024-05-02", "10:11:12", "FRA56-P1", "15220", "203.0.113.9", "POST", "d1.cloudfront.net",
    "/cart%2520a.do", "201", "https://a.example/list?p=2%2523", "Mozilla/5.0%20(X11;+Linux)",
    "action=addtocart&itemId=EST-1&productId=FX-1&utm_source=mail", "JSESSIONID=SD7;%20b=c",
    "Hit", "req-1==", "www.shop.example", "HTTPS", "734", "0.118", "198.51.100.4,%2010.0.0.1",
    "TLSv1.3", "TLS_AES_128_GCM_SHA256", "Hit", "HTTP/2.0", "Processed", "3", "33121", "0.002",
    "OriginShieldHit", "text/html", "15000", "0", "1999",
)  # fmt: skip
HEADER = f"#Version: 1.0\n#Fields: {NAMES}\n"
CF, V2, RT = (ParseSettings(format=f"cloudfront{suffix}") for suffix in ("", "_v2", "_rt"))


def tabbed(*columns: str) -> str:
    return "\t".join(columns)


def lines(text: str, settings: ParseSettings = CF, **extent: Any) -> Outcome:
    return read(text.encode(), settings=settings, **extent)


def cf(line: str, **changes: Any) -> dict[str, Any]:
    return event(line, format="cloudfront", **changes)


def rt(line: str, fields: str, **changes: Any) -> dict[str, Any]:
    return event(line, format="cloudfront_rt", fields=tuple(fields.split()), **changes)


def named(**fields: str) -> dict[str, Any]:
    """Return what one record says whose columns are `fields`; `_` in a name is `-` in the log."""
    names = [name.replace("__", "(", 1).replace("__", ")").replace("_", "-") for name in fields]
    (row,) = lines(f"#Fields: {' '.join(names)}\n{tabbed(*fields.values())}\n").events
    return row


def extra(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.get("extra", "{}"))
    return found
