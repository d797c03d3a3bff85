"""Random log format strings of all directives, and lines that they may have written."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from ingest.errors import SettingsError
from ingest.parse.layout.compiled import Layout, compile_layout

# Texts of which the first ones are usual.
Texts = tuple[str, ...]
_USUAL = 2


_TEXT = (
    "agent", "-", "",  "Mozilla/5.0 (X11; Linux)", 'say \\"hi\\"', r"\x22x\x22 \\ \n", "café Δ", "a b",
    "https://www.example.org/list?p=2&action=View", "k=v; JSESSIONID=SD1", "a=1; b=2", "192.0.2.7, 192.0.2.8",
)  # fmt: skip
_WORD = ("web-80", "-", "x", "7", "0.25", "é", "a:b", 'q"q', "b\\x22")
_COUNT = ("0", "5120", "-", "17", "9" * 19)
_SECONDS = ("0.012", "-", "3", "0.000001", "-1", "12.5", "1e3")
_LIST = ("0.1", "0.1, 0.25", "-", "0.1, - : 0.4", "502, 200", "10.0.0.1:80, 10.0.0.2:80", "")
_CLIENT = (
    "192.0.2.1", "198.51.100.77", "2001:DB8::7", "host.example", "-", "192.0.2.1, 10.0.0.1", "1.2.3.999",
    "unix:", "192.0.2.1:80",
)  # fmt: skip
_STATUS = ("200", "404", "-", "000", "0", "-1", "99", "499")
_REQUEST = (
    "GET /a?itemId=EST-1&productId=FX-1&action=purchase HTTP/1.1", "POST /b%20c HTTP/2.0", "GET / HTTP 1.1",
    "-", r"\x16\x03\x01", "GET https://shop.example:8443/x?utm_source=mail HTTP/1.1", "nonsense", "GET /a",
    r"GET /\x22q\x22 HTTP/1.1", "OPTIONS * HTTP/1.1", "GET /p;jsessionid=SD7 HTTP/1.0", "",
)  # fmt: skip
_HOST = (
    "www.example.net",
    "a.example:8080",
    "-",
    "[2001:db8::1]:443",
    "a.example:8080",
    "2001:db8::1",
    "b\\x41.example",
)
_PORT = ("443", "80", "-", "99999", "080")
_CLF = (
    "03/Mar/2024:07:08:09 +0100", "29/Feb/2024:23:59:59 +0000", "29/Feb/2024:23:59:60 +0000", "3/Mar/2024:07:08:09 -0330",
    "03/Mar/2024:07:08:09", "31/Feb/2024:07:08:09 +0000", "03/MAR/2024:07:08:10 +0100", "-",
    "03/Mar/2024:07:08:09 +0000 UTC",
)  # fmt: skip
_ISO = ("2024-03-03T07:08:09+01:00", "2024-03-03T07:08:09Z", "2024-03-03 07:08:09.25Z", "-", "x")
# Directives by what they write; a time is by its format.
_SAID: Mapping[Texts, Sequence[str]] = {
    _TEXT: (
        "%{Referer}i", "%{User-Agent}i", "%{Cookie}i", "%{X-Forwarded-For}i", "%{X-Note}i", "%f",
        "%{Sec-CH-UA}o", "$http_referer", "$http_user_agent", "$http_cookie", "$http_x_forwarded_for",
        "$http_x_note", "$sent_http_x", "$cookie_a", "%u", "$remote_user",
    ),
    _WORD: (
        "%l", "%{pid}P", "%{tid}P", "%k", "%X", "%L", "%{UNIQUE_ID}e", "%{X-Request-Id}i", "$pid",
        "$request_id", "$req_id", "$connection", "$proxy_upstream_name", "$tail", "$ssl_protocol",
    ),
    _COUNT: ("%b", "%B", "%O", "%I", "%D", "%{us}T", "%{ms}T", "$body_bytes_sent", "$bytes_sent", "$request_length"),
    _SECONDS: ("%T", "%{s}T", "$request_time"),
    _LIST: ("$upstream_response_time", "$upstream_addr", "$upstream_bytes_received"),
    ("200", "502, 200", "-", "502, 404 : 99", "502 : -", "000, x"): ("$upstream_status",),
    _CLIENT: ("%h", "%a", "$remote_addr", "%{c}a", "$realip_remote_addr"),
    _STATUS: ("%s", "%>s", "%<s", "$status"),
    _REQUEST: ("%r", "$request"),
    _HOST: ("%v", "%V", "%{Host}i", "$host", "$server_name", "$http_host"),
    _PORT: ("%p", "%{remote}p", "%{local}p", "$server_port", "$remote_port"),
    ("GET", "POST", "-", "{}", "OPTIONS"): ("%m", "$request_method"),
    ("/a", "/b%20c", "-", "/p?x=1", "/a?itemId=EST-1", "https://x.example/y", "*", "/"): ("%U", "$uri", "$request_uri"),
    ("?itemId=1", "a=b", "", "-", "?", "itemId=EST-1&productId=FX-1&action=purchase"): ("%q", "$args", "$query_string"),
    ("HTTP/1.1", "HTTP/2.0", "-", "FTP", "HTTP/3"): ("%H", "$server_protocol"),
    ("https", "HTTP", "-"): ("$scheme",),
    _CLF: ("%t", "$time_local"),
    _ISO: ("$time_iso8601",),
    ("1709446089.250", "1709446089", "-", "99999999999.1"): ("$msec",),
    ("2024-03-03 07:08:09", "2024-03-03 07:08:10", "2024-02-31 07:08:09", "1969-12-31 24:00:00"): ("%{%F %T}t", "%{%Y-%m-%d %H:%M:%S}t"),
    ("3/03/24", " 7/12/70"): ("%{%e/%m/%y}t",),
    ("2024-03-03T07:08:09+0100", "2024-03-03T07:08:10-0330", "2024-03-03T07:08:09-03:30", "2024-03-03T07:08:61+0000"): ("%{%FT%T%z}t", "%{begin:%FT%T%z}t", "%{end:%FT%T%z}t"),
    ("1709446089", "1709446090", "1709446089250", "12345678901234567890"): ("%{sec}t", "%{msec}t", "%{usec}t", "%{%s}t"),
    ("03/Mar/2024:07:08:09.250 +0100",): ("%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t",),
    ("07:08 3 Mar 24",): ("%{%H:%M %e %h %y}t",),
    ("1709446089.250001",): ("%{sec}t.%{usec_frac}t",),
}  # fmt: skip
_SAY = {directive: say for say, directives in _SAID.items() for directive in directives}
_TIMES = tuple(
    d for say, ds in _SAID.items() for d in ds if d.endswith("}t") and d != "%{%e/%m/%y}t"
)
_BETWEEN = (" ", " ", " ", " ", "|", " - ", "\t", "  ", ",", "; ", ' x="', ":", "")


def random_layout(chance: random.Random) -> tuple[Layout, str]:
    """Return a layout, and what writes its lines: its string with marks for the values."""
    while True:
        string = _random_string(chance)
        try:
            return compile_layout(string), string
        except SettingsError:
            continue


def _random_string(chance: random.Random) -> str:
    of = "$" if chance.random() < 0.5 else "%"
    names = [name for name in _SAY if name.startswith(of)]
    chosen = [chance.choice(names) for _ in range(chance.randrange(1, 9))]
    usual = ("$time_local", "$time_iso8601", "$msec") if of == "$" else ("%t", *_TIMES)
    chosen.insert(chance.randrange(len(chosen) + 1), chance.choice(usual))
    if chance.random() < 0.7:
        chosen += ["%r", "%>s"] if of == "%" else ["$request", "$status"]
        chance.shuffle(chosen)
    between = "\t" if chance.random() < 0.1 else None
    return "".join(
        _enclosed(name, chance) + (between or chance.choice(_BETWEEN)) for name in chosen
    )


def _enclosed(name: str, chance: random.Random) -> str:
    quoted = f'"{name}"'
    if name in ("%r", "$request") or _SAY[name] is _TEXT:
        return quoted if chance.random() < 0.9 else name
    if name in ("$time_local",):
        return f"[{name}]" if chance.random() < 0.8 else name
    return chance.choice((name, name, name, name, quoted, f"[{name}]"))


def written(layout: Layout, chance: random.Random, *, usual: float) -> bytes:
    """Return a line of `layout`, with a usual value that often."""
    pieces = [layout.first.text]
    for step in layout.steps:
        for directive in step.directives:
            texts = _said(directive.written)
            pieces.append(chance.choice(texts[:_USUAL] if chance.random() < usual else texts))
        gap = step.gap.text
        pieces.append(gap.replace(" ", "  ") if chance.random() < 0.03 else gap)
    if chance.random() < 0.1:
        pieces.append(chance.choice((" tail", ' "x y" -', " -", " a\\b", "x", ' "q')))
    return "".join(pieces).encode()


def _said(written_: str) -> Texts:
    return _SAY.get(written_) or _SAY.get(written_.replace("{", "").replace("}", "")) or _WORD
