"""Logs in columns below a `#Fields:` line, and CloudFront's real-time log, which has none."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.sample.kind import Kind, Style
from ingest.sample.lines_columns import CLOUDFRONT, CLOUDFRONT_V2, IIS, Layout
from ingest.sample.odd import OddLine, rejected
from ingest.sample.odd_columns import columns_oddities
from ingest.sample.requests import Request

_RT_FIELDS = (
    "timestamp", "c-ip", "sc-status", "sc-bytes", "cs-method", "cs-host", "cs-uri-stem", "cs-bytes",
    "time-taken", "cs-user-agent", "cs-referer",
)  # fmt: skip


def _of_layout(layout: Layout) -> Kind:
    return Kind(
        name=layout.source_format,
        write=layout.write,
        odd=lambda style: columns_oddities(layout, style.place),
        found_as=layout.source_format,
        head=(*layout.head, layout.fields),
        head_codes=layout.head_codes,
        shares_odd=False,
    )


def _real_time(request: Request) -> str:
    logged = CLOUDFRONT
    return "\t".join(
        (
            f"{request.at}.000", request.client, request.status, request.size, request.method,
            "d1example.cloudfront.net", logged.url(request.target), "410", "0.012",
            logged.agent(request.agent), logged.url(request.referrer),
        )
    )  # fmt: skip


def _odd_real_time(style: Style) -> Iterator[OddLine]:
    """Lines with other columns than are configured: section 4.8."""
    time = f"{style.request.at}.000"
    yield style.line(f"{style.text}\tmore", "extra_fields")
    yield style.line(style.text.rpartition("\t")[0], "missing_fields")
    yield style.swap("\todd\t", "\t100%\t", "bad_percent_encoding")
    yield style.swap("\t0.012\t", "\tlong\t", "invalid_number")
    yield style.swap("/odd", "-", "bad_request_line", url=None)
    yield style.swap(time, "-", "no_timestamp", at=None)
    yield rejected(style.swapped(time, "yesterday"), "no_match")
    yield rejected('{"level":"error"}', "no_match")


KINDS = (
    *map(_of_layout, (CLOUDFRONT, IIS, CLOUDFRONT_V2)),
    Kind(
        name="cloudfront_rt",
        write=_real_time,
        odd=_odd_real_time,
        found_as=None,
        settings={"format": "cloudfront_rt", "fields": _RT_FIELDS},
    ),
)
