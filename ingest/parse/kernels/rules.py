"""Rules of the reference parser, asked once for each different text of a piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ingest.contract import EVENTS
from ingest.parse.fields.addresses import (
    MAX_PORT,
    Client,
    is_address_list,
    is_host_name,
    read_client,
    split_port,
)
from ingest.parse.fields.behind import is_absolute
from ingest.parse.fields.extra import encode_extra
from ingest.parse.fields.prefix import Prefix, read_prefix
from ingest.parse.fields.relay import relay_end
from ingest.parse.fields.tail import Tail, read_tail
from ingest.parse.fields.text import unescape
from ingest.parse.fields.urls import domain_of, read_request, split_target
from ingest.parse.kernels.addresses import are_ipv4
from ingest.parse.kernels.columns import DictionaryColumn, Mask, holds

# Some client, and what follows one that is all there is.
_CLIENT, _NOBODY = "192.0.2.1", " - -"
_SOMEBODY = Prefix(client=Client(_CLIENT, _CLIENT))
_NO_USER = frozenset("[,")


def _known(texts: DictionaryColumn, answers: Sequence[object]) -> Mask | bool:
    """Return which rows have no text, or one with an answer; True = all."""
    if None not in answers:
        return True
    known: Mask = np.array([*(answer is not None for answer in answers), True])[texts.codes]
    return known


def _mapped(texts: DictionaryColumn, answers: Sequence[str | None]) -> DictionaryColumn:
    return texts.map(lambda _: answers)


def ask(
    texts: DictionaryColumn, rule: Callable[[str], str | None]
) -> tuple[DictionaryColumn, Mask | bool]:
    """Return what `rule` says of each text, and in which rows that is not None (True = all).

    An empty answer is null, and so is a row without a text.
    """
    sent = texts.values.to_pylist()
    answers = [rule(text) for text in sent]
    known = _known(texts, answers)
    if answers == sent:
        return texts, known
    return _mapped(texts, answers), known


def read_clients(
    tokens: DictionaryColumn, rule: Callable[[str], Client | None]
) -> tuple[DictionaryColumn, Mask]:
    """Return the canonical addresses, and in which rows `rule` knows a client without a port."""
    is_ipv4 = are_ipv4(tokens.values)
    if is_ipv4.all():
        return tokens, tokens.codes >= 0
    addresses: list[str | None] = tokens.values.to_pylist()
    known = is_ipv4.copy()
    for index in np.flatnonzero(~is_ipv4):
        token = addresses[index] or ""
        client = rule(token)
        known[index], addresses[index] = client is not None, client.ip if client else None
    return _mapped(tokens, addresses), np.append(known, False)[tokens.codes]


def client_alone(token: str) -> Client | None:
    """Return the client that `token` is; None for one with a port, or that needs a warning."""
    client = read_client(token)
    is_alone = client.valid and client.address is not None and client.port is None
    return client if is_alone else None


def client_of(token: str) -> Client | None:
    """Return the client that a prefix with the one word `token` has; None when it says more."""
    prefix = _read_alone(f"{token}{_NOBODY}")
    if prefix is None:
        return None
    client = prefix.client
    is_all = prefix == Prefix(client=Client(token, client.ip)) and "," not in token
    return client if is_all else None


def _read_alone(prefix: str) -> Prefix | None:
    """Return the parts of `prefix`, None when there are none or a relay may have written them."""
    return None if relay_end(f"{prefix} [") else read_prefix(prefix)


def user_of(token: str) -> str | None:
    """Return the user that `token` names, empty for none, None when it may be more than a user."""
    if len(token.encode()) > (EVENTS.column("user_name").width or 0) or _NO_USER & set(token):
        return None
    prefix = read_prefix(f"{_CLIENT} - {token}")
    if prefix is None or prefix != Prefix(client=_SOMEBODY.client, user=prefix.user):
        return None
    return prefix.user or ""


def server_of(token: str) -> str | None:
    """Return the virtual host in `token`, None when it is not one with perhaps a port."""
    name, port = split_port(token)
    prefix = _read_alone(f"{token} {_CLIENT}{_NOBODY}")
    expected = Prefix(client=_SOMEBODY.client, server=name, server_port=port)
    is_server = is_host_name(name) and name != "unix:" and prefix == expected
    # Digits may be thousands.
    return (
        name if is_server and (port is None or (len(port) < 6 and int(port) <= MAX_PORT)) else None
    )


def ports(servers: DictionaryColumn) -> DictionaryColumn:
    """Return the JSON of `extra` for the ports behind virtual hosts, null without one."""
    if not len(servers.values):
        return servers
    tokens = servers.values.to_pylist()
    return _mapped(servers, [_port(token) for token in tokens])


def _port(token: str) -> str | None:
    port = split_port(token)[1]
    return (
        None if port is None or len(port) > 5 else encode_extra({"server_port": int(port)}, set())
    )


def method_of(token: str) -> str | None:
    """Return `token` if it is the method of a request."""
    request = read_request(f"{token} / HTTP/1.1")
    return token if request is not None and request.method == token else None


def scheme_of(origin: str) -> str | None:
    """Return the scheme of scheme and authority, None for a wide one."""
    scheme = split_target(origin).scheme or ""
    return scheme if len(scheme) <= (EVENTS.column("url_scheme").width or 0) else None


def portless_scheme_of(origin: str) -> str | None:
    """Return the scheme of scheme and authority, None for a wide one or beside a port."""
    return scheme_of(origin) if split_target(origin).port is None else None


def url_ports(origins: DictionaryColumn) -> npt.NDArray[np.int64]:
    """Return the port that each row's scheme and authority names, -1 without one."""
    ports = [split_target(origin).port for origin in origins.values.to_pylist()]
    return np.array([-1 if port is None else port for port in [*ports, None]])[origins.codes]


def is_bad_request(text: str) -> bool:
    """Return whether the request line `text`, as logged, is none."""
    return read_request(unescape(text)) is None


def bad_request_of(text: str) -> str | None:
    """Return the JSON of `extra` for a bad request line, None for a request."""
    return encode_extra({"request_line": text}, set()) if is_bad_request(text) else None


def list_of(text: str) -> str | None:
    """Return `text` if it is an address list that its column can hold."""
    fits = len(text) <= (EVENTS.column("forwarded_for").width or 0)
    return text if fits and is_address_list(text) else None


def host_of(origin: str) -> str | None:
    """Return the domain of scheme and authority, empty without one, None for a wide one."""
    domain = domain_of(origin) or ""
    fits = len(domain.encode()) <= (EVENTS.column("referrer_domain").width or 0)
    return domain if fits else None


def unescaped(texts: DictionaryColumn) -> DictionaryColumn:
    """Return `texts` as the reference parser undoes their escapes."""
    if not holds(texts.values, b"\\"):
        return texts
    return _mapped(texts, [unescape(text) for text in texts.values.to_pylist()])


def agent_of(text: str) -> str | None:
    """Return `text` unless it may be the referrer of a line with a field before that."""
    return None if is_absolute(text) else text


def tail_of(text: str) -> str | None:
    """Return the JSON of `extra` for what is behind the user agent; None when a column takes some.

    `text` begins behind a blank.
    """
    tail = read_tail(f" {text}", has_list=False)
    warnings: set[str] = set()
    json = encode_extra({"tail": tail.rest}, warnings)
    return None if warnings or tail.rest is None or tail != Tail(rest=tail.rest) else json
