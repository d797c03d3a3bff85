"""The kernels of log format strings and `apigw_clf`: sections 4.2 and 4.11, against the oracle."""

from __future__ import annotations

import random
from typing import Any

import pytest
from fixtures.cut_lines import lines_of
from fixtures.outcome import IDENTITY
from support.laid_out import random_layout, random_seeds, written
from support.mutated import TURNS, check_kernels, replaced

from ingest.parse.format import FEW_LINES
from ingest.parse.layout.compiled import compile_layout
from ingest.parse.layout.reading import reading_of
from ingest.parse.registry import check_settings, configured
from ingest.settings import ParseSettings

TIME = "03/Mar/2024:07:08:09 +0100"
HEAD = f'192.0.2.1 - ann [{TIME}] "GET /a?itemId=E&productId=F&utm_source=m HTTP/1.1" 200 5'
NGINX = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
APACHE = '%h %l %u %t "%r" %>s %b'
REQUEST = "GET /a?b=1 HTTP/1.1"
LAYOUTS = 10


def taken(string: str, *lines: str, **more: Any) -> list[bool]:
    """Return which lines the kernels take, after checking that the reference parser agrees."""
    is_own = "%" in string or "$" in string
    settings = replaced(ParseSettings(), {"log_format" if is_own else "format": string, **more})
    check_settings(settings)
    found = configured(settings)
    assert found is not None
    raw = [line.encode() for line in lines]
    given = lines_of([*raw, *[b""] * FEW_LINES], offset=1000)
    fast, slow = (
        found.open(IDENTITY, replaced(settings, {"fast": fast})).parse(given)
        for fast in (True, False)
    )
    rows = [parsed.events.to_pylist() for parsed in (fast, slow)]
    assert sorted(rows[0], key=str) == sorted(rows[1], key=str)
    assert (fast.line_counts, fast.counts) == (slow.line_counts, slow.counts)
    assert fast.rejects.equals(slow.rejects)
    assert slow.table.num_rows == 0
    numbers = set(fast.table["source_line"].to_pylist())
    return [index + 1 in numbers for index in range(len(raw))]


@pytest.mark.parametrize(
    ("string", "line"),
    [
        (NGINX, HEAD),
        (NGINX, HEAD.replace("- ann", "- -").replace(" 200 5", " 000 -")),
        (NGINX, HEAD.replace(" - ", "  -  ").replace(" 200 ", "   200  ") + "  "),
        (NGINX, "  " + HEAD.replace("192.0.2.1", "2001:DB8::7").replace("ann", "Ann Lee")),
        (NGINX, HEAD.replace("192.0.2.1", "crawler.example") + " tail"),
        (NGINX, HEAD + r' a\b "c" -'),
        (NGINX, HEAD.replace("GET /a", "GET https://Shop.example:8443/a")),
        (NGINX, HEAD.replace("GET /a", r"\x16\x03")),
        (NGINX, HEAD.replace(HEAD[HEAD.index("GET") : HEAD.index('" 200')], "-")),
        (f'{NGINX} "$http_user_agent"', HEAD + r' "say \"x\" \x22y\x22 \\ é"'),
        (f'{NGINX} "$http_referer"', HEAD + ' "https://News.example/?action=purchase"'),
        (f'{NGINX} "$http_cookie"', HEAD + r' "a=\x22b\x22; c=1"'),
        (f'{NGINX} "$http_x_note" $pid', HEAD + r' "\x22Chromium\x22;v=\"1\" \\ é" p"q'),
        (f"{NGINX}|$a|$b|", HEAD + "|x y|-|"),
        (f"{NGINX}\t$a\t", HEAD + "\tx\t"),
        (f'{NGINX} "$http_x"\t$a', HEAD + ' "\t"\tx'),
        (f"{NGINX} $request_time $upstream_response_time", HEAD + " 12.5 0.25"),
        (f"{NGINX} $upstream_response_time $pid", HEAD + " 0.1, 0.25 : - 7"),
        (f"{NGINX} $upstream_response_time $pid", HEAD + " -, -1 7"),
        (f"{NGINX} $upstream_status [$upstream_addr]", HEAD + " 502, - : 200 [a:1, b:2 : c:3]"),
        (f"{NGINX} $upstream_status", HEAD + " -"),
        (f"{NGINX} $host $server_port", HEAD + " shop.example 443"),
        (f"{NGINX} $http_host", HEAD + " [2001:db8::1]:8080"),
        (f"{NGINX} $host", HEAD + " 2001:db8::1"),
        (f"{NGINX} $scheme", HEAD + " HTTPS"),
        (f"{NGINX} $request_length $bytes_sent", HEAD + " 512 900"),
        (f"{NGINX} $request_id", HEAD + " ab12"),
        (f"{NGINX} $msec", HEAD + " 1709446089.250"),
        (f"{NGINX} $request_method $uri $args $server_protocol", HEAD + " GET /b x=1 HTTP/1.1"),
        (f"{NGINX} $request_uri", HEAD + " /other"),
        ('$time_iso8601 "$request"', f'2024-03-03T07:08:09+01:00 "{REQUEST}"'),
        ('$msec "$request"', f'1709446089.250 "{REQUEST}"'),
        ('$time_local "$request"', f'{TIME} "{REQUEST}"'),
        ("[$time_local] $scheme://$host$request_uri", f"[{TIME}] https://shop.example/a?b=1"),
        ("$msec $request_method $uri$is_args$args", "1709446089.250 GET /a?itemId=E&action=x"),
        ("$msec $request_method $uri $args", "1709446089.250 GET /a itemId=E"),
        ("$msec $request_method $uri $args", "1709446089.250 - /a?x=1 x=1"),
        ("$msec $uri $server_protocol", "1709446089.250 /a HTTP/2.0"),
        ("$msec $request_method $args", "1709446089.250 GET a=b"),
        (APACHE.replace("%b", "%O"), HEAD),
        (f"{APACHE} %O", HEAD + " 900"),
        (f"{APACHE} %D", HEAD + " 123456"),
        (f"{APACHE} %{{ms}}T", HEAD + " 250"),
        (f"{APACHE} %T %D", HEAD + " 0 250123"),
        (f"{APACHE} %T", HEAD + " -1"),
        (f"{APACHE} %{{pid}}P %{{tid}}P", HEAD + " 7 8"),
        (f"{APACHE} %{{pid}}P %{{tid}}P", HEAD + " - 8"),
        (f"{APACHE} %{{pid}}P %{{tid}}P", HEAD + " 7 7"),
        (f'{APACHE} %{{pid}}P "%{{tid}}P"', HEAD + ' p"q "-"'),
        (f"{APACHE} %p %{{remote}}p", HEAD + " 443 40001"),
        (f"%a {APACHE}", "198.51.100.7 " + HEAD),
        (f"%a {APACHE}", "- " + HEAD),
        ('%{%F %T}t.%{usec_frac}t%{%z}t "%r"', f'2024-03-03 07:08:09.000250+0100 "{REQUEST}"'),
        ('"%{%e/%h/%y %H}t" "%r"', f'" 3/mar/69 07" "{REQUEST}"'),
        ('%{sec}t.%{msec_frac}t "%r"', f'1709446089.250 "{REQUEST}"'),
        ('%{usec}t "%r"', f'1709446089250123 "{REQUEST}"'),
        ('%{begin:%FT%T%z}t %{end:%s}t "%r"', f'2024-03-03T07:08:09-03:30 17 "{REQUEST}"'),
        ("apigw_clf", HEAD + " id-1"),
        ("apigw_clf", HEAD.replace('] "', ']"') + r" id-1  more \x22 -"),
        ("apigw_clf", HEAD.replace("- ann", "caller Ann Lee")),
        ("apigw_clf", HEAD + " - -"),
    ],
)
def test_usual_lines(string: str, line: str) -> None:
    assert taken(string, line) == [True]


@pytest.mark.parametrize(
    ("string", "line"),
    [
        (NGINX, "#" + HEAD),
        (NGINX, "x" + HEAD + '"'),
        (NGINX, HEAD.replace('"GET', "GET")),
        (NGINX, HEAD.replace(" 5", " 5x")),
        (NGINX, HEAD.replace(" 5", " " + "9" * 19)),
        (NGINX, HEAD.replace(" 200", " 99")),
        (NGINX, HEAD.replace("Mar", "Mai")),
        (NGINX, HEAD.replace("192.0.2.1", "1.2.3.999")),
        (NGINX, HEAD.replace("192.0.2.1", "192.0.2.1, 10.0.0.1")),
        (NGINX, HEAD.replace("ann", "192.0.2.9")),
        (NGINX, "\x01" + HEAD),
        (NGINX, HEAD.replace("/a", "/p;jsessionid=S")),
        (f'{NGINX} "$http_cookie"', HEAD + ' "JSESSIONID=S"'),
        (f'{NGINX} "$http_user_agent"', HEAD + ' "agent'),
        (f'{NGINX} "$http_user_agent"', HEAD + ' "agent"x'),
        (f"{NGINX} $host", HEAD + " " + "h" * 256),
        (f"{NGINX} $host $server_port", HEAD + " shop.example:80 443"),
        (f"{NGINX} $upstream_status", HEAD + " 99"),
        (f"{NGINX} $upstream_status $status", HEAD + " 200 404x"),
        (f"{NGINX} $remote_user", HEAD + " 192.0.2.9"),
        (f"{NGINX} $server_protocol", HEAD.replace(" HTTP/", " HTTP ") + " HTTP/1.1"),
        (f"{NGINX} $request_uri $uri", HEAD + " - /other"),
        (f"{APACHE} %T %D", HEAD + " 3 -"),
        (f"{NGINX} $tail", HEAD.replace(" 5", " 5  ") + " x -1 [" + "x" * 4000),
        (f"{APACHE} %D", HEAD + " 0.5"),
        (f"{APACHE} %D", HEAD + " 1000000000001"),
        (f"{APACHE} %T", HEAD + " 1e3"),
        (f"{APACHE} %p", HEAD + " 65536"),
        ('"%t" "%r"', f'"[{TIME[:-2]}l0]" "{REQUEST}"'),
        ('%{%F %T %z}t "%r"', f'2024-02-31 07:08:09 +0100 "{REQUEST}"'),
        ('%{%F %T %z}t "%r"', f'2024-03-03 07:08:60 +0100 "{REQUEST}"'),
        ('%{%F %T %z}t "%r"', f'2024-03-03 07:08:09 +1401 "{REQUEST}"'),
        ('%{sec}t "%r"', f'12345678901234567890 "{REQUEST}"'),
        ('$msec "$request"', f'- "{REQUEST}"'),
        ("$msec $request_method $uri $args", "1709446089.250 GET - x=1"),
        ("$msec $request_method $uri $args", "1709446089.250 GET /a?x=1 x=2"),
        ("$msec $request_method $uri", "1709446089.250 {} /a"),
        ("$msec $request_method $uri", "1709446089.250 GET -"),
        ("$msec $uri $server_protocol", "1709446089.250 /a FTP"),
        ("apigw_clf", HEAD.replace("- ann", "-  ann")),
        ("apigw_clf", HEAD.replace("192.0.2.1", "host.example")),
        ("apigw_clf", HEAD.replace("ann", 'a"b').replace('] "', ']"')),
        ("apigw_clf", HEAD.replace("ann", "a[b").replace('] "', ']"')),
        ("apigw_clf", HEAD + ' "id-1"'),
        ("apigw_clf", HEAD + r" id\x41"),
    ],
)
def test_lines_for_the_reference_parser(string: str, line: str) -> None:
    assert taken(string, line) == [False]


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin"])
def test_times_without_a_zone(timezone: str) -> None:
    lines = [HEAD.replace(" +0100", ""), HEAD]
    assert taken(NGINX, *lines, timezone=timezone) == [timezone == "UTC", True]


def test_settings_that_only_the_reference_parser_reads() -> None:
    string = f'{NGINX} "$http_x_forwarded_for"'
    lines = [f'{HEAD} "198.51.100.7, 10.0.0.1"', f'{HEAD} "-"']
    assert taken(string, *lines) == [True, True]
    assert taken(string, *lines, client_from="forwarded_for") == [False, True]
    assert taken(f'{NGINX} "$http_cookie"', f'{HEAD} "a=1"', keep_cookie=False) == [True]


@pytest.mark.parametrize("string", ["$query_string $args $args", "$foo $foo $foo", "$a $foo $foo"])
@pytest.mark.parametrize("sent", ["a=1 b=2 c=3", "x x y", "x y x", "x y y", "x - y", "- x y"])
def test_values_under_one_key(string: str, sent: str) -> None:
    is_sure = not sent.startswith("-") or "args" not in string
    assert taken(f"$msec {string}", f"1709446089.250 {sent}") == [is_sure]


@pytest.mark.parametrize("one", ["5", "0.5", "-", "-1", "5x", '"-"', "+5", "1e3"])
def test_a_duration_that_does_not_count_looks_like_one_too(one: str) -> None:
    is_sure = one in ("5", "0.5", "-", "-1")
    assert taken("%{sec}t %D %T", f"1709446089 5120 {one}") == [is_sure]


def test_lines_without_a_time_have_no_kernels() -> None:
    assert reading_of(compile_layout('"%r" %>s %b')) is None


@pytest.mark.parametrize("seed", range(LAYOUTS))
def test_random_layouts_and_mutated_lines(seed: int) -> None:
    chance = random.Random(f"layout {seed}")  # noqa: S311 - not for secrets
    seeds = random_seeds(chance, 80)
    content = b"".join(seeds.lines) + seeds.content(40, chance)
    check_kernels(content, replaced(seeds.settings, chance.choice(TURNS)))


def test_kernels_take_random_layouts() -> None:
    """Otherwise nothing is compared."""
    chance = random.Random("layouts")  # noqa: S311 - not for secrets
    by_kernels = events = 0
    for _ in range(LAYOUTS):
        string, layout = random_layout(chance)
        lines = [written(layout, chance, usual=1) + b"\n" for _ in range(100)]
        whole = check_kernels(b"".join(lines), ParseSettings(log_format=string))
        by_kernels, events = by_kernels + whole.by_kernels, events + whole.verdict.events
    assert by_kernels > 0.8 * events > 0
