"""Lines of logs in columns below a `#Fields:` line: CloudFront's standard logs, and that of IIS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ingest.sample.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a producer writes: name and usual text of each column in order, and what replaces what.

    `escapes` are pairs of a character in an agent or a URL and what is logged for it. `more`
    returns the columns of a request that only this producer has.
    """

    source_format: str
    head: tuple[str, ...]
    head_codes: tuple[str, ...]
    columns: dict[str, str]
    delimiter: str
    escapes: tuple[tuple[str, str], ...]
    url_escapes: tuple[tuple[str, str], ...] = ()
    more: Callable[[Request], dict[str, str]] = lambda _: {}

    @property
    def fields(self) -> str:
        """The line that names the columns."""
        return f"#Fields: {' '.join(self.columns)}"

    def write(self, request: Request) -> str:
        """Return the line of a request."""
        return self.delimiter.join({**self.columns, **self._columns_for(request)}.values())

    def agent(self, text: str) -> str:
        """Return a user agent as it is logged."""
        return _escaped(text, self.escapes)

    def url(self, text: str) -> str:
        """Return a referrer, or a part of a URL, as it is logged."""
        return _escaped(text, self.url_escapes)

    def _columns_for(self, request: Request) -> dict[str, str]:
        """Return the texts of the columns that a request fills."""
        return {
            "date": request.iso[:10], "time": request.iso[11:], "c-ip": request.client,
            "cs-method": request.method, "cs-uri-stem": self.url(request.path),
            "cs-uri-query": self.url(request.query) or "-", "sc-status": request.status,
            "sc-bytes": request.size, "cs(Referer)": self.url(request.referrer),
            "cs(User-Agent)": self.agent(request.agent), **self.more(request),
        }  # fmt: skip


CLOUDFRONT = Layout(
    source_format="cloudfront",
    head=("#Version: 1.0",),
    head_codes=("header", "header"),
    columns={
        "date": "-", "time": "-", "x-edge-location": "FRA56-P1", "sc-bytes": "120", "c-ip": "-",
        "cs-method": "GET", "cs(Host)": "d1example.cloudfront.net", "cs-uri-stem": "/odd",
        "sc-status": "200", "cs(Referer)": "-", "cs(User-Agent)": "odd", "cs-uri-query": "-",
        "cs(Cookie)": "-", "x-edge-result-type": "Miss", "x-edge-request-id": "-",
        "x-host-header": "shop.example", "cs-protocol": "https", "cs-bytes": "410",
        "time-taken": "0.012",
    },
    delimiter="\t",
    escapes=(("%", "%25"), (" ", "%20")),
    url_escapes=(("%", "%25"),),
)  # fmt: skip
# The names of v2, and columns that only v2 has.
CLOUDFRONT_V2 = replace(
    CLOUDFRONT,
    source_format="cloudfront_v2",
    head=(),
    head_codes=("header",),
    columns={"timestamp(ms)": "-", "asn": "64500", **CLOUDFRONT.columns},
    more=lambda request: {"timestamp(ms)": f"{request.at}000"},
)
IIS = Layout(
    source_format="w3c",
    head=(
        "#Software: Microsoft Internet Information Services 10.0",
        "#Version: 1.0",
        "#Date: 2025-03-03 00:00:00",
    ),
    head_codes=("comment", "header", "comment", "header"),
    columns={
        "date": "-", "time": "-", "s-ip": "192.0.2.5", "cs-method": "GET", "cs-uri-stem": "/odd",
        "cs-uri-query": "-", "s-port": "443", "cs-username": "-", "c-ip": "-",
        "cs(User-Agent)": "odd", "cs(Referer)": "-", "sc-status": "200", "sc-substatus": "0",
        "sc-win32-status": "0", "sc-bytes": "120", "cs-bytes": "410", "time-taken": "12",
    },
    delimiter=" ",
    escapes=((" ", "+"),),
)  # fmt: skip


def _escaped(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for character, logged in escapes:
        text = text.replace(character, logged)
    return text
