"""No address of a client leaves with a document, in whatever column it was sent."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from ingest.contract import EVENTS
from ingest.pseudonyms import SENT_TEXTS, Pseudonyms, read_keys
from ingest.render import arrow_schema
from ingest.search.document import Rendering, render

SCHEMA = arrow_schema(EVENTS)
HASHED = Pseudonyms(keys=read_keys({"CLICKSTREAM_PSEUDONYM_KEY": "0123456789abcdef" * 2}))
TRUNCATED = Pseudonyms(keys=None)
IP = "203.0.113.77"
NAME = str(HASHED.name(IP, None))


def documents(
    *events: dict[str, Any], pseudonyms: Pseudonyms = HASHED, without: str = ""
) -> list[Any]:
    usual = {
        "event_id": "63c576d511cab0cebef10000000120b8", "batch_id": "b7c9",
        "event_date": date(2026, 1, 2), "ingest_time": datetime(2026, 2, 1, tzinfo=UTC),
        "source_format": "access", "source_file": "web/access.log", "source_offset": 73912,
        "parse_status": "ok", "event_type": "request",
    }  # fmt: skip
    rows = [dict.fromkeys(SCHEMA.names) | usual | event for event in events]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    batch = batch.select([name for name in SCHEMA.names if name != without])
    texts = render(batch, Rendering(pseudonyms=pseudonyms), version=1)
    return [json.loads(text.split("\n")[1]) for text in texts]


@pytest.mark.parametrize("pseudonyms", [HASHED, TRUNCATED])
def test_the_address_is_in_no_field_although_it_was_sent_in_all(pseudonyms: Pseudonyms) -> None:
    sent = dict.fromkeys(SENT_TEXTS, f"/a?ip={IP}&b={IP}")
    lists = {"client_ip": IP, "client_address": IP, "forwarded_for": f"{IP}, 198.51.100.1"}
    extra = {"extra": json.dumps({"header_x_real_ip": IP, IP: [{"peer": f"{IP}:443"}]})}
    (document,) = documents({**sent, **lists, **extra}, pseudonyms=pseudonyms)
    text = json.dumps(document)
    assert IP not in text
    assert "198.51.100.1" not in text
    name = pseudonyms.name(IP, None)
    assert document["source"] == {"ip": name, "address": name}
    assert document["url"]["original"] == f"/a?ip={name}&b={name}"
    assert document["clickstream"]["extra"] == {
        "header_x_real_ip": name, name: [{"peer": f"{name}:443"}],
    }  # fmt: skip
    assert "forwarded_for" not in document["clickstream"]


def test_only_the_clients_own_address_is_replaced_in_what_it_sent() -> None:
    sent = {"url_original": "/dns?q=8.8.8.8", "user_agent": "Chrome/120.0.0.0"}
    (document,) = documents({"client_ip": IP, "client_address": IP, **sent})
    assert document["url"]["original"] == "/dns?q=8.8.8.8"
    assert document["user_agent"]["original"] == "Chrome/120.0.0.0"


def test_an_address_is_found_as_it_was_written_too() -> None:
    (document,) = documents(
        {
            "client_ip": "2001:db8::a1",
            "client_address": "2001:DB8:0::A1",
            "session_id": "2001:DB8:0::A1-17",
            "referrer": "/from/2001:db8::a1",
        }
    )
    name = HASHED.name("2001:db8::a1", None)
    assert document["session"]["id"] == f"{name}-17"
    assert document["http"]["request"]["referrer"] == f"/from/{name}"


def test_a_host_name_is_hidden_and_not_looked_for_elsewhere() -> None:
    event = {"client_address": "a", "url_original": "/cart"}
    assert documents(event)[0]["source"] == {"address": HASHED.name(None, "a")}
    (document,) = documents(event, pseudonyms=TRUNCATED)
    assert (document["source"], document["url"]["original"]) == ({"address": "hidden"}, "/cart")


def test_short_addresses_do_not_damage_other_texts() -> None:
    (document,) = documents({"client_ip": "::1", "client_address": "::1", "event_name": "Shop::10"})
    assert document["clickstream"]["event_name"] == "Shop::10"
    assert document["source"]["ip"] == HASHED.name("::1", None)


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        ({"t": "12:34:56", "mac": "00:1b:44:11:3a:b7", "n": 1.5}, None),
        ({"agent": "v1.2.3"}, None),
        ({"a": "from ::ffff:203.0.113.77."}, {"a": f"from {NAME}."}),
        ({"a": "[2001:db8::a1]:443"}, {"a": f"[{HASHED.name('2001:db8::a1', None)}]:443"}),
        ({"a": "IPv6:2001:db8::a1"}, {"a": f"IPv6:{HASHED.name('2001:db8::a1', None)}"}),
        ({"a": "ip:2001:db8::a1"}, {"a": f"ip:{HASHED.name('2001:db8::a1', None)}"}),
        ({"a": "x\n2001:db8::a1"}, {"a": f"x\n{HASHED.name('2001:db8::a1', None)}"}),
        ({"a": "Foo::Bad std::dead::f a:b:c"}, None),
        ({"203.0.113.77": 1}, {NAME: 1}),
        (None, None),
    ],
)
def test_every_address_in_extra_is_replaced(extra: Any, shown: Any) -> None:
    event = {"extra": None if extra is None else json.dumps(extra)}
    (document,) = documents(event)
    assert document["clickstream"].get("extra") == (shown or extra)


def test_an_address_spelled_with_escapes_is_found() -> None:
    spelled = "".join(f"\\u{ord(char):04x}" for char in IP)
    (document,) = documents({"extra": f'{{"a":"{spelled}"}}'})
    assert document["clickstream"]["extra"] == {"a": NAME}


def test_networks_of_two_keys_become_one_key() -> None:
    extra = json.dumps({"203.0.113.1": 1, "203.0.113.2": 2})
    (document,) = documents({"extra": extra}, pseudonyms=TRUNCATED)
    assert document["clickstream"]["extra"] == {"203.0.113.0": 2}


def test_rows_without_clients_stay_as_they_are() -> None:
    first, second = documents({"client_ip": IP, "client_address": IP, "url_path": f"/{IP}"}, {})
    assert first["url"]["path"] == f"/{NAME}"
    assert "source" not in second
    (older,) = documents({"url_path": "/a"}, without="client_ip")
    assert older["url"]["path"] == "/a"
