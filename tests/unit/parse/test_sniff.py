"""Finding the format (3.10): content of another known format is named or refused, never misread."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fixtures.outcome import CSV_HEADER, HEAD, LINE, SETTINGS
from fixtures.packs import PACKS, each_kind

from ingest.parse.registry import supported
from ingest.parse.sniff import SNIFF_BYTES, Sniffed, _head, find_format, sniff

ACCESS = Sniffed(format="access", splittable=True)
UNKNOWN = Sniffed(reason="unknown_format")
ALB = (
    "https 2024-05-06T07:08:09.123456Z app/shop-lb/0a1b2c3d4e5f6071 198.51.100.7:40001 "
    '192.0.2.20:8080 0.001 0.025 0.002 502 - 512 880 "GET https://shop.example.com:443/ HTTP/2.0" '
    '"Mozilla/5.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1" "shop.example.com" "-" '
    '10 2024-05-06T07:08:09.095000Z "forward" "-" "-" "192.0.2.20:8080" "-" "-" "-" TID_0a1b'
)
CLB = (
    "2024-05-06T07:08:09.000250Z legacy-lb [2001:db8::7]:50001 192.0.2.21:80 0.00004 0.0105 "
    '0.000021 200 200 0 2048 "GET http://old.example.com:80/a HTTP/1.1" "agent" - -'
)
CLOUDFRONT = "2024-05-06 07:08:10 FRA56-P1 10 192.0.2.43 GET d0.example /x 200 - a -".replace(
    " ", "\t"
)
S3 = (
    "b0b0 media-bucket [06/May/2024:07:08:09 +0000] 198.51.100.66 - 9F8E7D6C5B4A3210 "
    'WEBSITE.GET.OBJECT a.html "GET /a.html HTTP/1.1" 200 - 4096 4096 15 14 "-" "Mozilla/5.0" - '
    "hostid= - - - host - - -"
)
SNOWPLOW = "shop" + "\t" * 130
JSON = '{"type":"page","messageId":"m"}'

# A virtual host behind a relay that writes no tag, and columns of an own log.
FOREIGN = [
    f"2024-03-03T07:08:09Z web1 www.example.com:443 {LINE}",
    *(
        text.replace(" ", "\t")
        for text in (
            "2024-05-06 07:08:09 INFO web main req-1 user1 /x ok a b c",
            "2024-05-06 07:08:09 192.0.2.1 GET /x 200 123 0.5 - agent host a b c d",
            " ".join(map(str, range(131))),
        )
    ),
]


DOCKER = '{"log":"x\\n","stream":"stdout","time":"2024-05-06T07:08:09Z"}'
OF_ONE_FORMAT = (
    ALB, CLB, CLOUDFRONT, S3, SNOWPLOW, JSON, LINE, CSV_HEADER, DOCKER, "#Fields: date time",
    "#Version: 1.0\n#Fields: date time",
    "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time",
)  # fmt: skip


@pytest.mark.parametrize("content", OF_ONE_FORMAT)
def test_no_line_fits_two_formats_so_that_no_key_has_to_decide(content: str) -> None:
    """ADR 15."""
    head = _head(content.encode(), whole=True)
    scores = {form.name: form.score(head, SETTINGS) for form in supported() if form.score}
    assert len([name for name, score in scores.items() if score]) == 1


def found(*lines: str) -> Sniffed:
    return sniff("\n".join(lines).encode(), settings=SETTINGS)


@pytest.mark.parametrize("line", [LINE, HEAD, HEAD + ' "cut', LINE.replace("/Mar/", "/Mai/")])
def test_access(line: str) -> None:
    assert found(line) == ACCESS


@pytest.mark.parametrize(
    "line",
    [
        f"Mar  3 07:08:09 web1 nginx: {LINE}",
        f"2024-03-03T07:08:09Z web1 nginx: {LINE}",
        f"2024-03-03T07:08:09Z stdout F {LINE}",
        f"<190>1 2024-03-03T07:08:09Z web1 nginx 12 access - {LINE}",
        f"web-1  | {LINE}",
        f"www.example.com gw.example.net - - {LINE.partition(' - - ')[2]}",
        f"192.0.2.1 - [192.0.2.1] - - {LINE.partition(' - - ')[2]}",
        LINE.replace("+0000", "UTC"),
        LINE.replace(" 200 ", " 0 "),
        LINE.replace("GET / ", "GET show.do?a=b "),
        LINE.replace('"-"', 'HIT "-"'),
    ],
)
def test_access_as_others_write_it(line: str) -> None:
    assert found(line, line) == ACCESS


@pytest.mark.parametrize(
    "header", [CSV_HEADER, CSV_HEADER.upper(), '"Action",Brand,"SessionID",URL,Category,x']
)
def test_schematic(header: str) -> None:
    assert found(header, "a,b,c") == Sniffed(format="schematic-csv", splittable=False)


def test_four_known_names_are_no_header() -> None:
    assert found("Action,Brand,SessionID,URL,x", "a,b") == UNKNOWN


@pytest.mark.parametrize("line", ["random text", "a,b,c"])
def test_other_content_is_refused(line: str) -> None:
    assert found(line, line) == UNKNOWN


@pytest.mark.parametrize("line", [JSON, "[ {}]", "{"])
def test_json_lines(line: str) -> None:
    assert found(JSON, line) == Sniffed(format="jsonl", splittable=True)
    assert found(LINE, LINE, line) == ACCESS


@pytest.mark.parametrize("line", FOREIGN)
def test_columns_of_another_log_are_not_those_of_aws(line: str) -> None:
    """7: never a plausible wrong value; these were read as `clb`, `cloudfront` and `snowplow`."""
    assert found(line, line) == UNKNOWN


@pytest.mark.parametrize("version", ["#Version: 1.0", "#Date: 2024-05-06"])
def test_quoted_texts_below_a_header_are_not_those_of_cloudfront(version: str) -> None:
    """Akamai's log: referrer `"-"`, and seconds that may be none."""
    fields = "#Fields: date time cs-ip cs-method cs-uri sc-status cs(Referer) cs(User-Agent)"
    record = '2024-05-06\t07:08:09\t192.0.2.1\tGET\t/h/x\t200\t"-"\t"Mozilla/5.0 x"'
    assert found(version, fields, record) == UNKNOWN


def test_a_relay_that_writes_no_tag_makes_no_load_balancer() -> None:
    line = f"2024-03-03T07:08:09Z web1 {LINE.replace('192.0.2.1', '192.0.2.1:40001')}"
    assert found(line) == ACCESS


@pytest.mark.parametrize("line", ["{ NOT NULL |", "{ echo a; }", "[ {x"])
def test_a_brace_alone_makes_no_json(line: str) -> None:
    """Else thousands of rejected lines of a manual would quarantine a whole batch."""
    assert found("some text", line) == UNKNOWN


def test_json_lines_that_docker_wrapped() -> None:
    wrapped = '{"log":"a\\n","stream":"stdout","time":"2024-05-06T07:08:09Z"}'
    assert found(wrapped, wrapped, JSON) == Sniffed(format="docker_json", splittable=False)


@pytest.mark.parametrize("first", ["{", " [ "])
def test_pretty_printed_json_is_refused_also_when_its_format_is_configured(first: str) -> None:
    """Section 4.3."""
    lines = f'\n{first}\n"a": 1\n'.encode()
    for name in ("jsonl", "segment", "docker_json"):
        settings = replace(SETTINGS, format=name)
        assert find_format(lines, whole=True, settings=settings).reason == "multiline_json"


def test_fields_line_without_software_is_cloudfront() -> None:
    cloudfront = Sniffed(format="cloudfront", splittable=False)
    assert found("#Version: 1.0", "#Fields: date time", LINE) == cloudfront
    assert found("#Software: x", "#Fields: date time", LINE) == ACCESS


@pytest.mark.parametrize(
    ("name", "line"), [("alb", ALB), ("clb", CLB), ("s3", S3), ("snowplow", SNOWPLOW)]
)
def test_logs_of_aws(name: str, line: str) -> None:
    assert found(line) == Sniffed(format=name, splittable=True)
    assert found("# a comment", line, line, LINE) == Sniffed(format=name, splittable=True)


@pytest.mark.parametrize("other", [ALB, CLB, CLOUDFRONT, S3, SNOWPLOW])
def test_the_format_of_most_lines_wins(other: str) -> None:
    assert found(LINE, LINE, other) == ACCESS
    assert found(other, other, LINE) != ACCESS


def test_of_equals_the_earlier_signature_wins() -> None:
    assert found(LINE, CLB, ALB).format == "alb"
    assert found(LINE, S3, CLB).format == "clb"
    assert found(LINE, S3).format == "s3"


def test_one_line_among_garbage_is_enough() -> None:
    assert found(*["garbage"] * 50, LINE) == ACCESS


def test_only_100_lines_are_looked_at() -> None:
    assert found(*["garbage"] * 100, LINE) == UNKNOWN
    assert found(*["#"] * 100, *[""] * 100, LINE) == ACCESS


def test_only_blank_and_comment_lines() -> None:
    assert found("", "# a", " \t") == Sniffed()


def test_a_preamble_longer_than_the_head_is_read_as_access() -> None:
    assert found("# a" * SNIFF_BYTES) == ACCESS
    assert found(*["# a"] * SNIFF_BYTES) == ACCESS


def test_an_incomplete_line_counts_only_when_there_is_no_other() -> None:
    cut = b"x\n" + LINE.encode()
    assert find_format(cut, whole=True, settings=SETTINGS) == ACCESS
    assert find_format(cut, whole=False, settings=SETTINGS) == UNKNOWN
    assert find_format(LINE.encode(), whole=False, settings=SETTINGS) == ACCESS


def test_a_single_brace_among_access_lines_is_a_reject() -> None:
    assert found("{", LINE, LINE) == ACCESS


def test_a_configured_format_is_not_checked() -> None:
    settings = replace(SETTINGS, format="access")
    assert sniff(b"garbage", settings=settings) == ACCESS
    assert sniff(b"\xff\xfea\0", settings=settings) == Sniffed(reason="not_utf8")


@each_kind
def test_what_is_compressed_is_never_splittable(kind: str) -> None:
    assert sniff(PACKS[kind](LINE.encode()), settings=SETTINGS) == Sniffed()
