"""Client tokens: addresses, host names and address lists (section 3.7 of the specification).

Documentation ranges count as public, so the library's "is global" is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"({_OCTET}(?:\.{_OCTET}){{3}})(?::([0-9]{{1,5}}))?")
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_HOST = re.compile(r"[A-Za-z0-9._-]*")
_LETTER = re.compile(r"[A-Za-z]")
_NAMES = frozenset({"unix:"})  # how nginx writes the client of a UNIX socket
MAX_PORT = 65_535
_PORT_DIGITS = 5
# Longer than any address with brackets and port; longer tokens stay out of the cache.
_MAX_TOKEN = 64
_MOST_ENTRIES = 2048
_NOT_PUBLIC_4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
)
_NOT_PUBLIC_6 = tuple(IPv6Network(b) for b in ("::/128", "::1/128", "fc00::/7", "fe80::/10"))


@dataclass(frozen=True, slots=True)
class Address:
    """An address in canonical text, and the port that was written after it."""

    ip: str
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request. `address` is the token as logged, None when nothing was logged.

    `ip` is None for host names and for invalid tokens; only the latter are not `valid`.
    """

    address: str | None = None
    ip: str | None = None
    port: int | None = None
    valid: bool = True


def read_address(token: str) -> Address | None:
    """Return the address in `token`, without brackets and `:port`; None when it is not one."""
    return _read_address(token) if len(token) <= _MAX_TOKEN else None


@lru_cache(maxsize=65_536)
def _read_address(token: str) -> Address | None:
    if match := _IPV4.fullmatch(token):
        return _with_port(match[1], match[2])
    if match := _BRACKETED.fullmatch(token):
        ip = _canonical_ipv6(match[1])
        return None if ip is None else _with_port(ip, match[2])
    ip = _canonical_ipv6(token)
    return None if ip is None else Address(ip)


def _with_port(ip: str, port: str | None) -> Address | None:
    number = None if port is None else int(port)
    return None if number is not None and number > MAX_PORT else Address(ip, number)


def _canonical_ipv6(text: str) -> str | None:
    if not _IPV6.fullmatch(text):
        return None
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    return str(address.ipv4_mapped or address)


def read_client(token: str) -> Client:
    """Return the client of one token, which is not a list."""
    if token in ("", "-"):
        return Client()
    address = read_address(token)
    if address is not None:
        return Client(token, address.ip, address.port)
    return Client(token, valid=is_host_name(token))


def read_host_port(token: str) -> Client:
    """Return the client of `host:port`, cut at the last colon; IPv6 may have no brackets."""
    name, digits = split_port(token)
    client = read_client(name)
    port = int(digits) if digits is not None and len(digits) <= _PORT_DIGITS else MAX_PORT + 1
    is_cut = client.valid and client.address is not None and client.port is None
    return Client(token, client.ip, port) if is_cut and port <= MAX_PORT else read_client(token)


def is_host_name(token: str) -> bool:
    """Return whether `token` can be the name of a host (or nginx's `unix:`)."""
    return token in _NAMES or bool(_HOST.fullmatch(token) and _LETTER.search(token))


def is_dotted_host(token: str) -> bool:
    """Return whether `token` is a host name of several labels, the last led by a letter.

    So neither a word such as `HIT` nor a number with its unit, such as `0.5s`.
    """
    before, _, last = token.rstrip(".").rpartition(".")
    return before.strip(".") != "" and last[:1].isalpha() and is_host_name(token)


def split_port(token: str) -> tuple[str, str | None]:
    """Return (what comes before the port, the digits of the port or None)."""
    name, colon, port = token.rpartition(":")
    return (name, port) if colon and port.isascii() and port.isdigit() and name else (token, None)


def entries_of(addresses: str) -> Iterator[str]:
    """Yield the comma-separated entries of an address list, without spaces or TABs around them.

    They are all that fit into a column, and some.
    """
    return (entry.strip(" \t") for entry in addresses.split(",", _MOST_ENTRIES)[:_MOST_ENTRIES])


def choose_client(addresses: str) -> Client:
    """Return the client of a list: its first public address, else its first valid, else entry."""
    first_valid: Client | None = None
    entries = list(dict.fromkeys(entries_of(addresses)))
    for entry in entries:
        address = read_address(entry)
        if address is None:
            continue
        client = Client(entry, address.ip, address.port)
        if is_public(address.ip):
            return client
        first_valid = first_valid or client
    return first_valid or read_client(entries[0])


@lru_cache(maxsize=65_536)
def is_public(ip: str) -> bool:
    """Return whether the canonical address `ip` is outside the private and local blocks."""
    if ":" in ip:
        v6 = IPv6Address(ip)
        return not any(v6 in block for block in _NOT_PUBLIC_6)
    v4 = IPv4Address(ip)
    return not any(v4 in block for block in _NOT_PUBLIC_4)


def is_address_list(text: str) -> bool:
    """Return whether all comma entries of `text` are addresses or `unknown`."""
    # Most texts are told by their first entry: the others are not even stripped then.
    return all(entry == "unknown" or read_address(entry) for entry in entries_of(text))


def has_no_ports(text: str) -> bool:
    """Return whether the address list `text` has an address, and none with a port.

    An address with a port is more often that of a server than an entry of X-Forwarded-For.
    """
    found = [address for entry in entries_of(text) if (address := read_address(entry))]
    return bool(found) and all(address.port is None for address in found)
