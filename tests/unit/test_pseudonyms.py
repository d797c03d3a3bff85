"""Names of clients: the values that the marts of both engines must give as well."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import pytest

from ingest.errors import SettingsError
from ingest.pseudonyms import SENT_TEXTS, Pseudonyms, read_keys, read_mark, read_pseudonyms

KEY = {"CLICKSTREAM_PSEUDONYM_KEY": "0123456789abcdef0123456789abcdef"}
HASHED = Pseudonyms(keys=read_keys(KEY))
TRUNCATED = Pseudonyms(keys=None)


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("10.0.0.1", "10.0.0.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8::"),
        ("2001:db8::a1", "2001:db8::"),
        ("2001:0:0:1::", "2001::"),
        ("fe80::1", "fe80::"),
        ("::1", "::"),
    ],
)
def test_an_address_is_truncated_to_24_or_48_bits(ip: str, network: str) -> None:
    assert TRUNCATED.name(ip, "x") == network


# HMAC of the key, then SHA-256 twice, computed once by another program: openssl.
@pytest.mark.parametrize(
    ("ip", "address", "name"),
    [
        ("203.0.113.77", "203.0.113.77", "fdfa:a65a:a684:a34f:a8a2:af48:aa3c:ab14"),
        (None, "gateway.example.net", "fddf:a9b9:adcf:a4bc:a138:a27c:a70a:a29b"),
    ],
)
def test_the_hash_of_a_client_never_changes(ip: str | None, address: str, name: str) -> None:
    assert HASHED.name(ip, address) == name


def test_a_hashed_client_is_an_address_in_its_one_spelling_that_is_nobodys() -> None:
    names = [HASHED.name(f"198.51.100.{i}", None) for i in range(256)]
    assert len(set(names)) == 256
    for name in map(str, names):
        assert str(IPv6Address(name)) == name
        assert IPv6Address(name) in IPv6Network("fd00::/8")


def test_a_client_has_one_name_however_it_was_written() -> None:
    assert HASHED.name("2001:db8::a1", "[2001:DB8::A1]:80") == HASHED.name("2001:db8::a1", None)


def test_a_host_name_has_no_network_and_no_client_no_name() -> None:
    assert TRUNCATED.name(None, "gateway.example.net") == "hidden"
    assert TRUNCATED.name(None, None) is None
    assert HASHED.name(None, None) is None


def test_another_key_gives_other_names_and_another_mark() -> None:
    other = Pseudonyms(keys=read_keys({"CLICKSTREAM_PSEUDONYM_KEY": "x" * 32}))
    assert other.name("192.0.2.1", None) != HASHED.name("192.0.2.1", None)
    assert other.mark != HASHED.mark
    assert len({HASHED.mark, TRUNCATED.mark}) == 2


@pytest.mark.parametrize(("key", "what"), [("", "is not set"), ("x" * 31, "is too short")])
def test_a_key_that_is_missing_or_can_be_guessed_is_refused(key: str, what: str) -> None:
    with pytest.raises(SettingsError, match=f"CLICKSTREAM_PSEUDONYM_KEY {what}.*openssl rand"):
        read_pseudonyms("client_ip", "hash", {"CLICKSTREAM_PSEUDONYM_KEY": key})


def test_truncation_needs_no_key_and_addresses_no_method() -> None:
    assert read_pseudonyms("client_ip", "truncate", {}) == TRUNCATED
    assert read_pseudonyms(None, "hash", {}) is None


def test_a_task_uses_the_key_that_the_export_began_with() -> None:
    assert read_mark(HASHED.mark, KEY) == HASHED
    assert read_mark("truncate", {}) == TRUNCATED
    assert read_mark(None, {}) is None
    with pytest.raises(SettingsError, match="another key than that of the export"):
        read_mark(HASHED.mark, {"CLICKSTREAM_PSEUDONYM_KEY": "x" * 32})


def test_nothing_shows_what_is_derived_from_a_key() -> None:
    assert HASHED.keys is not None
    assert HASHED.keys.inner not in repr(HASHED)
    assert HASHED.keys.outer not in repr(HASHED)
    assert KEY["CLICKSTREAM_PSEUDONYM_KEY"] not in HASHED.mark


def test_each_exported_text_that_a_client_may_send_is_searched() -> None:
    assert set(SENT_TEXTS) == {
        "event_name", "native_id", "user_name", "user_id", "visitor_id", "session_id",
        "url_original", "url_domain", "url_path", "url_query", "referrer", "referrer_domain",
        "user_agent", "server_name", "item_id", "item_name", "product_id", "brand", "category",
        "campaign_source", "campaign_medium", "campaign_name",
    }  # fmt: skip
