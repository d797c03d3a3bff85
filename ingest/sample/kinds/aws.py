"""Logs of AWS: load balancers, S3, the firewall, API Gateway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ingest.sample.kind import Kind, Style
from ingest.sample.kinds.json_logs import number, odd_objects, to_line
from ingest.sample.kinds.servers import NO_SHOP, escaped, without_referrer
from ingest.sample.lines import Meaning, shop_meaning
from ingest.sample.odd import CLIENT, OddLine, rejected, skipped
from ingest.sample.requests import Request
from ingest.sample.vocabulary import Page

_HOST = "shop.example"
_PORT = ":40001"
_ARN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/77aa"
_DASHES = '"-" "-" "-"'


def _client(request: Request) -> str:
    bare = request.client
    return f"[{bare}]{_PORT}" if ":" in bare else f"{bare}{_PORT}"


def _balanced(request: Request, name: str, scheme: str) -> str:
    """Return the fields that the logs of both balancers have, from the name to the agent."""
    url = f"{scheme}://{_HOST}:443{escaped(request.target)}"
    return (
        f"{request.iso}.000000Z {name} {_client(request)} 192.0.2.20:8080 0.001 0.025 0.002 "
        f"{request.status} 200 410 {request.size} "
        f'"{request.method} {url} HTTP/1.1" "{escaped(request.agent)}"'
    )


def _alb(request: Request) -> str:
    return (
        f"https {_balanced(request, 'app/shop/0a1b2c3d4e5f6071', 'https')} "
        f'ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {_ARN} "Root=1-{request.at:x}-{request.number:024x}" '
        f'"{_HOST}" "-" 10 {request.iso}.240000Z "forward" "-" "-" "192.0.2.20:8080" "200" '
        f'"-" "-" TID_{request.number:032x} {_DASHES}'
    )


def _clb(request: Request) -> str:
    return f"{_balanced(request, 'legacy-lb', 'http')} - -"


def _s3(request: Request) -> str:
    operation = "WEBSITE.GET.OBJECT" if request.method != "POST" else "REST.POST.OBJECT"
    return (
        f"b0b0 media-bucket [{request.clf}] {request.client} {request.user} "
        f"{request.number:016X} {operation} {request.path.lstrip('/') or '-'} "
        f'"{request.method} {request.target} HTTP/1.1" {request.status} - {request.size} 4096 15 '
        f'14 "{request.referrer}" "{request.agent}" - hostid= - - - {_HOST} - - -'
    )


def _waf(request: Request) -> str:
    headers = {"Host": _HOST, "User-Agent": request.agent, "Referer": request.referrer}
    return to_line(
        timestamp=request.at * 1000, formatVersion=1, webaclId="acl-shop", action="ALLOW",
        terminatingRuleId="Default_Action", httpSourceName="ALB",
        httpRequest={
            "clientIp": request.client, "country": "DE", "uri": request.path,
            "args": request.query, "httpVersion": "HTTP/2.0", "httpMethod": request.method,
            "requestId": f"1-{request.number:016x}",
            "headers": [{"name": name, "value": text} for name, text in headers.items()],
        },
    )  # fmt: skip


def _gateway(request: Request) -> str:
    return to_line(
        requestId=f"{request.number:032x}", ip=request.client, user=request.user,
        requestTime=request.clf, httpMethod=request.method, path=request.path,
        routeKey="ANY /{proxy+}", status=number(request.status), protocol="HTTP/1.1",
        responseLength=number(request.size), responseLatency=12, userAgent=request.agent,
        domainName=_HOST,
    )  # fmt: skip


def _allowed(page: Page) -> Meaning:
    """The firewall names what it decided, and counts nothing."""
    return Meaning(action="allow", has_product=page.has_product)


def _stored(page: Page) -> Meaning:
    """Only an object that was read is a hit."""
    meaning = shop_meaning(page)
    return meaning if page.method == "GET" else replace(meaning, views=None, purchases=None)


def _odd_balanced(style: Style) -> Iterator[OddLine]:
    """Lines of sections 4.4 and 4.5 that both logs may have."""
    scheme = "https" if style.kind.name == "alb" else "http"
    request = f'"GET {scheme}://{_HOST}:443/odd HTTP/1.1"'
    yield style.swap(request, f'"- {scheme}://{_HOST}:443- -"', "bad_request_line", url=None)
    yield style.line(style.text.partition(' "odd"')[0] + ' "half an agent', "unterminated_quote")
    yield style.swap(" 0.025 ", " -1 ")
    yield style.swap(" 0.025 ", " soon ", "invalid_number")
    yield style.line(f"{style.text} added later")
    yield skipped("# copied by hand", "comment")
    yield skipped(f"Enable AccessLog for ELB: {_HOST} at {style.request.iso}Z", "control")
    yield rejected(f"tls 2.0 {style.text}", "wrong_log_type")
    yield rejected(style.text.partition(" 192.0.2.20:8080")[0], "wrong_field_count")
    yield rejected(style.swapped(style.request.iso[:10], "2025-02-31"), "bad_timestamp")


def _odd_alb(style: Style) -> Iterator[OddLine]:
    fields = style.text.split(" ")
    yield from _odd_balanced(style)
    yield style.swap("https ", "quic ", "unknown_type")
    yield style.line(" ".join(fields[:-4]))
    yield style.line(" ".join(fields[:-5]), "missing_fields")
    yield rejected(
        f"{style.request.iso}Z {CLIENT} 40001 443 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 0.012 "
        '"-" "-" - Success TID_0a1b2c3d4e',
        "wrong_log_type",
    )


def _odd_clb(style: Style) -> Iterator[OddLine]:
    yield from _odd_balanced(style)
    yield style.line(style.text.partition(' "odd"')[0])
    yield style.line(
        f"{style.request.iso}Z tcp-lb {CLIENT}{_PORT} 192.0.2.20:8883 0.00106 0.00004 0.00003 "
        '- - 82 305 "- - - " "-" - -',
        url=None,
        status=None,
        size=305,
    )


def _odd_s3(style: Style) -> Iterator[OddLine]:
    """Section 4.9: nothing is escaped, and AWS itself sends requests."""
    yield style.line(
        f"b0b0 media-bucket [{style.request.clf}] - AmazonS3 11AA22BB33CC44DD S3.EXPIRE.OBJECT "
        'old.txt "-" - - - 77 - - "-" "-" - hostid= - - - - -',
        client=None,
        url=None,
        status=None,
        size=None,
    )
    yield style.swap("/odd HTTP", '/say"hi".html?v=2 HTTP', url='/say"hi".html')
    yield style.swap(f"{CLIENT} - ", f"{CLIENT} arn:aws:iam::1:user/ann lee ")
    yield style.line(f"{style.text} - - added")
    yield style.line(style.text.rpartition(" - - -")[0], "missing_fields")
    yield skipped("# copied by hand", "comment")
    yield rejected(style.swapped("WEBSITE.GET.OBJECT", "read"), "no_match")
    yield rejected(style.swapped(style.request.clf[:6], "31/Feb"), "bad_timestamp")


KINDS = (
    Kind(
        name="alb", write=_alb, odd=_odd_alb, found_as="alb", port=_PORT, means=without_referrer,
        lacks=frozenset({"referrer"}),
    ),
    Kind(
        name="clb", write=_clb, odd=_odd_clb, found_as="clb", port=_PORT, means=without_referrer,
        lacks=frozenset({"referrer"}),
    ),
    Kind(name="s3", write=_s3, odd=_odd_s3, found_as="s3", means=_stored),
    Kind(
        name="waf", write=_waf, odd=odd_objects, found_as="jsonl", means=_allowed,
        lacks=frozenset({"status", "size"}),
    ),
    Kind(
        name="apigw_json", write=_gateway, odd=odd_objects, found_as="jsonl",
        means=lambda _: Meaning(), lacks=NO_SHOP | {"referrer"},
    ),
)  # fmt: skip
