"""What stands before the time, many lines at once: `[vhost[:port]] host - user `."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from ingest.contract import EVENTS
from ingest.parse.fast.texts import DictionaryColumn, cut, dictionary_column, null_column, scatter
from ingest.parse.fast.words import Bytes, Mask, Positions, Words, find, low_bytes, word
from ingest.parse.fields.addresses import MAX_PORT, is_host_name, read_client, split_port
from ingest.parse.fields.prefix import is_user
from ingest.parse.fields.relay import grep_end

# An IPv6 address and the space after it.
_HOST_BYTES = 48
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"^{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}$"
_USER_BYTES = EVENTS.column("user_name").width or 0


@dataclass(frozen=True, slots=True)
class Clients:
    """Canonical addresses and the tokens as logged; users, null where `-` is logged.

    `server` are the virtual hosts, and `extra` the JSON of their ports.
    """

    ip: DictionaryColumn
    address: DictionaryColumn
    user: DictionaryColumn
    server: DictionaryColumn
    extra: DictionaryColumn
    valid: Mask


def read_prefixes(
    buffer: Bytes, words: Words, *, starts: Positions, brackets: Positions
) -> Clients:
    """Return what comes before the `[` at `brackets`."""
    begins, ends, valid = starts.copy(), *_token_ends(buffer, starts, brackets)
    rows = np.flatnonzero(valid & ((words[ends] & low_bytes(3)) != word(b" - ")))
    server = extra = null_column(starts.size)
    if rows.size:
        hosts = dictionary_column(cut(buffer, starts[rows], ends[rows]))
        begins[rows] = ends[rows] + 1
        ends[rows], valid[rows] = _token_ends(buffer, begins[rows], brackets[rows])
        names, ports, known = _servers(hosts)
        server, extra = scatter(rows, names, starts.size), scatter(rows, ports, starts.size)
        valid[rows] &= known
    address = dictionary_column(cut(buffer, begins, ends))
    ip, known = _addresses(address)
    user, users = _users(buffer, words, ends, brackets)
    return Clients(ip, address, user, server, extra, valid & users & (ends > begins) & known)


def _token_ends(buffer: Bytes, begins: Positions, brackets: Positions) -> tuple[Positions, Mask]:
    """Return the ends of the words at `begins`, and which have one; those of others are empty."""
    length = find(buffer, begins, b" ", limit=_HOST_BYTES)
    # A line without a space would take the bytes of the next ones, which may be no text at all.
    found = (length < _HOST_BYTES) & (begins + length < brackets)
    return np.where(found, begins + length, begins), found


def _servers(hosts: DictionaryColumn) -> tuple[DictionaryColumn, DictionaryColumn, Mask]:
    """Return the names, the JSON of the ports, and which are host names, perhaps with a port."""
    tokens = hosts.values.to_pylist()
    split = [split_port(token) for token in tokens]
    known = [
        is_host_name(name) and name != "unix:" and int(port or 0) <= MAX_PORT
        and grep_end(f"{token} ", 0) < 0
        for token, (name, port) in zip(tokens, split, strict=True)
    ]  # fmt: skip
    ports = [None if port is None else f'{{"server_port":{int(port)}}}' for _, port in split]
    return (
        hosts.map(lambda _: [name for name, _ in split]),
        hosts.map(lambda _: ports),
        np.array([*known, False])[hosts.codes],
    )


def _addresses(hosts: DictionaryColumn) -> tuple[DictionaryColumn, Mask]:
    """Return the canonical addresses, and which rows are addresses or host names without port."""
    is_ipv4 = pc.match_substring_regex(hosts.values, _IPV4).to_numpy(zero_copy_only=False)
    if is_ipv4.all():
        return hosts, hosts.codes >= 0
    known = is_ipv4.copy()
    canonical: list[str | None] = hosts.values.to_pylist()
    for index in np.flatnonzero(~is_ipv4):
        token = canonical[index] or ""
        client = read_client(token)
        known[index] = client.valid and client.port is None and client.address == token
        known[index] &= not token.startswith("[") and grep_end(f"{token} ", 0) < 0
        canonical[index] = client.ip
    return hosts.map(lambda _: canonical), np.append(known, False)[hosts.codes]


def _users(
    buffer: Bytes, words: Words, host_ends: Positions, brackets: Positions
) -> tuple[DictionaryColumn, Mask]:
    after = words[host_ends]
    valid = (after & low_bytes(3)) == word(b" - ")
    anonymous = ((after & low_bytes(6)) == word(b" - - [")) & (brackets == host_ends + 5)
    rows = np.flatnonzero(valid & ~anonymous)
    begins, ends = host_ends[rows] + 3, brackets[rows] - 1
    fits = (ends > begins) & (ends - begins <= _USER_BYTES)
    valid[rows[~fits]] = False
    rows, begins, ends = rows[fits], begins[fits], ends[fits]
    names = dictionary_column(cut(buffer, begins, ends))
    single = pc.match_substring_regex(names.values, r"^[^ ,\[]+$").to_numpy(zero_copy_only=False)
    known = single & np.array([is_user(name) for name in names.values.to_pylist()], dtype=np.bool_)
    valid[rows] = known[names.codes]
    return scatter(rows, names, host_ends.size), valid
