"""Access logs of web servers in the CLF family, and API Gateway's in the same layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ingest.sample.kind import Kind, Style
from ingest.sample.lines import Meaning, shop_meaning
from ingest.sample.odd import CLIENT, OddLine, rejected, skipped
from ingest.sample.requests import Request
from ingest.sample.vocabulary import Page

NO_SHOP = frozenset({"session", "campaign"})
# What copytruncate leaves of a log under a writer that keeps its offset.
_HOLE = "\0" * 600
_UPSTREAM = "[shop-web-80] [] 10.0.0.5:8080 120 0.011 200"
_OWN = '%t %h "%r" %>s %B "%{Referer}i" "%{User-Agent}i" %D'


def escaped(text: str) -> str:
    """Return a text as servers log it between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def without_referrer(page: Page) -> Meaning:
    """Return what a log says that has no referrers: an old link names no product then."""
    return Meaning() if page.name == "oldlink" else shop_meaning(page)


def common(request: Request) -> str:
    """Return a line of the common log format."""
    return (
        f"{request.client} - {request.user} [{request.clf}] "
        f'"{request.method} {escaped(request.target)} HTTP/1.1" {request.status} {request.size}'
    )


def combined(request: Request, *, before: str = "", after: str = "") -> str:
    """Return a line of the combined log format, with what some logs have before or after it."""
    return f'{before}{common(request)} "{request.referrer}" "{escaped(request.agent)}"{after}'


def _ingress(request: Request) -> str:
    return combined(request, after=f" 410 0.012 {_UPSTREAM} {_id(request)}")


def _own(request: Request) -> str:
    return (
        f'[{request.clf}] {request.client} "{request.method} {escaped(request.target)} HTTP/1.1" '
        f'{request.status} {request.size} "{request.referrer}" "{escaped(request.agent)}" 12000'
    )


def _gateway(request: Request) -> str:
    return (
        f"{request.client} - {request.user} [{request.clf}] "
        f'"{request.method} {request.path} HTTP/1.1" {request.status} {request.size} {_id(request)}'
    )


def _id(request: Request) -> str:
    return f"id-{request.number:016x}"


def odd_lines(style: Style) -> Iterator[OddLine]:
    """Lines that no request gives: sections 4.2 and 3.8."""
    yield style.swap('"GET /odd HTTP/1.1"', '"-"', "bad_request_line", url=None)
    yield style.swap('"GET /odd HTTP/1.1"', r'"\x05\x01"', "bad_request_line", url=None)
    yield skipped("# rotated by the log shipper", "comment")
    yield rejected('{"level":"error","msg":"of another program"}', "no_match")
    yield rejected(style.swapped(style.request.clf[:6], "31/Feb"), "bad_timestamp")


def _odd_access(style: Style) -> Iterator[OddLine]:
    """Lines that the lenient grammar places: section 7."""
    text, day = style.text, style.request.iso
    yield from odd_lines(style)
    yield style.line(f"Mar  3 09:00:00 web1 nginx[7]: {text}")
    yield style.line(f"{day}.000000000Z stdout F {text}")
    yield style.line(f"web-1  | {text}")
    yield style.line(f"shop.example {text}")
    yield style.swap(f"{CLIENT} - -", f"{CLIENT} shop.example - -")
    yield style.swap(' 120 "-"', ' 120 rt=0.012 "-"')
    yield style.swap(' 120 "-"', ' 120 who knows "-"', "unplaced_text")
    yield style.line(f'{text} "192.0.2.77, 198.51.100.9"')
    yield style.line(f'{text} "lang=en; theme=dark" 12')
    yield style.swap('" 200 120', '" 0 120', status=0)
    yield style.swap("+0000", "UTC")
    yield style.line(_HOLE + text, "nul_byte")
    yield style.line(f"\x1b[32m{text}\x1b[0m", "control_char")
    yield style.swap("GET /odd", "GET odd?x=1", url="odd")
    yield rejected(style.swapped("+0000", "CET"), "bad_timestamp")


def _server(name: str, write: Callable[[Request], str], **more: Any) -> Kind:
    """Return a kind whose lines are of the family; `auto` reads them by the grammar of `access`."""
    return Kind(**{"name": name, "write": write, "odd": odd_lines, "found_as": "access", **more})


KINDS = (
    _server("access", combined, odd=_odd_access),
    _server("common", common, means=without_referrer, lacks=frozenset({"agent", "referrer"})),
    _server("vhost_combined", partial(combined, before="shop.example:443 ")),
    _server("nginx_combined", combined),
    _server("nginx_main", partial(combined, after=' "192.0.2.77"')),
    _server("ingress_nginx", _ingress),
    _server("combined_time_us", partial(combined, after=" 12000")),
    _server("combined_time_ms", partial(combined, after=" 12")),
    _server("combined_time_s", partial(combined, after=" 0.012")),
    _server("log_format", _own, found_as=None, settings={"log_format": _OWN}),
    _server(
        "apigw_clf",
        _gateway,
        found_as=None,
        settings={"format": "apigw_clf"},
        means=lambda _: Meaning(),
        lacks=NO_SHOP | {"agent", "referrer"},
    ),
)
