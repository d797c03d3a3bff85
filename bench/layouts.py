"""Visits as lines of servers with a log format string of their own."""

from __future__ import annotations

from bench.lines import Visit, combined

# A shop behind nginx: which host, how long, and how long the application took.
OWN = (
    '$host $remote_addr - $remote_user [$time_iso8601] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time $upstream_response_time'
)


def own(visit: Visit) -> str:
    """Return the line of `visit` that `OWN` describes."""
    mixed = visit.mixed
    return (
        f"shop.example {visit.client} - - [{visit.at:%Y-%m-%dT%H:%M:%S}+00:00] "
        f'"GET {visit.target} HTTP/1.1" {visit.status} {visit.size} "{visit.referrer}" '
        f'"{visit.agent}" 0.{mixed % 1000:03} 0.{mixed % 900:03}\n'
    )


def combined_time_us(visit: Visit) -> str:
    """Return the combined line of `visit`, then its microseconds."""
    return f"{combined(visit)[:-1]} {visit.mixed % 900_000}\n"


def ingress_nginx(visit: Visit) -> str:
    """Return the line of `visit` at an ingress of Kubernetes."""
    mixed = visit.mixed
    return (
        f"{combined(visit)[:-1]} {mixed % 900 + 100} 0.{mixed % 1000:03} [shop-web-80] [] "
        f"10.0.{mixed % 4}.{mixed % 200 + 1}:8080 {visit.size} 0.{mixed % 900:03} {visit.status} "
        f"{mixed:08x}{visit.number:024x}\n"
    )


def apigw_clf(visit: Visit) -> str:
    """Return the line of `visit` at API Gateway."""
    return (
        f"{visit.client} - - [{visit.at:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET {visit.target} HTTP/1.1" {visit.status} {visit.size} '
        f"{visit.mixed:08x}-{visit.number:024x}\n"
    )
