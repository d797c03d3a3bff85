"""`s3`, line by line: section 4.9 of the format specification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import event, read, reason

OWNER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
FRONT = (
    f"{OWNER} shop-media [02/May/2024:10:11:12 +0200] 203.0.113.9"
    " arn:aws:iam::111122223333:user/ann 3E57427F3EXAMPLE REST.GET.OBJECT img/lens%2B1.jpg"
)
COUNTS = "206 - 2662 3462992 70 10"
BEHIND = (
    "v3HL4", "s9lzHYrFp76ZVxRcpX9", "SigV4", "ECDHE-RSA-AES128-GCM-SHA256", "AuthHeader",
    "shop-media.s3.eu-west-1.amazonaws.com", "TLSv1.2",
    "arn:aws:s3:eu-west-1:111122223333:accesspoint/web", "Yes", "eu-west-1",
)  # fmt: skip
REQUEST = '"GET /img/lens%2B1.jpg?itemId=EST-1&productId=FX-1 HTTP/1.1"'


def line(
    *,
    front: str = FRONT,
    request: str = REQUEST,
    counts: str = COUNTS,
    referrer: str = '"https://shop.example/list"',
    agent: str = '"Mozilla/5.0 (X11)"',
    behind: tuple[str, ...] = BEHIND,
) -> str:
    return " ".join([front, request, counts, referrer, agent, *behind])


def s3(text: str) -> dict[str, Any]:
    return event(text, format="s3")


def extra(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row["extra"])
    return found


def test_worked_example_of_a_hit() -> None:
    """The first example of section 6."""
    row = s3(
        "b0b0 media-bucket [06/May/2024:07:08:09 +0000] 198.51.100.66 - 9F8E7D6C5B4A3210"
        ' WEBSITE.GET.OBJECT say%2522hi%2522.html "GET /say"hi".html?v=2 HTTP/1.1" 200 - 4096 4096'
        ' 15 14 "https://www.example.org/" "Mozilla/5.0" - hostid= - - -'
        " media-bucket.s3-website.example - - -"
    )
    assert row["parse_status"] == "ok"
    assert (row["url_original"], row["url_query"]) == ('/say"hi".html?v=2', "v=2")
    told = (row["duration_ms"], row["event_type"], row["server_name"])
    assert told == (15.0, "request", "media-bucket")
    more = extra(row)
    assert more["s3_operation"] == "WEBSITE.GET.OBJECT"
    assert more["s3_key"] == "say%2522hi%2522.html"


def test_worked_example_of_an_expiry() -> None:
    """The second example of section 6."""
    row = s3(
        "b0b0 media-bucket [06/May/2024:00:00:00 +0000] - AmazonS3 11AA22BB33CC44DD"
        ' S3.EXPIRE.OBJECT old.txt "-" - - - 77 - - "-" "-" - hostid= - - - - -'
    )
    assert (row["parse_status"], row["event_type"]) == ("ok", "storage_op")
    assert not {"client_ip", "client_address", "http_method", "url_original"} & set(row)
    assert (row["user_name"], extra(row)["object_size"]) == ("AmazonS3", 77)


def test_every_field_is_placed() -> None:
    """4.9, mapping."""
    row = s3(line())
    assert extra(row) == {
        "bucket_owner": OWNER, "s3_operation": "REST.GET.OBJECT", "s3_key": "img/lens%2B1.jpg",
        "object_size": 3462992, "turn_around_ms": 10, "version_id": "v3HL4",
        "host_id": "s9lzHYrFp76ZVxRcpX9", "signature_version": "SigV4",
        "tls_cipher": "ECDHE-RSA-AES128-GCM-SHA256", "auth_type": "AuthHeader",
        "host_header": "shop-media.s3.eu-west-1.amazonaws.com", "tls_protocol": "TLSv1.2",
        "access_point_arn": "arn:aws:s3:eu-west-1:111122223333:accesspoint/web",
        "acl_required": "Yes", "source_region": "eu-west-1",
    }  # fmt: skip
    assert row.pop("event_time").isoformat() == "2024-05-02T08:11:12+00:00"
    for column in ("extra", "event_date", "source_line", "source_offset"):
        del row[column]
    assert row == {
        "bytes_scope": "body", "client_address": "203.0.113.9", "client_ip": "203.0.113.9",
        "duration_ms": 70.0, "event_name": "View", "event_type": "view", "http_method": "GET",
        "http_version": "1.1", "item_id": "EST-1", "native_id": "3E57427F3EXAMPLE",
        "parse_status": "ok", "product_id": "FX-1", "purchase_count": 0, "view_count": 1,
        "referrer": "https://shop.example/list", "referrer_domain": "shop.example",
        "response_bytes": 2662, "server_name": "shop-media", "status_code": 206,
        "url_original": "/img/lens%2B1.jpg?itemId=EST-1&productId=FX-1",
        "url_path": "/img/lens%2B1.jpg", "url_query": "itemId=EST-1&productId=FX-1",
        "user_agent": "Mozilla/5.0 (X11)", "user_name": "arn:aws:iam::111122223333:user/ann",
    }  # fmt: skip


@pytest.mark.parametrize("count", [17, 18, 24, 25, 26, 27])
def test_widths_that_were_usual_once(count: int) -> None:
    """4.9, widths."""
    assert s3(line(behind=BEHIND[: count - 17]))["parse_status"] == "ok"


@pytest.mark.parametrize("count", [19, 20, 21, 22, 23])
def test_other_widths(count: int) -> None:
    """4.9, widths."""
    row = s3(line(behind=BEHIND[: count - 17]))
    assert row["parse_warnings"] == "missing_fields"


@pytest.mark.parametrize("referrer", ["-", '"-"', '"https://shop.example/"'])
def test_a_line_without_agent(referrer: str) -> None:
    """1.2: a referrer without a user agent."""
    row = s3(f"{FRONT} {REQUEST} {COUNTS} {referrer}")
    assert (row["parse_warnings"], row.get("user_agent")) == ("missing_fields", None)


def test_fields_that_aws_may_add() -> None:
    """4.9, widths: as ALB."""
    row = s3(line(behind=(*BEHIND, "new", "-")))
    assert (row["parse_status"], extra(row)["extra_fields"]) == ("ok", ["new", "-"])


@pytest.mark.parametrize(
    ("request_text", "original"),
    [
        ('"GET /a"b HTTP/1.1"', '/a"b'),
        ('"GET /a" 200 b HTTP/1.1"', '/a" 200 b'),
        ('"GET /a" 200 - 1 1 1 x" HTTP/1.1"', '/a" 200 - 1 1 1 x"'),
        (r'"GET /a\"b HTTP/1.1"', r"/a\"b"),
        (r'"GET /a\ HTTP/1.1"', "/a\\"),
        (r'"GET /\x41 HTTP/1.1"', r"/\x41"),
    ],
)
def test_quotes_in_the_request(request_text: str, original: str) -> None:
    """4.9, shape, and 3.9: nothing is escaped; the first quote that fits ends the text."""
    row = s3(line(request=request_text))
    assert (row["parse_status"], row["url_original"]) == ("ok", original)


@pytest.mark.parametrize(
    ("referrer", "agent"),
    [
        ('a"b', "c"),
        ("a", 'b "c" d'),
        ("a", '"'),
        ("a", '" "'),
        ('"', "c"),
        ("a\\", "b\\"),
        ("", ""),
        ("a", "-"),
    ],
)
def test_quotes_in_referrer_and_agent(referrer: str, agent: str) -> None:
    """4.9, shape."""
    row = s3(line(referrer=f'"{referrer}"', agent=f'"{agent}"'))
    assert (row.get("referrer"), row.get("user_agent")) == (
        referrer or None,
        None if agent in ("", "-") else agent,
    )
    assert extra(row)["version_id"] == "v3HL4"


@pytest.mark.parametrize("request_text", ["-", '"-"', '""'])
def test_no_request(request_text: str) -> None:
    """4.9, mapping: without a warning."""
    row = s3(line(request=request_text))
    assert row["parse_status"] == "ok"
    assert not {"http_method", "url_original", "url_path"} & set(row)
    assert "request_line" not in extra(row)


@pytest.mark.parametrize("referrer", ["-", '"-"', '"https://shop.example/"'])
@pytest.mark.parametrize("agent", ["-", '"-"', '"curl"'])
def test_null_texts(referrer: str, agent: str) -> None:
    """4.9, shape: referrer and agent may be an unquoted `-`."""
    row = s3(line(referrer=referrer, agent=agent))
    assert row["parse_status"] == "ok"
    assert row.get("referrer") == (None if "-" in referrer else referrer.strip('"'))
    assert row.get("user_agent") == (None if "-" in agent else "curl")


def test_a_bad_request_line() -> None:
    """3.8."""
    row = s3(line(request='"nonsense"'))
    assert row["parse_warnings"] == "bad_request_line"
    assert extra(row)["request_line"] == "nonsense"


@pytest.mark.parametrize(
    ("requester", "told"),
    [
        ("-", None),
        ("Ann Lee of the shop", "Ann Lee of the shop"),
        ("arn:aws:sts::1:assumed-role/web/i 0a", "arn:aws:sts::1:assumed-role/web/i 0a"),
        ("REST.GET.OBJECT", "REST.GET.OBJECT"),
    ],
)
def test_requesters(requester: str, told: str | None) -> None:
    """4.9, shape: it ends before the id of the request and the operation."""
    row = s3(line(front=FRONT.replace("arn:aws:iam::111122223333:user/ann", requester)))
    assert (row.get("user_name"), row["native_id"]) == (told, "3E57427F3EXAMPLE")


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("REST.GET.OBJECT", "purchase"),
        ("REST.HEAD.OBJECT", "purchase"),
        ("WEBSITE.GET.OBJECT", "purchase"),
        ("WEBSITE.HEAD.OBJECT", "purchase"),
        ("REST.PUT.OBJECT", "storage_op"),
        ("REST.GET.BUCKET", "storage_op"),
        ("REST.GET.OBJECT_TAGGING", "storage_op"),
        ("REST.COPY.OBJECT_GET", "storage_op"),
        ("SOAP.GET.OBJECT", "storage_op"),
        ("BATCH.DELETE.OBJECT", "storage_op"),
        ("S3.TRANSITION_GDA.OBJECT", "storage_op"),
    ],
)
def test_operations(operation: str, kind: str) -> None:
    """4.9, mapping, and 2.4: a storage_op counts nothing."""
    target = '"GET /a?action=purchase&itemId=1&productId=2 HTTP/1.1"'
    row = s3(line(front=FRONT.replace("REST.GET.OBJECT", operation), request=target))
    assert row["event_type"] == kind
    assert row.get("purchase_count") == (None if kind == "storage_op" else 1)


@pytest.mark.parametrize(
    "text",
    [
        "random text",
        FRONT,
        f"{FRONT} {REQUEST}",
        f"{FRONT} {REQUEST} {COUNTS}",
        f"{FRONT} {REQUEST} {COUNTS} ",
        line(counts="206 - 2662 3462992 70"),
        line(counts="2x6 - 2662 3462992 70 10"),
        line(counts="206 - -1 3462992 70 10"),
        line(counts="206 - 2662 3462992 7.5 10"),
        line(request="GET"),
        line(referrer="https://shop.example"),
        line(agent="curl"),
        line(agent='"half an agent', behind=()),
        line(agent='"agent"x'),
        line(referrer="-", agent='" half', behind=()),
        line(referrer='" half', agent="-", behind=()),
        line(referrer='"', agent="-", behind=()),
        line(referrer="-", agent="-", behind=('"x"',)),
        line(behind=("-", "", "-")),
        line().replace(" 206", "  206"),
        line(front=FRONT.replace("shop-media ", "shop-media  ")),
        line(front=FRONT.replace("REST.GET.OBJECT", "rest.get.object")),
        line(front=FRONT.replace("REST.GET.OBJECT", "GET.OBJECT")),
        line(front=FRONT.replace("arn:aws:iam::111122223333:user/ann ", "")),
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 200 5 "-" "agent"',
    ],
)
def test_lines_of_another_shape(text: str) -> None:
    """4.9, shape; 3.6: status and byte fields are digits or `-`."""
    assert reason(text, format="s3") == "no_match"


@pytest.mark.parametrize(
    ("text", "why"), [("# x", "comment"), ("  \t", "blank"), ("x", "no_match")]
)
def test_other_lines(text: str, why: str) -> None:
    """1.1."""
    assert reason(text, format="s3") == why


@pytest.mark.parametrize(
    ("time", "why"),
    [("31/Feb/2024:10:11:12 +0000", "bad_timestamp"), ("yesterday", "bad_timestamp")],
)
def test_bad_times(time: str, why: str) -> None:
    """1.3."""
    front = FRONT.replace("02/May/2024:10:11:12 +0200", time)
    assert reason(line(front=front), format="s3") == why


def test_a_time_without_zone() -> None:
    """3.5: the zone is not fixed for this format."""
    row = s3(line(front=FRONT.replace(" +0200", "")))
    assert row["parse_warnings"] == "no_timezone"
    assert s3(line(front=FRONT.replace("02/May/2024:10:11:12 +0200", "-")))["parse_warnings"] == (
        "no_timestamp"
    )


@pytest.mark.parametrize(
    ("client", "ip", "code"),
    [
        ("2001:DB8::1", "2001:db8::1", None),
        ("10.0.0.1,203.0.113.8", "203.0.113.8", None),
        ("203.0.113.300", None, "invalid_client_ip"),
        ("-", None, None),
    ],
)
def test_clients(client: str, ip: str | None, code: str | None) -> None:
    """3.7."""
    row = s3(line(front=FRONT.replace("203.0.113.9", client)))
    assert (row.get("client_ip"), row.get("parse_warnings")) == (ip, code)
    assert row.get("forwarded_for") == (client if "," in client else None)


@pytest.mark.parametrize(
    ("counts", "code", "column", "told"),
    [
        ("999 - 1 1 1 1", "invalid_status", "status_code", 999),
        ("0 - 1 1 1 1", None, "status_code", 0),
        ("- - - - - -", None, "response_bytes", None),
        ("200 NoSuchKey 1 1 1 1", None, "error_code", "NoSuchKey"),
        ("200 - 99999999999999999999 1 1 1", "bytes_overflow", "response_bytes", None),
        ("200 - 1 99999999999999999999 1 1", "bytes_overflow", "object_size", None),
        ("200 - 1 1 99999999999999999999 1", "invalid_number", "duration_ms", None),
        ("200 - 1 1 1 99999999999999999999", "invalid_number", "turn_around_ms", None),
    ],
)
def test_counts(counts: str, code: str | None, column: str, told: object) -> None:
    """1.2, 3.6 and 7.7."""
    row = s3(line(counts=counts))
    assert row.get("parse_warnings") == code
    assert {**extra(row), **row}.get(column) == told


def test_blanks_around_the_line() -> None:
    """4.9, shape."""
    assert s3(f"  {line()} ") == s3(line())


def test_found_by_content() -> None:
    """3.10."""
    (row,) = read(f"{line()}\n".encode()).events
    assert (row["source_format"], row["parse_status"]) == ("s3", "ok")
