"""Log format strings: section 4.2 of the format specification, compiled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.outcome import read

from ingest.errors import SettingsError
from ingest.parse.layout.compiled import compile_layout
from ingest.parse.registry import check_settings, is_splittable
from ingest.settings import ParseSettings

COMMON = '%h %l %u %t "%r" %>s %b'
LINE = '192.0.2.1 - ann [03/Mar/2024:07:08:09 +0100] "GET /a?b=1 HTTP/1.1" 200 5'
COMBINED = f'{LINE} "https://www.example.org/" "agent"'
NGINX = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)


def own(string: str, **more: Any) -> ParseSettings:
    return ParseSettings(log_format=string, **more)


def values(string: str, line: str) -> dict[str, Any]:
    """Return the columns of the one event of `line`, and its `extra`, by name."""
    outcome = read(line.encode(), settings=own(string))
    assert outcome.rejects == outcome.skips == []
    (row,) = outcome.events
    extra: dict[str, Any] = json.loads(row.pop("extra", "{}"))
    return row | extra


def picked(string: str, line: str, *names: str) -> list[Any]:
    found = values(string, line)
    return [found.get(name) for name in names]


def refusal(string: str, line: str) -> tuple[str, str]:
    (row,) = read(line.encode(), settings=own(string)).rejects
    return row["reason"], row.get("detail", "")


def test_a_line_of_apache() -> None:
    found = values(COMMON, LINE)
    assert found["event_time"].isoformat() == "2024-03-03T06:08:09+00:00"
    assert found["parse_status"] == "ok"
    assert found["source_format"] == "log_format"
    names = ("client_ip", "user_name", "http_method", "url_path", "url_query", "http_version")
    assert [found[n] for n in names] == ["192.0.2.1", "ann", "GET", "/a", "b=1", "1.1"]
    counts = [found[n] for n in ("status_code", "response_bytes", "bytes_scope")]
    assert counts == [200, 5, "body"]
    assert "ident" not in found


def test_lines_of_nginx_mean_what_access_reads() -> None:
    line = (
        r'198.51.100.23 - ann [03/Mar/2024:07:08:09 +0100] "GET /shoes?utm_source=mail HTTP/2.0" '
        r'200 5120 "https://www.example.org/list?p=2" "Mozilla/5.0 (X11; \x22beta\x22)"'
    )
    mine = read(line.encode(), settings=own(NGINX)).events[0]
    theirs = read(line.encode(), settings=ParseSettings(format="access")).events[0]
    assert mine | {"source_format": ""} == theirs | {"source_format": ""}


def test_ingress_nginx_with_a_list_of_upstreams() -> None:
    line = (
        '192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 502 5 "-" "agent" 712 0.507 '
        "[shop-web-80] [] 10.0.0.1:80, 10.0.0.2:80 : 10.0.1.1:80 0, 0 : 12 0.1, - : 0.4 502, - : "
        "200 9f8e7d"
    )
    (row,) = read(line.encode(), settings=ParseSettings(format="ingress_nginx")).events
    extra = json.loads(row["extra"])
    assert (row["request_bytes"], row["duration_ms"], row["native_id"]) == (712, 507.0, "9f8e7d")
    assert row["source_format"] == "ingress_nginx"
    assert extra == {
        "backend_status": 200,
        "proxy_upstream_name": "shop-web-80",
        "target": "10.0.0.1:80, 10.0.0.2:80 : 10.0.1.1:80",
        "target_duration_ms": 500.0,
        "upstream_response_length": "0, 0 : 12",
    }


@pytest.mark.parametrize(
    ("name", "taken", "duration"),
    [
        ("combined_time_us", "1500", 1.5),
        ("combined_time_ms", "15", 15.0),
        ("combined_time_s", "2", 2000.0),
        ("combined_time_s", "0.012", 12.0),
    ],
)
def test_combined_with_a_duration(name: str, taken: str, duration: float) -> None:
    (row,) = read(f"{COMBINED} {taken}".encode(), settings=ParseSettings(format=name)).events
    assert (row["duration_ms"], row["user_agent"], row.get("extra")) == (duration, "agent", None)


@pytest.mark.parametrize(
    ("string", "line", "target", "expected"),
    [
        ("%a %h", "192.0.2.1 www.example.net", "client_ip", "192.0.2.1"),
        ("%h %a", "www.example.net 192.0.2.1", "client_ip", "192.0.2.1"),
        ("%{c}a %h", "192.0.2.9 192.0.2.1", "peer_address", "192.0.2.9"),
        ("%s %>s", "302 200", "status_code", 200),
        ("%s %>s", "302 200", "apache_s", "302"),
        ("%b %O", "5 90", "response_bytes", 5),
        ("%b %O", "5 90", "bytes_out_total", 90),
        ("%O", "90", "response_bytes", 90),
        ("%O", "90", "bytes_scope", "total"),
        ("%I", "70", "request_bytes", 70),
        ("%{remote}p %p", "4711 443", "client_port", 4711),
        ("%{remote}p %p", "4711 443", "server_port", 443),
        ("%v", "www.example.net", "server_name", "www.example.net"),
        ("%{UNIQUE_ID}e", "ab12", "native_id", "ab12"),
        ('"%{X-Forwarded-For}i"', '"192.0.2.7, 10.0.0.1"', "forwarded_for", "192.0.2.7, 10.0.0.1"),
        ("%{X-Forwarded-For}i x", "192.0.2.7, 10.0.0.1 x", "forwarded_for", "192.0.2.7, 10.0.0.1"),
        ('"%{X-Trace}i"', '"a b"', "header_x_trace", "a b"),
        ("%{X-Cache}o", "HIT", "resp_header_x_cache", "HIT"),
        ("%{sid}C", "s1", "cookie_sid", "s1"),
        ("%{n-1}n", "s1", "note_n_1", "s1"),
        ("%{JAVA}e", "s1", "env_java", "s1"),
        ("%A", "192.0.2.3", "apache_a", "192.0.2.3"),
        ("%!200,304{Referer}i", "https://a.example/", "referrer", "https://a.example/"),
        ("5%% %>s", "5% 200", "status_code", 200),
        ("$sent_http_x_cache", "HIT", "resp_header_x_cache", "HIT"),
        ("$http_x_trace", "t1", "header_x_trace", "t1"),
        ("$pipe", "p", "pipe", "p"),
        ("${scheme}://$host$request_uri", "HTTPS://a.example/b?c=1", "url_path", "/b"),
        ("${scheme}://$host$request_uri", "HTTPS://a.example/b?c=1", "url_scheme", "https"),
        ("%m %U%q %H", "GET /a?b=1 HTTP/2.0", "url_original", "/a?b=1"),
        ("%m %U%q %H", "GET /a HTTP/2.0", "url_original", "/a"),
        ("%m %U%q %H", "GET /a HTTP/2.0", "http_version", "2.0"),
        ("$uri$is_args$args $status", "/a?b=1 200", "url_query", "b=1"),
        (r"\"%r\"", '"GET / HTTP/1.1"', "url_path", "/"),
        ("%h\\t%>s", "192.0.2.1\t200", "status_code", 200),
    ],
)
def test_where_a_directive_goes(string: str, line: str, target: str, expected: object) -> None:
    assert picked(string, line, target) == [expected]


@pytest.mark.parametrize(
    ("string", "text"),
    [
        ("%{%d/%b/%Y:%H:%M:%S %z}t", "03/Mar/2024:08:08:09 +0100"),
        ("%{%Y-%m-%dT%T}t%{%z}t", "2024-03-03T07:08:09+0000"),
        ("%{%F}t %{%T}t %{%z}t", "2024-03-03 07:08:09 +0000"),
        ("%{%e.%m.%y %H:%M:%S%z}t", " 3.03.24 07:08:09+00:00"),
        ("[%{begin:sec}t]", "[1709449689]"),
        ("%{msec}t", "1709449689000"),
        ("%{usec}t", "1709449689000000"),
        ("$msec", "1709449689.000"),
        ("$time_iso8601", "2024-03-03T07:08:09+00:00"),
        ("$time_local", "03/Mar/2024:07:08:09 +0000"),
    ],
)
def test_times(string: str, text: str) -> None:
    mark = "$status" if string.startswith("$") else "%s"
    found = values(f"x {string} {mark}", f"x {text} 200")
    assert found["event_time"].isoformat() == "2024-03-03T07:08:09+00:00"
    assert (found["status_code"], found["parse_status"]) == (200, "ok")


def test_fractions_of_neighbouring_times_count() -> None:
    string = "[%{%d/%b/%Y %T}t.%{usec_frac}t %{%z}t] %{end:sec}t"
    (time, end) = picked(string, "[03/Mar/2024 07:08:09.012345 +0000] 1709449690", "event_time",
                         "end_time")  # fmt: skip
    assert time.isoformat() == "2024-03-03T07:08:09.012345+00:00"
    assert end == "1709449690"


@pytest.mark.parametrize("text", ["31/Feb/2024:07:08:09 +0000", "03/Mae/2024:07:08:09 +0000"])
def test_a_time_that_cannot_exist(text: str) -> None:
    assert refusal("%h %t", f"192.0.2.1 [{text}]")[0] == "bad_timestamp"
    assert refusal("%{%d/%b/%Y:%T %z}t", text)[0] == "bad_timestamp"


def test_runs_of_spaces_and_text_behind() -> None:
    found = values(COMMON, LINE.replace(" - ", "   -  ") + ' "more" 7')
    assert (found["user_name"], found["tail"], found["parse_status"]) == ("ann", '"more" 7', "ok")


def test_escaped_quotes_and_users_with_spaces() -> None:
    line = COMBINED.replace("ann", "ann lee").replace("agent", r"a \"b\"")
    assert picked(f'{COMMON} "%{{Referer}}i" "%{{User-Agent}}i"', line, "user_name", "user_agent") \
        == ["ann lee", 'a "b"']  # fmt: skip


def test_a_line_that_was_cut_off() -> None:
    string = f'{COMMON} "%{{Referer}}i" "%{{User-Agent}}i" %D'
    found = values(string, f'{LINE} "https://www.example.org/" "half an ag')
    assert found["parse_warnings"] == "unterminated_quote"
    assert (found["user_agent"], found.get("duration_ms")) == ("half an ag", None)
    assert refusal(string, LINE.partition(" HTTP")[0])[0] == "no_match"
    assert refusal(string, LINE)[0] == "no_match"
    assert refusal('%h %l %u %t "%r" %>s "%{Referer}i"', f'{LINE[:-2]} "htt')[0] == "no_match"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (" 200 ", " 2x0 "),
        (" 5", " five"),
        ("ann", "192.0.2.7 ann"),
        ("192.0.2.1", "192.0.2.1 www"),
        ('"GET', '"GET"'),
        ("] ", "]"),
    ],
)
def test_lines_of_another_layout(old: str, new: str) -> None:
    reason, detail = refusal(COMMON, LINE.replace(old, new, 1))
    assert reason == "no_match"
    assert detail.startswith("expected ")


def test_the_header_of_a_relay() -> None:
    found = values(COMMON, f"web-1  | {LINE}")
    assert (found["relay"], found["client_ip"]) == ("web-1  |", "192.0.2.1")
    found = values("$hostname | $status", "web-1 | 200")
    assert (found["hostname"], found.get("relay")) == ("web-1", None)


def test_blank_lines_comments_and_no_time() -> None:
    outcome = read(b" \n#x\n200\n", settings=own("%>s"))
    assert [skip["reason"] for skip in outcome.skips] == ["blank", "comment"]
    assert outcome.events[0]["parse_warnings"] == "no_timestamp"


@pytest.mark.parametrize(
    ("string", "problem", "column"),
    [
        ("", "contains neither an Apache %directive nor an nginx $variable", 0),
        ("%h %Z", "unknown directive `%Z`", 3),
        ("%h %{X}Z", "unknown directive `%{X}Z`", 3),
        ("%h %", "`%` is not a directive; write % as %%", 3),
        ("%h %>{Referer i", "the brace after `%>` is never closed", 3),
        ("%h %!20u", "`%!20u` is not a directive", 3),
        ("%h $status", "use either Apache's %directives or nginx's $variables", 3),
        ("%h%u", "nothing separates `%u` from `%h`", 2),
        ('%h "%r', "this quote is never closed", 3),
        ("$status [$time_local", "this bracket is never closed", 8),
        ("[$pipe [$other]", "this bracket is never closed", 0),
        ("%{[%d/%b/%Y:%T}t [%>s", "this bracket is never closed", 17),
        ("%h %{%Q}t", "unknown code %Q in a time", 3),
        ("%h %{%T}t", "`%{%T}t` is only part of a time: date and hour are missing", 3),
        ("$host $", "`$` must be followed by the name of a variable", 6),
        ("$is_args$x", "`$is_args` must be directly before `$args`", 0),
        (r"%h \n%u", "a record is one line", 3),
    ],
)
def test_bad_strings_are_refused_at_the_start(string: str, problem: str, column: int) -> None:
    with pytest.raises(SettingsError) as caught:
        check_settings(own(string))
    first, shown, caret = str(caught.value).split("\n")
    assert first.startswith(f"log_format: {problem}")
    assert (shown, caret) == (f"  {string}", f"  {' ' * column}^")


def test_names_that_users_give() -> None:
    outcome = read(LINE.encode(), settings=own(COMMON, format="shop"))
    assert outcome.events[0]["source_format"] == outcome.verdict.source_format == "shop"
    with pytest.raises(SettingsError, match="format 'shop' is unknown"):
        check_settings(ParseSettings(format="shop"))
    with pytest.raises(SettingsError, match="format 'a shop' is unknown"):
        check_settings(own(COMMON, format="a shop"))
    with pytest.raises(SettingsError, match="needs the setting log_format"):
        check_settings(ParseSettings(format="log_format"))


def test_ranges_of_an_own_format() -> None:
    data = f"{LINE}\n{LINE}\n".encode()
    (row,) = read(data, settings=own(COMMON), start=10).events
    assert row["source_offset"] == len(LINE) + 1


def test_a_layout_is_compiled_once() -> None:
    assert compile_layout(COMMON) is compile_layout(COMMON)


def test_a_value_does_not_reach_beyond_its_quotes() -> None:
    assert picked('"%m %U" %v', '"GET /a" www', "url_path", "server_name") == ["/a", "www"]
    assert refusal('"%m %U" %v', '"GET" /a" www')[0] == "no_match"


def test_text_directly_behind_the_last_value() -> None:
    string = f'{COMMON} "%{{User-Agent}}i"'
    found = values(string, f'{LINE} "an "odd" agent"')
    assert (found["user_agent"], found["parse_warnings"]) == (
        'an "odd" agent',
        "unterminated_quote",
    )
    assert refusal("$status [$pipe]", "200 [p]x")[0] == "no_match"


def test_colours_of_terminals_at_the_ends_of_values() -> None:
    found = values(COMMON, LINE.replace("ann", "\x1b[31mann\x1b[0m"))
    assert (found["user_name"], found["parse_warnings"]) == ("ann", "control_char")


def test_a_second_list_of_addresses_is_kept_aside() -> None:
    found = values('%h "%{X-Forwarded-For}i"', '192.0.2.7, 10.0.0.1 "192.0.2.8"')
    assert (found["client_ip"], found["forwarded_for"]) == ("192.0.2.7", "192.0.2.7, 10.0.0.1")
    assert found["header_x_forwarded_for"] == "192.0.2.8"


@pytest.mark.parametrize(
    ("string", "line", "kept"),
    [
        ("$foo $foo $foo", "a b c", {"foo": "a", "foo_2": "b", "foo_3": "c"}),
        ("$foo $foo $foo", "a - c", {"foo": "a", "foo_2": "c"}),
        ("$foo $foo $foo", "a b b", {"foo": "a", "foo_2": "b"}),
        ("$query_string $args $args", "a b c", {"args": "a", "args_2": "b", "args_3": "c"}),
    ],
)
def test_the_first_of_several_values_has_the_name(
    string: str, line: str, kept: dict[str, str]
) -> None:
    (row,) = read(line.encode(), settings=own(string)).events
    assert json.loads(row["extra"]) == kept


def test_parts_of_a_request_that_are_logged_twice() -> None:
    string = "$request_uri $args"
    assert picked(string, "/a?b=1 b=1", "url_query", "args") == ["b=1", None]
    assert picked(string, "/a?b=1 c=2", "url_query", "args") == ["b=1", "c=2"]
    string = '"%r" %m %U %q %H'
    line = '"GET /a?b=1 HTTP/1.1" '
    names = ("apache_m", "apache_u", "apache_q", "apache_h")
    assert picked(string, f"{line}GET /a ?b=1 HTTP/1.1", *names) == [None] * 4
    assert picked(string, f"{line}POST /x ?c=2 HTTP/2.0", *names) == [
        "POST", "/x", "?c=2", "HTTP/2.0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("string", "line", "target", "expected"),
    [
        ("$tail $pipe", "t p", "nginx_tail", "t"),
        ("$upstream_status x", "502, - x", "backend_status", 502),
        ("$upstream_response_time x", "-, 0.5 x", "target_duration_ms", 500.0),
        ("$server_protocol", "SPDY", "protocol", "SPDY"),
        ("$http_host", "www.example.net:81", "server_port", 81),
        ("$remote_port", "x", "parse_warnings", "invalid_number,no_timestamp"),
    ],
)
def test_odd_values(string: str, line: str, target: str, expected: object) -> None:
    assert picked(string, line, target) == [expected]


def test_objects_of_own_names_are_read_in_ranges() -> None:
    assert is_splittable("shop")
    assert not is_splittable("schematic-csv")


TABLE = {
    # Apache: directive -> target, of a line that has nothing else.
    "%h": "client", "%a": "client", "%{c}a": "peer_address", "%l": "ident", "%u": "user_name",
    "%t": "event_time", "%{sec}t": "event_time", "%r": "request", "%m": "http_method",
    "%U": "url", "%q": "args", "%H": "http_version", "%s": "status_code", "%>s": "status_code",
    "%<s": "status_code", "%b": "response_bytes", "%B": "response_bytes", "%O": "total_bytes",
    "%I": "request_bytes", "%D": "duration_ms", "%T": "duration_ms", "%{us}T": "duration_ms",
    "%{ms}T": "duration_ms", "%{s}T": "duration_ms", "%v": "server_name", "%V": "server_name",
    "%{Host}i": "server_name", "%p": "server_port", "%{canonical}p": "server_port",
    "%{local}p": "server_port", "%{remote}p": "client_port", "%{Referer}i": "referrer",
    "%{User-Agent}i": "user_agent", "%{X-Forwarded-For}i": "forwarded_for",
    "%{Cookie}i": "cookie", "%L": "native_id", "%{UNIQUE_ID}e": "native_id",
    "%{X-Request-Id}i": "native_id", "%{N}i": "header_n", "%{N}o": "resp_header_n",
    "%{N}C": "cookie_n", "%{N}n": "note_n", "%{N}e": "env_n", "%A": "apache_a",
    "%f": "apache_f", "%k": "apache_k", "%P": "apache_p", "%{pid}P": "apache_p",
    "%{tid}P": "apache_p", "%{hextid}P": "apache_p", "%R": "apache_r", "%S": "apache_s",
    "%X": "apache_x",
    # nginx.
    "$remote_addr": "client", "$realip_remote_addr": "peer_address", "$remote_user": "user_name",
    "$time_local": "event_time", "$time_iso8601": "event_time", "$msec": "event_time",
    "$request": "request", "$request_method": "http_method", "$uri": "url",
    "$request_uri": "url", "$args": "args", "$query_string": "args",
    "$server_protocol": "http_version", "$status": "status_code",
    "$body_bytes_sent": "response_bytes", "$bytes_sent": "total_bytes",
    "$request_length": "request_bytes", "$request_time": "duration_ms",
    "$upstream_response_time": "target_duration_ms", "$upstream_status": "backend_status",
    "$upstream_addr": "target", "$host": "server_name", "$server_name": "server_name",
    "$http_host": "server_name", "$server_port": "server_port", "$remote_port": "client_port",
    "$http_referer": "referrer", "$http_user_agent": "user_agent",
    "$http_x_forwarded_for": "forwarded_for", "$http_cookie": "cookie",
    "$request_id": "native_id", "$req_id": "native_id", "$http_x_request_id": "native_id",
    "$http_n": "header_n", "$sent_http_n": "resp_header_n", "$cookie_n": "cookie_n",
    "$scheme": "url_scheme", "$other": "other",
}  # fmt: skip


def test_the_table_of_directives() -> None:
    found = {one: compile_layout(one).directives[0].meaning.target for one in TABLE}
    assert found == TABLE


@pytest.mark.parametrize(
    ("string", "line", "duration"),
    [("%D", "1500", 1.5), ("%{us}T", "1500", 1.5), ("%{ms}T", "15", 15.0), ("%T", "2", 2000.0),
     ("%{s}T", "2", 2000.0), ("$request_time", "0.012", 12.0), ("%T %D", "2 1999000", 1999.0),
     ("%D %T", "1999000 2", 1999.0), ("%T %{ms}T", "2 1999", 1999.0)],
)  # fmt: skip
def test_units_of_durations(string: str, line: str, duration: float) -> None:
    """4.2; of several the finest counts."""
    assert picked(string, line, "duration_ms") == [duration]


@pytest.mark.parametrize("directive", ["%D", "%{us}T", "%{ms}T"])
def test_only_seconds_have_decimals(directive: str) -> None:
    """4.2: `_s` also takes decimals; nginx's seconds are no microseconds of Apache."""
    found = values(f"%v {directive}", "a 0.123")
    assert found.get("duration_ms") is None
    assert found["parse_warnings"] == "invalid_number,no_timestamp"
    assert found[f"apache_{directive[-1].lower()}"] == "0.123"


@pytest.mark.parametrize("behind", ['"192.0.2.7, 10.0.0.1"', '"-"', '"192.0.2.7"'])
@pytest.mark.parametrize("unit", ["us", "ms", "s"])
def test_a_text_is_no_duration(unit: str, behind: str) -> None:
    """7: what is behind the agent of nginx_main is not lost as a bad number."""
    settings = ParseSettings(format=f"combined_time_{unit}")
    (row,) = read(f"{COMBINED} {behind}".encode(), settings=settings).rejects
    assert row["reason"] == "no_match"
    (row,) = read(f"{COMBINED} -1".encode(), settings=settings).events
    assert (row["parse_status"], row.get("extra")) == ("ok", None)


@pytest.mark.parametrize(
    ("string", "line", "target", "expected"),
    [
        ("%V %v", "a b", "server_name", "b"),
        ("$server_name $http_host $host", "a b c", "server_name", "c"),
        ("$server_name $http_host", "a b", "server_name", "b"),
        ("%L %{UNIQUE_ID}e", "a b", "native_id", "b"),
        ("%L %{X-Request-Id}i", "a b", "native_id", "b"),
        ("%h %a", "www.example.net 192.0.2.1", "apache_h", "www.example.net"),
        ("$uri $request_uri", "/a /b?c", "url_path", "/b"),
        ("$msec $time_iso8601 $status", "1.000 2024-03-03T07:08:09Z 200", "msec", "1.000"),
    ],
)
def test_of_two_values_for_one_column_the_better_counts(
    string: str, line: str, target: str, expected: str
) -> None:
    (row,) = read(line.encode(), settings=own(string)).events
    # The other is kept in `extra`, maybe under the name of a column.
    assert (json.loads(row["extra"]) | row)[target] == expected


def test_brackets_that_enclose_nothing() -> None:
    """A `[` before another one is text, and so are a `]` alone and brackets in quotes."""
    assert picked("[$pipe [$other]]", "[p [o o]]", "pipe", "other") == ["p", "o o"]
    assert picked("$pipe] $status", "p] 200", "pipe", "status_code") == ["p", 200]
    assert picked('"[$pipe" $status', '"[p" 200', "pipe", "status_code") == ["p", 200]


def test_an_empty_value_in_quotes() -> None:
    assert picked('"$http_referer" $status', '"" 200', "referrer", "status_code") == [None, 200]


def test_a_query_begins_with_its_mark() -> None:
    assert refusal("%m%U %>s", "GET a 200")[0] == "no_match"


@pytest.mark.parametrize(
    ("string", "line", "expected"),
    [
        ("%v %V", "- b", {"server_name": "b"}),
        ("%s %s %>s", "301 302 200", {"apache_s": "301", "apache_s_2": "302", "status_code": 200}),
        ('"%r"', r'"GET /a\"b HTTP/1.1"', {"url_path": '/a"b'}),
        ('"%r" %U', r'"GET /a\"b HTTP/1.1" /a\"b', {"url_path": '/a"b', "apache_u": None}),
        ("$request_method $args", "GET b=1", {"http_method": "GET", "args": "b=1"}),
        ("$http_host", r"a\x2eb", {"server_name": "a.b"}),
        (" $status ", "200", {"status_code": 200}),
        ('%t "%r" %{%Y}t', '[03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 2024', {"y_t": "2024"}),
    ],
)
def test_values_that_need_care(string: str, line: str, expected: dict[str, object]) -> None:
    """4.2: null values give way, others are kept beside, escapes are undone."""
    found = values(string, line)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("string", "line", "detail"),
    [
        ("x $status", "y 200", "expected `x ` at the beginning at character 1"),
        ("[$pipe] $status", "[p 200", "expected `]` after `$pipe` at character 7"),
        ("$pipe|$status", "abc", "expected `|` after `$pipe` at character 1"),
        ("$pipe $status", "abc", "expected ` ` after `$pipe` at character 4"),
        ("%{%F %T}t", "x", "expected a time as `%{%F %T}t` writes it at character 1"),
        ("%m%U %>s", "GETa 200", "expected `/` of `%U` at character 5"),
        ("$status", "200x", "expected a value of `$status` at character 1"),
    ],
)
def test_where_a_line_stops_fitting(string: str, line: str, detail: str) -> None:
    assert refusal(string, line) == ("no_match", detail)


def test_of_several_values_in_quotes_that_are_cut_off_none_is_known() -> None:
    found = values(f'{COMMON} "%{{A}}i %{{B}}i"', f'{LINE} "foo bar')
    assert found["parse_warnings"] == "unterminated_quote"
    assert (found.get("header_a"), found.get("header_b")) == (None, None)
