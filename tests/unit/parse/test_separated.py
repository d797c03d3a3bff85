"""Kernels of logs in columns, and that the reference parser agrees: sections 3, 4.1, 4.6, 4.7."""

from __future__ import annotations

import time
from dataclasses import replace

import pyarrow as pa
import pytest
from fixtures.outcome import CSV_HEADER
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cloudfront import NAMES
from support.separated_lines import (
    BEHIND,
    CASES,
    CLOUDFRONT,
    CSV,
    IIS,
    MANY,
    QUOTED,
    V2,
    V2_NAMES,
    V2_OBJECT,
    check,
    chunks,
    object_of,
    one,
    taken,
)

from ingest.parse import lines, schematic_columns
from ingest.parse.fields.urls import domain_of
from ingest.parse.kernels import answers, rules
from ingest.parse.kernels.answers import Memories, Memory, ask_each
from ingest.parse.kernels.columns import dictionary_column
from ingest.parse.separated import Put
from ingest.parse.verdict import Event
from ingest.settings import ParseSettings


@pytest.mark.parametrize("name", CASES)
def test_kernels_take_each_usual_line_and_the_reference_parser_agrees(name: str) -> None:
    parse, _, records = CASES[name]
    data = object_of(name, [record.encode() for record in records] * MANY)
    assert len(taken(data, parse)) == MANY * len(records)
    check(data, parse)


def test_example_of_cloudfront() -> None:
    row = one("headerless", CLOUDFRONT)
    assert (row["url_path"], row["url_query"]) == (
        "/caf%C3%A9/menu",
        "q=100%25&utm_medium=cpc",
    )
    assert row["url_original"] == "/caf%C3%A9/menu?q=100%25&utm_medium=cpc"
    assert (row["campaign_medium"], row["user_agent"]) == ("cpc", "Mozilla/5.0 (X11; Linux)")
    assert (row["duration_ms"], row["native_id"]) == (250.0, "abcDEF123==")
    assert (row["http_version"], row["server_name"]) == ("3.0", "www.example.com")
    assert (row["bytes_scope"], row["response_bytes"], row["request_bytes"]) == ("total", 2310, 410)
    assert row["extra"] == (
        '{"cache_result":"Miss","client_port":51000,"distribution_host":"d0000example.cloudfront'
        '.net","edge_location":"FRA56-P1","sc_content_len":"2000","sc_content_type":"text/html",'
        '"sc_range_end":"1999","sc_range_start":"0","tls_cipher":"TLS_AES_128_GCM_SHA256",'
        '"tls_protocol":"TLSv1.3","ttfb_ms":120.0,"x_edge_detailed_result_type":"Miss",'
        '"x_edge_response_result_type":"Miss"}'
    )


def test_examples_of_the_reference_file() -> None:
    first, second = one("schematic-csv", CSV), one("schematic-csv", QUOTED)
    assert (first["event_type"], first["duration_other"], first["view_count"]) == (
        "addtocart",
        412,
        1,
    )
    assert (first["extra"], first["parse_warnings"]) == (
        '{"response_text":"Successfull"}',
        "no_timestamp",
    )
    assert (second["item_name"], second["event_type"]) == ("Lens, wide", "view")
    assert ("category" in second, second["referrer_domain"]) == (False, "shop.example")


def test_example_of_cloudfront_v2() -> None:
    row = one("cloudfront_v2", V2)
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123000+00:00"
    assert (row["status_code"], row["server_name"]) == (0, "d1.cloudfront.net")
    assert row["extra"] == '{"asn":"64500","distribution_host":"d1.cloudfront.net"}'


def test_example_of_objects() -> None:
    """4.7: the keys of an object are the names of its fields."""
    row = one("v2 objects", V2_OBJECT)
    assert (row["source_format"], row["status_code"], row["user_agent"]) == (
        "cloudfront_v2", 0, "a b",
    )  # fmt: skip
    assert row["event_time"].isoformat() == "2024-05-06T07:08:09.123000+00:00"
    assert row["extra"] == '{"asn":"64500","distribution_host":"d1.cloudfront.net"}'


def test_objects_of_other_shapes_are_for_the_reference_parser() -> None:
    """4.7: the keys of others, nested values, numbers, names that differ in case only."""
    usual = V2_OBJECT.encode()
    odd = [
        b'{"time":"07:08:09"}',
        usual.replace(b'"64500"', b"64500"),
        usual.replace(b'"64500"', b'["64500"]'),
        usual.replace(b"asn", b"ASN").replace(b"}", b',"asn":"1"}'),
        usual.replace(b"asn", b"c-ip"),
        usual.replace(b"cs-uri-stem", b"stem"),
        usual.replace(b'"/v2"', rb'"/v\u00e9"'),
        usual.replace(b"64500", rb"6\"4"),
        b"[" + usual + b"]",
    ]
    data = object_of("v2 objects", [*[usual] * MANY, *odd * 5])
    parse = CASES["v2 objects"][0]
    assert len(taken(data, parse)) == MANY
    check(data, parse)


def test_columns_and_objects_in_one_content() -> None:
    """4.7: a line that begins like an object is one; kernels read what most of the lines are."""
    record = "1714979289123\t192.0.2.44\t/v2\t000\t64500\td1.cloudfront.net\t-"
    head = f"#Fields: {' '.join(V2_NAMES)}"
    parse = ParseSettings(format="cloudfront_v2")
    for objects, columns in ((MANY, 9), (9, MANY)):
        lines = [head, *[V2_OBJECT] * objects, "", *[record] * columns]
        data = "\n".join(lines).encode() + BEHIND
        assert len(taken(data, parse)) == MANY
        check(data, parse)


@pytest.mark.parametrize(
    ("stem", "query", "path", "asked", "is_fast"),
    [
        ("/a?b=%2541", "-", "/a", "b=%41", True),
        ("/a?", "c=1", "/a", "c=1", True),
        ("/a", "c=1", "/a", "c=1", True),
        ("/a", "-", "/a", None, True),
        ("/a?c=1?d", "c=1?d", "/a", "c=1?d", True),
        ("/a?b=1", "c=1", "/a", "b=1", False),
        ("/a%3Fb", "-", "/a?b", None, True),
        ("/a?-", "-", "/a", "-", True),
    ],
)
def test_a_path_has_its_query(
    stem: str, query: str, path: str, asked: str | None, is_fast: bool
) -> None:
    """4.8: a query of its own counts only where the path has none."""
    names = ("timestamp", "cs-uri-stem", "cs-uri-query")
    parse = ParseSettings(format="cloudfront_rt", fields=names)
    data = f"1714979289.123\t{stem}\t{query}\n".encode() * MANY + BEHIND
    rows = taken(data, parse)
    assert len(rows) == MANY * is_fast
    assert all((row["url_path"], row.get("url_query")) == (path, asked) for row in rows)
    check(data, parse)


@pytest.mark.parametrize("time", ["2024-05-06T07:08:09Z", "06/May/2024:07:08:09 +0000", "-", "1e9"])
def test_a_timestamp_of_another_kind(time: str) -> None:
    """4.8: seconds since 1970, with a fraction."""
    parse = ParseSettings(format="cloudfront_rt", fields=("timestamp", "cs-uri-stem", "asn"))
    data = "".join(f"{one}\t/a\t1\n" for one in ["1714979289", time] * MANY).encode() + BEHIND
    assert len(taken(data, parse)) == MANY
    check(data, parse)


def test_iis() -> None:
    row = one("w3c", IIS)
    assert (row["user_agent"], row["cookie"]) == ("Mozilla/5.0 (X11)", "a=b; c=d")
    assert (row["user_name"], row["duration_ms"]) == ("DOM\\ann", 15.0)
    assert (row["url_path"], row["campaign_source"]) == ("/a%20b", "m n")
    assert '"server_port":443' in row["extra"]


SNIPS = (
    b"\t", b" ", b",", b'"', b'""', b'","', b"%", b"%41", b"%2541", b"%c3", b"%c3%a9", b"%00", b"+",
    b"-", b"-1", b"#", b"?", b"&", b"=", b";", b"/", b"\\", b"\xff", b"\xc3\xa9", b"\0", b"\r",
    b"\x7f", b"{", b"[", b"9" * 20, b"00", b"0.5", b"65536", b"JSESSIONID=x", b";jsessionid=y",
    b"action=View", b"Action", b"a" * 300, b"\n", b'"\n', b'\n"',
)  # fmt: skip
EDITS = st.lists(
    st.tuples(
        st.integers(0, 500), st.integers(0, 9), st.sampled_from(SNIPS) | st.binary(max_size=3)
    ),
    min_size=1,
    max_size=3,
)


def edited(line: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, size, new in edits:
        at %= len(line) + 1
        line = line[:at] + new + line[at + size :]
    return line


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(sorted(CASES)),
    st.lists(st.tuples(st.integers(0, 1), EDITS), min_size=1, max_size=12),
    st.booleans(),
)
def test_kernels_agree_with_the_reference_parser(
    name: str, changes: list[tuple[int, list[tuple[int, int, bytes]]]], is_first: bool
) -> None:
    parse, _, records = CASES[name]
    usual = [record.encode() for record in records] * MANY
    changed = [edited(records[which].encode(), edits) for which, edits in changes]
    check(object_of(name, changed + usual if is_first else usual + changed + usual), parse)


@pytest.mark.parametrize("client_from", ["host", "forwarded_for"])
@pytest.mark.parametrize("name", CASES)
def test_settings_mean_the_same(name: str, client_from: str) -> None:
    parse, _, records = CASES[name]
    data = object_of(name, [record.encode() for record in records] * MANY)
    check(data, replace(parse, client_from=client_from, keep_cookie=False, timezone="+02:00"))
    check(data, replace(parse, session_parameter="a", action_parameter="b%"))


def test_each_header_counts_from_there_on() -> None:
    """4.6: each `#Fields` replaces the columns; few lines between two are not worth a run."""
    parse, header, _ = CASES["cloudfront"]
    names = NAMES.split()
    fewer = f"#Fields: {' '.join(names[:12])}"
    short = "\t".join(CLOUDFRONT.split("\t")[:12])
    lines = [*[CLOUDFRONT] * MANY, fewer, *[short] * MANY, header, CLOUDFRONT, "# x", fewer]
    lines += [*[short] * 3, CLOUDFRONT, header, "", *[CLOUDFRONT] * MANY]
    data = object_of("cloudfront", [line.encode() for line in lines])
    assert len(taken(data, parse)) == 3 * MANY
    check(data, parse)
    at = data.index(b"# x")
    check(data, parse, resume=at, first_line=90)


def test_records_with_line_breaks_between_others() -> None:
    """4.1: a record counts as one line, and a quote that is never closed rejects one line."""
    parse, _, _ = CASES["schematic-csv"]
    broken = CSV.replace("Tripod", '"Tri\r\npod\n,"')
    lines = [*[CSV] * MANY, broken, *[QUOTED] * MANY, CSV_HEADER, *[CSV] * MANY]
    lines += [CSV.replace("Tripod", '"x'), *[CSV] * (3 * MANY), broken, CSV]
    data = object_of("schematic-csv", [line.encode() for line in lines])
    assert len(taken(data, parse)) > 2 * MANY
    check(data, parse)
    check(data, parse, resume=data.index(b'"Tri') - len("addtocart,412,"), first_line=MANY + 2)
    check(data, parse, resume=data.index(b"\n", 3000) + 1, first_line=None)


def test_a_record_equal_to_the_header_is_not_an_event() -> None:
    header = "Action,SessionID,ClientIP,Brand"
    data = "\n".join([header, *["View,s,192.0.2.1,b", header] * MANY]).encode() + BEHIND
    parse = ParseSettings(format="schematic-csv")
    assert len(taken(data, parse)) == MANY
    check(data, parse)


@pytest.mark.parametrize(
    "names",
    [
        "c-ip cs-uri-stem",
        "date c-ip cs-uri-stem",
        "date time c-ip",
        "date time cs-uri-stem x-a x_a",
        "date time cs-uri-stem cs-host cs(host) x-host-header",
        "timestamp cs-uri-stem",
        "date time cs-uri-stem c-port client-port",
        "date time cs-uri-stem " + " ".join(f"x-{number}" for number in range(200)),
        "date time timestamp(ms) cs-uri-stem cs-uri-query",
        "timestamp timestamp(ms) cs-uri-stem",
        "date time timestamp cs-uri-stem",
    ],
)
def test_other_headers(names: str) -> None:
    texts = {"date": "2024-05-06", "time": "07:08:09", "cs-uri-stem": "/a", "c-port": "1"}
    texts |= {"timestamp": "1714979289.5", "timestamp(ms)": "1714979289123"}
    line = "\t".join(texts.get(name, "x") for name in names.split())
    data = "\n".join([f"#Fields: {names}", *[line] * MANY]).encode() + BEHIND
    check(data, ParseSettings(format="cloudfront_v2"))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "unit", [b'"', b'""', b"%", b"%41", b"%c3", b"&", b"a=&", b"\\", b";", b"-"]
)
def test_lines_as_long_as_kernels_read_take_linear_time(name: str, unit: bytes) -> None:
    """3.3: also where each of many lines is hostile."""
    parse, _, records = CASES[name]
    line = records[0].encode()
    for place in (b"/", b"Mozilla", b"Tripod"):
        long = line.replace(place, place + unit * ((4000 - len(line)) // len(unit)), 1)
        data = object_of(name, [long] * 50)
        before = time.process_time()
        chunks(data, parse)
        assert time.process_time() - before < 0.5


def test_answers_are_remembered_from_piece_to_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule is asked once for a text, until too many differ."""
    monkeypatch.setattr(answers, "_MOST_KEPT", 3)
    asked: list[str] = []

    def put(event: Event, text: str) -> None:
        asked.append(text)
        event.values["brand"] = text.upper()
        if text == "odd":
            event.warnings.add("invalid_number")

    memory = Memories().of("brand")
    assert brands(memory, put, "a", "", "odd") == (["A", None, "ODD"], [0, 0, 1])
    assert brands(memory, put, "odd", "b", "a") == (["ODD", "B", "A"], [1, 0, 0])
    assert brands(memory, put, "c", "a") == (["C", "A"], [0, 0])
    assert asked == ["a", "odd", "b", "c"]
    brands(memory, put, "a")
    assert asked[4:] == ["a"]


def brands(memory: Memory, put: Put, *texts: str) -> tuple[list[str | None], list[int]]:
    sent = dictionary_column(pa.array([text or None for text in texts]))
    answer = ask_each(sent, put, memory)
    return answer.texts["brand"].texts().to_pylist(), answer.warnings.tolist()


@pytest.mark.parametrize("name", CASES)
def test_chunks_share_what_is_remembered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNK_LINES", 32)
    parse, _, records = CASES[name]
    usual = [record.encode() for record in records]
    odd = [edited(line, [(at, 2, snip)]) for line in usual for at in (9, 40) for snip in SNIPS[:9]]
    check(object_of(name, [*usual * MANY, *odd, *usual * MANY]), parse)


@pytest.mark.parametrize("text", ['te"xt', "te\\xt", '"', "te\u00e9xt"])
def test_texts_that_json_escapes(text: str) -> None:
    """2.2: kernels write only those members that need no escape."""
    parse, _, records = CASES["cloudfront"]
    odd = [record.replace("text/html", text) for record in records]
    data = object_of("cloudfront", [line.encode() for line in [*records, *odd] * MANY])
    is_plain = text.isalpha()
    assert len(taken(data, parse)) == MANY * len(records) * (1 + is_plain)
    check(data, parse)


def test_durations_and_ports_of_extra() -> None:
    parse, _, (record, _) = CASES["cloudfront"]
    seconds = ("0", "1.5", "0.000001", "12345.1", "123456.1", "1.", "0.1234567", "-1")
    ports = ("0", "65535", "65536", "080", "8a")
    odd = [record.replace("\t0.120\t", f"\t{text}\t") for text in seconds]
    odd += [record.replace("\t51000\t", f"\t{text}\t") for text in ports]
    data = object_of("cloudfront", [line.encode() for line in odd * MANY])
    assert len(taken(data, parse)) == MANY * (5 + 2)
    check(data, parse)


def test_urls_that_all_differ_are_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """4.1: the domain of each is that of its origin, which few have."""
    parse, _, (record, *_) = CASES["schematic-csv"]
    urls = (
        "https://Shop.example:8443/a?b", "//shop.example/a", "/a", "a.example", "http://", "?",
        "http://[2001:db8::1]/a", "android-app://a.b/", "http://u@b.example", "http://a b/",
    )  # fmt: skip
    records = [record.replace("product.screen", f"product.screen?{n}") for n in range(MANY)]
    odd = [record.replace("http://shop.example/product.screen", url) for url in urls]
    asked: list[str] = []

    def noted(url: str) -> str | None:
        asked.append(url)
        return domain_of(url)

    monkeypatch.setattr(rules, "domain_of", noted)
    monkeypatch.setattr(schematic_columns, "domain_of", noted)
    data = object_of("schematic-csv", [line.encode() for line in [*records, *odd * 3]])
    assert len(taken(data, parse)) == MANY + 3 * len(odd)
    assert len(asked) < MANY
    check(data, parse)
