"""Random log format strings of all kinds of directives, and lines that they may have written."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from support.mutated import Seeds

from ingest.errors import SettingsError
from ingest.parse.layout.compiled import Layout, compile_layout
from ingest.settings import ParseSettings

# Texts of which the first ones are usual.
Texts = tuple[str, ...]
_USUAL = 2
_TEXT = (
    "agent", "-", "", "Mozilla/5.0 (X11; Linux)", 'say \\"hi\\"', r"\x22x\x22 \\ \n", "café Δ",
    "https://www.example.org/list?p=2&action=View", "k=v; JSESSIONID=SD1", "a=1; b=2", "a b",
    "192.0.2.7, 192.0.2.8",
)  # fmt: skip
_WORD = ("web-80", "-", "x", "7", "0.25", "é", "a:b", 'q"q', "b\\x22")
_LIST = ("0.1", "0.1, 0.25", "-", "0.1, - : 0.4", "502, 200", "10.0.0.1:80, 10.0.0.2:80", "")
_CLIENT = (
    "192.0.2.1", "198.51.100.77", "2001:DB8::7", "host.example", "-", "192.0.2.1, 10.0.0.1",
    "1.2.3.999", "unix:", "192.0.2.1:80",
)  # fmt: skip
_REQUEST = (
    "GET /a?itemId=EST-1&productId=FX-1&action=purchase HTTP/1.1", "POST /b%20c HTTP/2.0", "-",
    "GET / HTTP 1.1", r"\x16\x03\x01", "GET https://shop.example:8443/x?utm_source=mail HTTP/1.1",
    "nonsense", "GET /a", r"GET /\x22q\x22 HTTP/1.1", "OPTIONS * HTTP/1.1", "",
    "GET /p;jsessionid=SD7 HTTP/1.0",
)  # fmt: skip
_HOST = (
    "www.example.net", "a.example:8080", "-", "[2001:db8::1]:443", "2001:db8::1", "b\\x41.example",
)  # fmt: skip
_TARGET = (
    "/a", "/b%20c", "-", "/p?x=1", "/a?itemId=EST-1", "https://x.example/y", "*", "/",
)  # fmt: skip
_ARGS = ("?itemId=1", "a=b", "", "-", "?", "itemId=EST-1&productId=FX-1&action=purchase")
_CLF = (
    "03/Mar/2024:07:08:09 +0100", "29/Feb/2024:23:59:59 +0000", "29/Feb/2024:23:59:60 +0000", "-",
    "03/Mar/2024:07:08:09", "31/Feb/2024:07:08:09 +0000", "03/MAR/2024:07:08:10 +0100",
    "3/Mar/2024:07:08:09 -0330", "03/Mar/2024:07:08:09 +0000 UTC",
)  # fmt: skip
_ISO = (
    "2024-03-03T07:08:09+01:00", "2024-03-03T07:08:09Z", "2024-03-03 07:08:09.25Z", "-", "x",
)  # fmt: skip
_LOCAL = ("2024-03-03 07:08:09", "2024-03-03 07:08:10", "2024-02-31 07:08:09")
_ZONED = (
    "2024-03-03T07:08:09+0100", "2024-03-03T07:08:10-0330", "2024-03-03T07:08:09-03:30",
    "2024-03-03T07:08:61+0000", "2024-03-03T24:00:00+0000",
)  # fmt: skip
_EPOCH = ("1709446089", "1709446090", "1709446089250", "12345678901234567890")
# Directives by what they write.
_SAID: Sequence[tuple[Texts, str]] = (
    (_TEXT, "%{Referer}i %{User-Agent}i %{Cookie}i %{X-Forwarded-For}i %{X-Note}i %f %{CH-UA}o %u"),
    (_TEXT, "$http_referer $http_user_agent $http_cookie $http_x_forwarded_for $http_x_note"),
    (_TEXT, "$sent_http_x $cookie_a $remote_user"),
    (_WORD, "%l %{pid}P %{tid}P %k %X %L %{UNIQUE_ID}e %{X-Request-Id}i $pid $request_id $req_id"),
    (_WORD, "$connection $proxy_upstream_name $tail $ssl_protocol"),
    (("0", "5120", "-", "17", "9" * 19), "%b %B %O %I %D %{us}T %{ms}T $body_bytes_sent"),
    (("17", "512", "-", "9" * 19), "$bytes_sent $request_length"),
    (("0.012", "12.5", "-", "3", "0.000001", "-1", "1e3", "3x"), "%T %{s}T $request_time"),
    (_LIST, "$upstream_response_time $upstream_addr $upstream_bytes_received"),
    (("200", "502, 200", "-", "502, 404 : 99", "502 : -", "000, x"), "$upstream_status"),
    (_CLIENT, "%h %a %{c}a $remote_addr $realip_remote_addr"),
    (("200", "404", "-", "000", "0", "-1", "99", "499"), "%s %>s %<s $status"),
    (_REQUEST, "%r $request"),
    (_HOST, "%v %V %{Host}i $host $server_name $http_host"),
    (("443", "80", "-", "99999", "080"), "%p %{remote}p %{local}p $server_port $remote_port"),
    (("GET", "POST", "-", "{}", "OPTIONS"), "%m $request_method"),
    (_TARGET, "%U $uri $request_uri"),
    (_ARGS, "%q $args $query_string"),
    (("HTTP/1.1", "HTTP/2.0", "-", "FTP", "HTTP/3"), "%H $server_protocol"),
    (("https", "HTTP", "-"), "$scheme"),
)
_OF_TIMES: Sequence[tuple[Texts, str]] = (
    (_CLF, "%t"),
    (_CLF, "$time_local"),
    (_ISO, "$time_iso8601"),
    (("1709446089.250", "1709446090.000", "1709446089", "-", "99999999999.1"), "$msec"),
    (_LOCAL, "%{%F %T}t"),
    (_ZONED, "%{%FT%T%z}t"),
    (_ZONED, "%{begin:%Y-%m-%dT%H:%M:%S%z}t"),
    (_ZONED, "%{end:%FT%T%z}t"),
    (_EPOCH, "%{sec}t"),
    (_EPOCH, "%{msec}t"),
    (_EPOCH, "%{usec}t"),
    (("03/Mar/2024:07:08:09.250 +0100",), "%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t"),
    (("07:08 3 Mar 24", "07:08  7 dec 70"), "%{%H:%M %e %h %y}t"),
    (("1709446089.250001",), "%{%s}t.%{usec_frac}t"),
)
_SAY: Mapping[str, Texts] = {name: texts for texts, names in _SAID for name in names.split()} | {
    name: texts for texts, name in _OF_TIMES
}
_BETWEEN = (" ", " ", " ", " ", "|", " - ", "  ", ",", "; ", ' x="', ":", "")
_TAILS = (" tail", ' "x y" -', " -", " a\\b", "x", ' "q')


def random_layout(chance: random.Random) -> tuple[str, Layout]:
    """Return a log format string, and what it is compiled to."""
    while True:
        string = _random_string(chance)
        try:
            return string, compile_layout(string)
        except SettingsError:
            continue


def _random_string(chance: random.Random) -> str:
    of = chance.choice("%$")
    names = [name for name in _SAY if name.startswith(of)]
    times = [name for _, name in _OF_TIMES if name.startswith(of)]
    chosen = [*chance.choices(names, k=chance.randrange(1, 9)), chance.choice(times)]
    if chance.randrange(3):
        chosen += ["%r", "%>s"] if of == "%" else ["$request", "$status"]
    chance.shuffle(chosen)
    between = "\t" if chance.randrange(10) == 0 else None
    return "".join(
        _enclosed(name, chance) + (between or chance.choice(_BETWEEN)) for name in chosen
    )


def _enclosed(name: str, chance: random.Random) -> str:
    if _SAY[name] in (_TEXT, _REQUEST):
        return name if chance.randrange(10) == 0 else f'"{name}"'
    if name == "$time_local":
        return name if chance.randrange(5) == 0 else f"[{name}]"
    return chance.choice((name, name, name, name, f'"{name}"', f"[{name}]"))


def written(layout: Layout, chance: random.Random, *, usual: float) -> bytes:
    """Return a line of `layout`, with a usual value that often."""
    pieces = [layout.first.text]
    for step in layout.steps:
        for directive in step.directives:
            texts = _SAY.get(directive.written, _WORD)
            pieces.append(chance.choice(texts[:_USUAL] if chance.random() < usual else texts))
        gap = step.gap.text
        pieces.append(gap if chance.randrange(30) else gap.replace(" ", "  "))
    if chance.random() > usual:
        pieces.append(chance.choice(_TAILS))
    return "".join(pieces).encode()


def random_seeds(chance: random.Random, count: int) -> Seeds:
    """Return so many lines of a random layout, of which half are usual ones."""
    string, layout = random_layout(chance)
    lines = [written(layout, chance, usual=chance.choice((1, 0.7))) for _ in range(count)]
    return Seeds(lines=[line + b"\n" for line in lines], settings=ParseSettings(log_format=string))
