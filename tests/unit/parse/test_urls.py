"""Request lines and URLs (3.8, 7.11), and parameters (2.4)."""

from __future__ import annotations

import pytest

from ingest.parse.fields.urls import Request, Url, decode, parameters, read_request, split_target


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET / HTTP/1.1", ("GET", "/", "1.1")),
        ("get / HTTP/2", ("get", "/", "2")),
        ("POST /cart.do HTTP 1.1", ("POST", "/cart.do", "1.1")),
        ("GET /a b  c HTTP/1.0", ("GET", "/a b  c", "1.0")),
        ("GET   /a   HTTP/1.0", ("GET", "/a", "1.0")),
        ("GET /x HTTP/1.1 HTTP/1.1", ("GET", "/x HTTP/1.1", "1.1")),
        ("OPTIONS * HTTP/1.1", ("OPTIONS", "*", "1.1")),
        ("CONNECT a:443 HTTP/1.1", ("CONNECT", "a:443", "1.1")),
        ("M-SEARCH garbage HTTP/1.1", ("M-SEARCH", "garbage", "1.1")),
        ("GET /", ("GET", "/", None)),
        ("GET http://a/", ("GET", "http://a/", None)),
        ("GET /HTTP/1.1", ("GET", "/HTTP/1.1", None)),
        ("A" * 32 + " /", ("A" * 32, "/", None)),
    ],
)
def test_requests(line: str, expected: tuple[str, str, str | None]) -> None:
    assert read_request(line) == Request(*expected)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-",
        "GET",
        "GET ",
        "GET HTTP/1.1",
        "GET  HTTP/1.1",
        "GET - HTTP/1.1",
        "- / HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / http/1.1",
        "GET / HTTP/1.10",
        "GET / HTTP/11",
        "GET /a b",
        "GET x",
        "G(T / HTTP/1.1",
        "GÉT / HTTP/1.1",
        "A" * 33 + " / HTTP/1.1",
        "\\x16\\x03\\x01",
    ],
)
def test_bad_request_lines(line: str) -> None:
    assert read_request(line) is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/", Url(path="/")),
        ("//x/y?a=1", Url(path="//x/y", query="a=1")),
        ("/a?b?c#d?e", Url(path="/a", query="b?c")),
        ("/a#b?c", Url(path="/a")),
        ("/a?", Url(path="/a")),
        ("/a?#x", Url(path="/a")),
        ("http://Example.COM", Url("http", "example.com", None, "/")),
        ("HTTPS://u:p@Example.com:8443/P?q", Url("https", "example.com", 8443, "/P", "q")),
        ("http://a@b@c/", Url("http", "c", None, "/")),
        ("http://[2001:DB8::1]:80/x", Url("http", "2001:db8::1", 80, "/x")),
        ("http://[2001:DB8::1]/x", Url("http", "2001:db8::1", None, "/x")),
        ("http://a:/x", Url("http", "a", None, "/x")),
        ("http://a?q=1", Url("http", "a", None, "/", "q=1")),
        ("http://a#f", Url("http", "a", None, "/")),
        ("http:///x", Url("http", None, None, "/x")),
        ("http://a:99999/x", Url("http", "a:99999", None, "/x")),
        ("http://a:b:80/x", Url("http", "a:b:80", None, "/x")),
        ("*", Url()),
        ("garbage", Url(path="garbage")),
        ("show.do?a=b?c", Url(path="show.do", query="a=b?c")),
        ("show.do#f?a=b", Url(path="show.do")),
        ("../a/b:c", Url(path="../a/b:c")),
        ("?a=b", Url(query="a=b")),
        ("two words", Url()),
        ("mailto:ann", Url()),
        ("://x", Url()),
        ("1://x", Url()),
        ("a:443", Url()),
    ],
)
def test_targets(target: str, expected: Url) -> None:
    assert split_target(target, method="GET") == expected


def test_connect() -> None:
    assert split_target("Example.com:443", method="CONNECT") == Url(domain="example.com", port=443)
    assert split_target("[2001:DB8::1]:443", method="CONNECT") == Url(
        domain="2001:db8::1", port=443
    )
    assert split_target("example.com", method="CONNECT") == Url()


def test_parameters() -> None:
    query = "a=1&a=2&b=&c=x%20y+z&d&=e&f=g=h&F=i"
    assert parameters(query) == {"a": "1", "c": "x y z", "": "e", "f": "g=h", "F": "i"}
    assert parameters("a=&a=1") == {}
    assert parameters(None) == {}


@pytest.mark.parametrize(
    ("sent", "decoded"),
    [
        ("%C3%A9+%41", "é A"),
        ("100%", "100%"),
        ("%4", "%4"),
        ("%zz%41", "%zzA"),
        ("%ff%41", "%ffA"),
        ("%c3%28%C3%A9", "%c3(é"),
        ("%F0%9F%98%80", "\U0001f600"),
        ("%ED%A0%80", "%ED%A0%80"),
        ("a%00b", "a%00b"),
        ("%2541", "%41"),
    ],
)
def test_values_are_decoded_once_and_bad_sequences_kept(sent: str, decoded: str) -> None:
    assert decode(sent) == decoded
