"""Visits as lines of JSON, as the servers and services write them that users have."""

from __future__ import annotations

import json
from typing import Any

from bench.lines import SITE, Visit, combined


def _line(**members: Any) -> str:
    return json.dumps(members, separators=(",", ":")) + "\n"


def _agent(visit: Visit) -> str:
    return visit.agent.replace('\\"', '"')


def nginx_json(visit: Visit) -> str:
    """Return the line of nginx, with escape=json and the usual names."""
    return _line(
        time_iso8601=f"{visit.at:%Y-%m-%dT%H:%M:%S}+00:00", remote_addr=visit.client,
        remote_user="", request=f"GET {visit.target} HTTP/1.1", status=str(visit.status),
        body_bytes_sent=str(visit.size), request_time=f"0.{visit.mixed % 1000:03}",
        upstream_response_time=f"0.{visit.mixed % 900:03}", upstream_addr="10.0.0.7:8080",
        http_referer=visit.referrer, http_user_agent=_agent(visit), host="shop.example",
        request_id=f"{visit.mixed:08x}{visit.number:024x}", pid="7",
    )  # fmt: skip


def traefik_json(visit: Visit) -> str:
    """Return the line of Traefik, which writes `&` as an escape."""
    mixed = visit.mixed
    line = _line(
        **{
            "ClientAddr": f"{visit.client}:{mixed % 60_000 + 1024}", "ClientHost": visit.client,
            "ClientPort": f"{mixed % 60_000 + 1024}", "ClientUsername": "-",
            "DownstreamContentSize": visit.size, "DownstreamStatus": visit.status,
            "Duration": mixed % 90_000_000, "OriginContentSize": visit.size,
            "OriginDuration": mixed % 80_000_000, "OriginStatus": visit.status,
            "Overhead": mixed % 90_000, "RequestAddr": "shop.example", "RequestContentSize": 0,
            "RequestCount": visit.number, "RequestHost": "shop.example", "RequestMethod": "GET",
            "RequestPath": visit.target, "RequestPort": "-", "RequestProtocol": "HTTP/2.0",
            "RequestScheme": "https", "RetryAttempts": 0, "RouterName": "shop@docker",
            "ServiceAddr": "172.18.0.3:8080", "ServiceName": "shop@docker",
            "StartUTC": f"{visit.at:%Y-%m-%dT%H:%M:%S}.{mixed % 10**9:09}Z",
            "entryPointName": "websecure", "level": "info", "msg": "",
            "request_Referer": visit.referrer, "request_User-Agent": _agent(visit),
            "time": f"{visit.at:%Y-%m-%dT%H:%M:%S}Z",
        }
    )  # fmt: skip
    return line.replace("&", "\\u0026")


def caddy_json(visit: Visit) -> str:
    """Return the line of Caddy, with times as numbers and headers as arrays."""
    mixed = visit.mixed
    headers = {
        "User-Agent": [_agent(visit)], "Accept": ["text/html,application/xhtml+xml,*/*;q=0.8"],
        "Accept-Encoding": ["gzip, deflate, br"], "Accept-Language": ["en-GB,en;q=0.5"],
    }  # fmt: skip
    if visit.referrer != "-":
        headers["Referer"] = [visit.referrer]
    return _line(
        level="info", ts=visit.at.timestamp() + mixed % 10**7 / 10**7,
        logger="http.log.access.log0", msg="handled request",
        request={
            "remote_ip": visit.client, "remote_port": f"{mixed % 60_000 + 1024}",
            "client_ip": visit.client, "proto": "HTTP/2.0", "method": "GET",
            "host": "shop.example", "uri": visit.target, "headers": headers,
            "tls": {"resumed": False, "version": 772, "cipher_suite": 4865, "proto": "h2",
                    "server_name": "shop.example"},
        },
        bytes_read=0, user_id="", duration=(mixed % 10**8 + 10**6) / 10**9, size=visit.size,
        status=visit.status,
        resp_headers={"Server": ["Caddy"], "Content-Type": ["text/html; charset=utf-8"]},
    )  # fmt: skip


def apigw_json(visit: Visit) -> str:
    """Return the line of AWS API Gateway."""
    mixed = visit.mixed
    return _line(
        requestId=f"{mixed:08x}-{visit.number:028x}", ip=visit.client,
        requestTime=f"{visit.at:%d/%b/%Y:%H:%M:%S} +0000", httpMethod="GET",
        routeKey="GET /{proxy+}", path=visit.target.partition("?")[0], status=str(visit.status),
        protocol="HTTP/1.1", responseLength=str(visit.size), responseLatency=str(mixed % 900),
        integrationLatency=str(mixed % 800), domainName="api.shop.example",
        userAgent=_agent(visit), apiId="a1b2c3d4e5", stage="$default",
    )  # fmt: skip


def waf(visit: Visit) -> str:
    """Return the line of AWS WAF, with the headers of a browser."""
    path, _, query = visit.target.partition("?")
    headers = {
        "Host": "shop.example", "User-Agent": _agent(visit), "Accept": "*/*",
        "Accept-Language": "en", "Referer": visit.referrer,
    }  # fmt: skip
    return _line(
        timestamp=int(visit.at.timestamp() * 1000) + visit.mixed % 1000, formatVersion=1,
        webaclId="arn:aws:wafv2:eu-west-1:111122223333:regional/webacl/shop/a1b2",
        terminatingRuleId="Default_Action", terminatingRuleType="REGULAR", action="ALLOW",
        terminatingRuleMatchDetails=[], httpSourceName="ALB",
        httpSourceId="111122223333-app/shop/50dc6c495c0c9188", ruleGroupList=[],
        rateBasedRuleList=[], nonTerminatingMatchingRules=[], requestHeadersInserted=None,
        responseCodeSent=None,
        httpRequest={
            "clientIp": visit.client, "country": "DE",
            "headers": [{"name": name, "value": text} for name, text in headers.items()],
            "uri": path, "args": query, "httpVersion": "HTTP/2.0", "httpMethod": "GET",
            "requestId": f"1-{visit.mixed:08x}-{visit.number:024x}",
        },
    )  # fmt: skip


def docker_json(visit: Visit) -> str:
    """Return the combined line of `visit` as Docker writes it."""
    return _line(
        log=combined(visit), stream="stdout",
        time=f"{visit.at:%Y-%m-%dT%H:%M:%S}.{visit.mixed % 10**9:09}Z",
    )  # fmt: skip


def ga4(visit: Visit) -> str:
    """Return the event of `visit` as BigQuery exports it."""
    session = {"string_value": None, "int_value": str(1_714_979_000 + visit.number // 40)}
    page = {"string_value": f"{SITE}{visit.target}", "int_value": None}
    return _line(
        event_date=f"{visit.at:%Y%m%d}", event_timestamp=str(visit.at.timestamp())[:10] + "123456",
        event_name=("page_view", "view_item", "add_to_cart", "scroll")[visit.mixed % 4],
        event_params=[
            {"key": "ga_session_id", "value": session}, {"key": "page_location", "value": page},
            {"key": "engagement_time_msec", "value": {"int_value": str(visit.mixed % 9000)}},
        ],
        user_pseudo_id=f"{visit.mixed}.{visit.mixed % 10**6}", user_id=None, platform="WEB",
        device={"category": "desktop", "operating_system": "Windows", "language": "en-gb"},
        geo={"continent": "Europe", "country": "Germany", "city": "Berlin"},
        collected_traffic_source={"manual_source": "news", "manual_medium": "mail"},
        items=[{"item_id": f"P{visit.mixed % 99}", "item_name": "Tent", "quantity": 1}],
    )  # fmt: skip


def segment(visit: Visit) -> str:
    """Return the call of `visit` at Segment."""
    return _line(
        type="track", event=("Product Viewed", "Product Added", "Clicked")[visit.mixed % 3],
        messageId=f"ajs-{visit.mixed:08x}{visit.number:024x}", anonymousId=f"{visit.mixed:032x}",
        userId=None, timestamp=f"{visit.at:%Y-%m-%dT%H:%M:%S}.{visit.mixed % 1000:03}Z",
        context={
            "ip": visit.client, "userAgent": _agent(visit), "locale": "en-GB",
            "page": {"url": f"{SITE}{visit.target}", "referrer": "", "title": "Shop"},
            "library": {"name": "analytics.js", "version": "2.1.0"},
        },
        properties={"product_id": f"P{visit.mixed % 99}", "sku": "S", "name": "Tent", "price": 9.5},
    )  # fmt: skip
