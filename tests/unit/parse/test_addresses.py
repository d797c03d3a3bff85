"""Addresses, host names and lists (3.7): canonical text, ports, who counts as public."""

from __future__ import annotations

import pytest

from ingest.parse.fields.addresses import (
    Address,
    Client,
    choose_client,
    is_address_list,
    is_public,
    read_address,
    read_client,
)


@pytest.mark.parametrize(
    ("token", "ip", "port"),
    [
        ("192.0.2.1", "192.0.2.1", None),
        ("255.255.255.255", "255.255.255.255", None),
        ("192.0.2.1:80", "192.0.2.1", 80),
        ("2001:DB8:0:0:0:0:0:A1", "2001:db8::a1", None),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", None),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", None),
        ("::", "::", None),
        ("::ffff:192.0.2.1", "192.0.2.1", None),
        ("::FFFF:C000:0201", "192.0.2.1", None),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:65535", "2001:db8::1", 65535),
        ("[::ffff:192.0.2.1]:1", "192.0.2.1", 1),
    ],
)
def test_addresses(token: str, ip: str, port: int | None) -> None:
    assert read_address(token) == Address(ip, port)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "-",
        "256.0.0.1",
        "192.0.2.01",
        "192.0.2",
        "192.0.2.1.2",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:+80",
        "[192.0.2.1]",
        "fe80::1%eth0",
        "[fe80::1%eth0]:80",
        "2001:db8:::1",
        "1:2:3:4:5:6:7:8:9",
        "2001:db8::1]:80",
        "١٩٢.0.2.1",
        "1" * 100_000,
    ],
)
def test_no_addresses(token: str) -> None:
    assert read_address(token) is None


@pytest.mark.parametrize("token", ["host", "a-b_c.example.", "1a", "unix:", "unknown"])
def test_host_names_are_valid_clients_without_address(token: str) -> None:
    assert read_client(token) == Client(token)


INVALID = ["192.0.2.300", "1.2.3", "...", "a b", "a:80", "m\xff.host", "fe80::1%1"]


@pytest.mark.parametrize("token", INVALID)
def test_anything_else_is_invalid(token: str) -> None:
    assert read_client(token) == Client(token, valid=False)


def test_nothing_logged_is_no_client() -> None:
    assert read_client("-") == read_client("") == Client()


@pytest.mark.parametrize(
    ("addresses", "client"),
    [
        ("10.0.0.1, 198.51.100.2", Client("198.51.100.2", "198.51.100.2")),
        ("unknown, host, -, 203.0.113.5:99", Client("203.0.113.5:99", "203.0.113.5", 99)),
        ("10.0.0.1,192.168.1.1", Client("10.0.0.1", "10.0.0.1")),
        ("unknown, 10.0.0.1", Client("10.0.0.1", "10.0.0.1")),
        ("unknown, host", Client("unknown")),
        ("bad!, host", Client("bad!", valid=False)),
        ("-", Client()),
        ("::1, [2001:db8::1]:80", Client("[2001:db8::1]:80", "2001:db8::1", 80)),
    ],
)
def test_client_of_a_list(addresses: str, client: Client) -> None:
    assert choose_client(addresses) == client


PRIVATE = """
0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 169.254.1.1 172.16.0.1 172.31.255.255
192.168.0.1 :: ::1 fc00::1 fdff::1 fe80::1 febf::1
"""
PUBLIC = """
1.0.0.1 9.255.255.255 11.0.0.1 100.63.0.1 100.128.0.1 172.15.0.1 172.32.0.1 192.0.2.1
198.51.100.1 203.0.113.1 224.0.0.1 2001:db8::1 ::2 fec0::1
"""


def test_private_and_local() -> None:
    assert [ip for ip in PRIVATE.split() if is_public(ip)] == []


def test_public_documentation_ranges_included() -> None:
    assert [ip for ip in PUBLIC.split() if not is_public(ip)] == []


def test_address_lists() -> None:
    assert is_address_list("192.0.2.1, unknown,[2001:db8::1]:5")
    assert not is_address_list("192.0.2.1, host")
    assert not is_address_list("a=1")
