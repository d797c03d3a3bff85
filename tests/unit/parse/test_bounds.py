"""What bounds the time that one line takes: sections 1.3, 2.2, 3.3 and 4.4 of the specification."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures import outcome
from fixtures.outcome import CSV_HEADER, Outcome
from hypothesis import given
from hypothesis import strategies as st

from ingest.parse.fields import text, urls
from ingest.parse.fields.addresses import choose_client, is_address_list
from ingest.parse.fields.extra import MOST_NAMES, MOST_SURPLUS
from ingest.parse.fields.urls import MOST_PARAMETERS, parameters
from ingest.parse.json_value import MOST_OF_ELEMENT, MOST_VALUES
from ingest.parse.verdict import Event
from ingest.parse.web import total_milliseconds
from ingest.settings import ParseSettings

ALB = (
    "https 2024-05-06T07:08:09.123456Z app/a/b 192.0.2.7:1 192.0.2.20:80 0.001 0.025 0.002 200 200"
    ' 5 8 "GET https://a.example:443/c HTTP/2.0" "Mozilla/5.0" - - arn "Root=1" "a.example" "-" 10'
    ' 2024-05-06T07:08:09.095000Z "forward" "-" "-" "-" "-" "-" "-" TID_0 "-" "-" "-"'
)
CLB = (
    "2024-05-06T07:08:09.000250Z lb 192.0.2.7:50001 192.0.2.21:80 0.1 0.2 0.3 200 200 0 2048"
    ' "GET http://old.example:80/a HTTP/1.1" "agent" - -'
)
S3 = (
    "b0b0 media-bucket [06/May/2024:07:08:09 +0000] 192.0.2.66 - 9F8E REST.GET.OBJECT a"
    ' "GET /a HTTP/1.1" 200 - 1 1 1 1 "-" "Mozilla" - - - - - - - - - -'
)
FIELDS = "date time c-ip cs-method cs-uri-stem sc-status"
RECORD = "2024-05-06 07:08:09 192.0.2.1 GET /a 200"
ACCESS = '192.0.2.1 - - [06/May/2024:07:08:09 +0000] "GET /a HTTP/1.1" 200 5 "-" "Mozilla"'
CSV = "View,1,Lens,0,Error,0,1,Orion,Click Here,,192.0.2.62,a,,1,b,3,505,-,s,,"
GA4 = '{"event_timestamp":1,"event_name":"a"'
SYSLOG = "<13>1 2024-05-06T07:08:09Z h a p m "


@pytest.mark.parametrize(
    ("name", "line", "head", "between"),
    [
        ("alb", ALB, "", " "),
        ("clb", CLB, "", " "),
        ("s3", S3, "", " "),
        ("w3c", RECORD, f"#Fields: {FIELDS}\n", " "),
        ("cloudfront", RECORD.replace(" ", "\t"), f"#Fields: {FIELDS}\n", "\t"),
        ("schematic-csv", CSV, f"{CSV_HEADER}\n", ","),
    ],
)
def test_fields_behind_many_are_one_text(name: str, line: str, head: str, between: str) -> None:
    """4.4: surplus is the array `extra_fields`; nothing behind its last text is cut or lost."""
    quoted = '"b"' if name not in ("w3c", "cloudfront", "s3") else "b"
    for more in (0, 1, 300):
        fields = [quoted] * (MOST_SURPLUS + more)
        found = surplus(name, f"{head}{line}{between}{between.join(fields)}\n")
        rest = between.join(fields[MOST_SURPLUS:])
        assert found == ["b"] * (MOST_SURPLUS) + [rest] * bool(more)


def read(content: str, name: str) -> Outcome:
    return outcome.read(content.encode(), settings=ParseSettings(format=name))


def surplus(name: str, content: str) -> list[str]:
    (event,) = read(content, name).events
    found: list[str] = json.loads(event["extra"])["extra_fields"]
    return found


def extra(line: str, name: str = "access") -> dict[str, Any]:
    (event,) = read(line, name).events
    return {"": event.get("parse_warnings"), **json.loads(event.get("extra", "{}"))}


def test_a_tail_of_very_many_words_stays_as_it_is() -> None:
    """7.6: what no rule takes is `tail`."""
    assert extra(f"{ACCESS} {'a ' * 4095}1") == {"": None, "tail": "a " * 4094 + "a"}
    assert extra(f"{ACCESS} {'a ' * 5000}1") == {"": None, "tail": "a " * 5000 + "1"}


def test_very_many_words_before_the_referrer_are_a_tail() -> None:
    """7.5: fewer of them are unplaced."""
    few, many = (ACCESS.replace(' "-" ', f' {"a " * count}"-" ') for count in (2000, 2500))
    assert extra(few) == {"": "unplaced_text", "unplaced": "a " * 1999 + "a"}
    assert extra(many) == {"": None, "tail": "a " * 2500 + '"-" "Mozilla"'}


def test_the_client_is_among_the_first_addresses_of_a_list() -> None:
    """3.7: those that forwarded_for has room for."""
    near, far = ("10.0.0.1," * count + "192.0.2.1" for count in (2047, 2048))
    assert (choose_client(near).ip, choose_client(far).ip) == ("192.0.2.1", "10.0.0.1")
    assert is_address_list("10.0.0.1," * 3000 + "x")
    assert not is_address_list("10.0.0.1," * 2000 + "x")


def test_the_session_is_among_the_first_parameters_and_cookies() -> None:
    """2.4: of as many as no log has."""
    for before, session in ((MOST_PARAMETERS - 1, "x"), (MOST_PARAMETERS, None)):
        cookie = f'{ACCESS} "a={";" * before}JSESSIONID=x"'
        query = ACCESS.replace("/a", f"/a?{'&' * before}JSESSIONID=x")
        found = [event.get("session_id") for event in read(f"{cookie}\n{query}", "access").events]
        assert found == [session, session]


def test_a_user_has_not_very_many_words() -> None:
    """7.2: nor is it lost."""
    for words, codes in ((MOST_SURPLUS, "truncated_field"), (MOST_SURPLUS + 1, "unplaced_text")):
        line = ACCESS.replace("- -", f"- {'a ' * words}a")
        assert extra(line)[""] == codes


def test_colours_stay_in_a_line_of_very_many_fields() -> None:
    """7.10: the warning is given all the same."""
    for quotes, left in ((MOST_SURPLUS - 8, "Mozilla"), (MOST_SURPLUS - 6, "Mozilla\x1b[0m")):
        line = ACCESS.replace("Mozilla", "Mozilla\x1b[0m") + ' ""' * (quotes // 2)
        (event,) = read(line, "access").events
        assert (event["user_agent"], event["parse_warnings"]) == (left, "control_char")


def test_very_many_headers_are_none_of_relays() -> None:
    """7.1: neither is structured data without an end in sight."""
    relays = [f"{'a | ' * count}{ACCESS}" for count in (64, 65)]
    data = [f"{SYSLOG}[x {'y' * size}] {ACCESS}" for size in (16_380, 16_382)]
    for few, many in (relays, data):
        assert extra(few)["relay"] == few.removesuffix(f" {ACCESS}")
        (reject,) = read(many, "access").rejects
        assert reject["reason"] == "no_match"


def test_very_many_brackets_before_an_odd_time() -> None:
    """7.4: one of them may be the time."""
    for count, reason in ((MOST_SURPLUS, "bad_timestamp"), (MOST_SURPLUS + 1, "no_match")):
        line = ACCESS.replace("- -", f"- {'[1/a-text-of-many]' * count}").replace(
            "[06/May", "[6th/May"
        )
        (reject,) = read(line, "access").rejects
        assert reject["reason"] == reason


def test_very_many_places_where_a_request_may_end() -> None:
    """4.9: the first after which the rest of the line fits."""
    for count, events in ((MOST_SURPLUS - 1, 1), (MOST_SURPLUS, 0)):
        line = S3.replace("/a HTTP", "/" + '" - - - - - - -x' * count + " HTTP")
        assert len(read(line, "s3").events) == events


def test_very_many_upstreams_are_none() -> None:
    """4.2: a sum of all is certain, or it warns."""
    for more, warnings in ((0, set()), (1, {"invalid_number"})):
        event = Event()
        assert total_milliseconds(event, "1, " * (MOST_SURPLUS + more) + "1", unit=1) == (
            MOST_SURPLUS + 1 - more
        )
        assert event.warnings == warnings


def test_the_value_of_a_parameter_may_be_cut_before_it_is_decoded() -> None:
    """2.4: what is left fills its column still."""
    long = parameters(f"a={'%C3%A9' * 2000}")["a"]
    assert long == parameters(f"a={'%C3%A9' * 9000}")["a"]
    assert long.startswith("é" * 256)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (f"[{'0,' * (MOST_VALUES - 3)}0]", "ok"),
        (f"[{'0,' * MOST_VALUES}0]", "bad_json"),
        (f"[{'{},' * MOST_VALUES}0]", "bad_json"),
        (f'"{"," * 2 * MOST_VALUES}"', "ok"),
        (rf'"\"{"," * 2 * MOST_VALUES}"', "ok"),
    ],
)
def test_an_object_of_very_many_values_is_bad_json(value: str, verdict: str) -> None:
    """1.3: like one that is nested too deep; commas in texts do not count."""
    found = read(GA4 + ',"a":' + value + "}", "ga4")
    assert [*(r["reason"] for r in found.rejects), *("ok" for _ in found.events)] == [verdict]


def test_each_object_of_an_array_may_have_values_of_its_own() -> None:
    """4.3: an array is as many records."""
    one = GA4 + ',"a":[' + "0," * (MOST_OF_ELEMENT - 4) + "0]}"
    found = read(f"[{','.join([one] * 200)}]", "ga4")
    assert len(found.events) == 200
    (reject,) = read(f"[{','.join([one] * 200)},{{}},{one}]", "ga4").rejects
    assert reject["reason"] == "no_match"
    inner = GA4 + ',"a":[' + "{}," * 2 * MOST_VALUES + "0]}"
    (reject,) = read(f"[{one},{inner}]", "ga4").rejects
    assert reject["reason"] == "bad_json"


def test_a_very_long_header_names_no_columns() -> None:
    """4.6: each line below it would take as long as it does."""
    for size, reasons in ((MOST_NAMES, []), (MOST_NAMES + 1, ["no_match"])):
        header = f"#Fields: {FIELDS} ".ljust(len("#Fields:") + size, "x")
        rejects = read(f"{header}\n{RECORD} x", "w3c").rejects
        assert [reject["reason"] for reject in rejects] == reasons
    long = CSV_HEADER + ",a" * MOST_NAMES
    found = read(f"{long}\n{CSV}", "schematic-csv")
    assert found.verdict.file_reason == "missing_header"


@given(
    st.lists(
        st.sampled_from(
            ("\\", "\\\\", '\\"', '"', "\\x", "\\x41", "\\x5c", "\\x1f", "\\x7e", "\\x7f", "\\xé")
        )
        | st.sampled_from(("%", "%4", "%41", "%ff", "%Ff", "é", "a", "4", "x", "22")),
        max_size=90,
    )
)
def test_escapes_are_undone_the_same_be_they_few_or_many(parts: list[str]) -> None:
    """3.9, percent-encoding and the CLF family."""
    sent = "".join(parts)
    found = []
    for many in (-1, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text, "MANY", many)
            patch.setattr(urls, "MANY", many)
            found.append((text.unescape(sent), urls.decoded_bytes(sent)))
    assert found[0] == found[1]
