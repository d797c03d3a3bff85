"""`formats explain NAME --line`: the caret stands where the line stops fitting its format."""

from __future__ import annotations

import json

import pytest
from fixtures.outcome import CSV_HEADER, HEAD, LINE

from ingest.cli.preview import explain
from ingest.parse.json_lines import shapes
from ingest.parse.registry import lookup
from ingest.sample.lines_csv import CSV_HEADER as REFERENCE_HEADER

APIGW = '192.0.2.1 caller user [03/Mar/2024:07:08:09 +0000]"GET / HTTP/1.1" 200 5 id'
IIS = "2024-05-02 10:11:12 192.0.2.5 GET / - 443 - 192.0.2.1 agent - 200 0 0 12"
CLOUDFRONT = "2024-05-06\t07:08:09\tFRA56-P1\t10\t192.0.2.43\tGET\thost\t/x\t200\t-\ta\t-"
S3 = (
    "b0b0 bucket [06/May/2024:07:08:09 +0000] 192.0.2.6 - 9F8E REST.GET.OBJECT a.html"
    ' "GET /a.html HTTP/1.1" 200 - 4096 4096 15 14 "-" "agent" -'
)
CLB = (
    "2024-05-06T07:08:09.000250Z old-lb 192.0.2.7:50001 192.0.2.21:80 0.1 0.2 0.3 200 200 0 2048"
    ' "GET http://old.example.com:80/a HTTP/1.1" "agent" - -'
)
ALB = f'http {CLB.replace("old-lb", "app/lb/1")} arn "Root=1" "-" "-" 0'
BAD_TIME = ("03/Mar", "31/Mai")


@pytest.mark.parametrize(
    ("name", "line", "expected", "place"),
    [
        ("access", "no log", "expected a [time] in front of the request", ""),
        ("access", LINE.replace("[", "").replace("]", ""), "a [time] in front", '"GET'),
        ("access", LINE.replace('"GET', "GET"), "a space and the request in quotes", " GET"),
        ("access", LINE[LINE.index("[") :], "a client and a space before the time", "[03"),
        ("access", LINE.replace('1.1" ', '1.1"x '), "a request whose quote is closed", '"GET'),
        ("combined", LINE.replace("200", "2x0"), "a status of three digits", "2x0"),
        ("common", HEAD[:-1] + "x", "a number of bytes", "x"),
        ("access", "  " + LINE.replace("200", "2x0"), "a status of three digits", "2x0"),
        ("access", LINE.replace("192.0.2.1 - -", "a b c - d"), "who the client is", "a b c"),
        ("access", LINE.replace(' "GET', ' [x] "GET'), "the request behind the time", " [x]"),
        ("access", " " + LINE.replace(*BAD_TIME), "bad_timestamp: 31/Mai/2024", "31/Mai"),
        ("apigw_clf", APIGW.replace("200", "2x0"), "a status of three digits", "2x0"),
        ("apigw_clf", APIGW.replace("caller ", ""), "client, caller and user", "192.0.2.1 u"),
        ("apigw_clf", APIGW.replace(" id", ' "-"'), "the id of the request, without", '"-"'),
        ("apigw_clf", APIGW.replace(*BAD_TIME), "bad_timestamp: 31/Mai/2024", "31/Mai"),
        ("s3", "no log", "the time in brackets", ""),
        ("s3", S3.replace("REST.", "TEST."), "an operation such as REST.GET.OBJECT", " TEST."),
        ("s3", S3.replace(" 200 ", " 2x0 "), "the status", "2x0"),
        ("s3", S3.replace('"GET', "GET"), "the request in quotes, or -", "GET"),
        ("s3", S3 + "  x", "one space between fields", " x"),
        ("s3", S3.replace("[06/May", "[31/Mai"), "bad_timestamp: 31/Mai/2024", "31/Mai"),
        ("alb", "http x" + ALB[ALB.index(" app/") :], "a time such as 2024-05-06T", "x app"),
        ("alb", "http 2024-05-06T07:08:09Z app/x", "wrong_field_count: 3 of at least 20", ""),
        ("alb", ALB.replace('"GET ', "GET "), "quotes around a whole field", 'HTTP/1.1"'),
        (
            "alb",
            ALB.replace('"GET http://old.example.com:80/a HTTP/1.1"', "GET"),
            "the request",
            "GET",
        ),
        ("clb", CLB.split('"')[0] + '"GET / HTTP/1.1', "quotes around a whole field", '"GET'),
        ("clb", CLB.replace("-05-06T", "-02-31T"), "bad_timestamp: 2024-02-31", "2024-02-31"),
        ("cloudfront", CLOUDFRONT.replace("07:", "7:"), "a time in the column time", "7:08"),
        ("cloudfront", CLOUDFRONT[:-5], "wrong_field_count: 10 of at least 12 columns", ""),
        ("cloudfront", CLOUDFRONT.replace("-05-06", "-02-31"), "date: 2024-02-31 07", "2024-02"),
        ("w3c", IIS.replace("10:", "x:"), "a time in the column time", "x:11"),
        ("w3c", IIS.replace("agent", "an odd agent"), "in the column sc-status", "agent"),
        ("w3c", "no", "more than a single column", ""),
        ("schematic-csv", "a,b", "wrong_field_count: 2 of 21 fields", ""),
        ("schematic-csv", 'View,77,"Lens', "bad_csv: a quote that is never closed", '"Lens'),
        ("$status [$time_local]", "200 [31/Mai/2024:07:08:09 +0000]", "bad_timestamp", "31/Mai"),
        ("snowplow", "a", "131 columns between TABs", ""),
        ("waf", '{"a": 1,}', "bad_json: ", "}"),
        ("jsonl", '{"a":1} x', "trailing_data: text after the value", " x"),
    ],
)
def test_the_caret_stands_where_the_line_stops_fitting(
    name: str, line: str, expected: str, place: str
) -> None:
    *_, verdict, why, shown, caret = explain(name, line).splitlines()
    assert json.loads(verdict)["status"] == "reject"
    assert expected in why
    assert caret.strip() == "^"
    at = caret.index("^")
    assert shown[at:].startswith(place) if place else at == len(shown)


def test_a_place_within_the_log_of_docker_has_no_caret() -> None:
    wrapped = json.dumps({"log": "no\n", "stream": "stdout", "time": "2024-05-06T07:08:09Z"})
    _, why = explain("docker_json", wrapped.replace(": ", ":").replace(", ", ",")).splitlines()[-2:]
    assert why.endswith("expected a [time] in front of the request at character 3 of its log")


def test_the_grammar_of_jsonl_names_what_each_format_needs() -> None:
    lines = explain("jsonl").splitlines()[-len(shapes()) :]
    assert [line.split()[0] for line in lines] == [shape.name for shape in shapes()]
    assert lines[0] == "waf             httpRequest (an object) and webaclId"


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        ("segment", "{}", "no_match: segment needs type (identify, track, page, screen, group,"
         " alias) and one of messageId, anonymousId, userId; the object has no keys"),
        ("waf", '{"a":1}', "no_match: waf needs httpRequest (an object) and webaclId; the object"
         " has the keys a"),
        ("jsonl", "{}", "no_match: the object has no keys"),
        ("nginx_json", '{"time":"nope","remote_addr":"192.0.2.1","request":"GET /"}',
         "bad_timestamp: time: nope"),
        ("cloudfront_v2", '{"date":"2024-02-31","time":"07:08:09","sc-status":"200"}',
         "bad_timestamp: date: 2024-02-31 07:08:09"),
    ],
)  # fmt: skip
def test_the_reject_of_an_object_names_its_keys(name: str, line: str, why: str) -> None:
    assert explain(name, line).splitlines()[-1] == why


@pytest.mark.parametrize(
    ("name", "line"),
    [("w3c", IIS), ("schematic-csv", "View,77,Lens" + ",0" * 7 + ",192.0.2.1" + ",0" * 10)],
)
def test_a_format_with_a_header_takes_its_usual_one_and_says_so(name: str, line: str) -> None:
    *above, verdict = explain(name, line).splitlines()
    header = lookup(name).usual_header.decode().splitlines()[-1]
    assert {header, "The line is read below the usual header:"} <= set(above)
    assert json.loads(verdict)["event"]["client_ip"] == "192.0.2.1"


def test_the_usual_header_is_that_of_the_reference_file() -> None:
    assert lookup("schematic-csv").usual_header.decode() == f"{REFERENCE_HEADER}\n"
    assert REFERENCE_HEADER == CSV_HEADER


def test_a_line_that_is_a_header_itself_gets_none() -> None:
    assert "usual header" not in explain("w3c", "#Fields: date time")
