"""Records of load balancers, and what is read from them."""

from __future__ import annotations

import json
from typing import Any

from fixtures.outcome import event

ALB_FIELDS = (
    "https", "2024-05-02T10:11:12.345678Z", "app/web/50dc6c495c0c9188", "203.0.113.9:33121",
    "10.0.2.14:8443", "0.002", "0.118", "0.001", "200", "201", "734", "15220",
    '"POST https://shop.example:443/cart.do?action=addtocart&itemId=EST-1&productId=FX-1'
    '&JSESSIONID=SD7&utm_source=mail HTTP/2.0"',
    '"Mozilla/5.0 (X11; \\"beta\\")"', "TLS_AES_128_GCM_SHA256", "TLSv1.3",
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/73e2",
    '"Root=1-68b6c1f0-0a1b"', '"www.shop.example"', '"arn:aws:acm:eu-west-1:1:certificate/7"',
    "12", "2024-05-02T10:11:12.224000Z", '"waf,forward"', '"-"', '"-"', '"10.0.2.14:8443"',
    '"201"', '"Acceptable"', '"SpaceInUri"', "TID_5f0b2c", '"shop.internal"', '"/v2/cart.do"',
    '"TransformSuccess"',
)  # fmt: skip
CLB_FIELDS = (
    "2024-05-02T10:11:12.345678Z", "legacy", "203.0.113.9:33121", "10.0.2.14:80", "0.000073",
    "0.001048", "0.000057", "200", "200", "0", "29",
    '"GET http://old.example:80/list?p=2 HTTP/1.1"', '"curl/7.38.0"', "DHE-RSA-AES128-SHA",
    "TLSv1.2",
)  # fmt: skip
LINES = {"alb": " ".join(ALB_FIELDS), "clb": " ".join(CLB_FIELDS)}
TCP = (
    "2024-05-02T10:11:12.345678Z tcp-lb 203.0.113.9:2817 10.0.2.14:8883 0.00106 0.00004 0.00003 "
    '- - 82 305 "- - - " "-" - -'
)


def changed(kind: str, place: int, text: str) -> str:
    """Return the usual line of `kind` with `text` as field `place`, counted from 1."""
    fields = list(ALB_FIELDS if kind == "alb" else CLB_FIELDS)
    fields[place - 1] = text
    return " ".join(fields)


def alb(line: str) -> dict[str, Any]:
    return event(line, format="alb")


def clb(line: str) -> dict[str, Any]:
    return event(line, format="clb")


def extra(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["extra"])
    return found


def cut(kind: str, count: int) -> list[str]:
    """Return `count` fields of the usual line."""
    fields = [*(ALB_FIELDS if kind == "alb" else CLB_FIELDS), "later"]
    return fields[:count]
