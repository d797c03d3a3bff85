"""What comes before the time in a line of the grammar `access` (section 4.2, access prefix)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.parse.fields.addresses import Client, choose_client, read_address, read_client
from ingest.parse.fields.text import QUOTED, unescape, value

_QUOTED_LIST = re.compile(QUOTED + r"(?![^ ]) *+", re.DOTALL)
_BARE_LIST = re.compile(r"([^ ,]++(?: *+,[ ,]*+[^ ,]++)++) *+")
_THREE_TOKENS = re.compile(r"([^ ]++) ++[^ ]++ ++[^ ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The parts of a prefix; None where one was not logged.

    `forwarded_for` is an address list as sent, `peer` the address that followed it.
    `server_port` is digits.
    """

    client: Client
    ident: str | None
    user: str | None
    forwarded_for: str | None = None
    peer: str | None = None
    server: str | None = None
    server_port: str | None = None


def read_prefix(text: str) -> Prefix | None:
    """Return the parts of `text` (no outer blanks), None when it does not look like a prefix."""
    if not text:
        return None
    if text.startswith('"'):
        quoted = _QUOTED_LIST.match(text)
        return None if quoted is None else _after_list(unescape(quoted[1]), text[quoted.end() :])
    bare = _BARE_LIST.match(text)
    if bare is not None:
        return _after_list(bare[1], text[bare.end() :])
    return _after_vhost(text)


def _after_list(sent: str, rest: str) -> Prefix:
    peer, after = _token(rest)
    if read_address(peer) is None:
        peer, after = "", rest
    ident, user = _ident_and_user(after)
    return Prefix(
        client=choose_client(sent),
        ident=ident,
        user=user,
        forwarded_for=value(sent),
        peer=peer or None,
    )


def _after_vhost(text: str) -> Prefix:
    host, rest = _token(text)
    server = port = None
    if _is_vhost(host, rest):
        server, port = _split_vhost(host)
        host, rest = _token(rest)
    ident, user = _ident_and_user(rest)
    return Prefix(client=read_client(host), ident=ident, user=user, server=server, server_port=port)


def _is_vhost(first: str, rest: str) -> bool:
    """Return whether `first` is a virtual host and not the client, judged by what follows."""
    tokens = _THREE_TOKENS.match(rest)
    if tokens is None or tokens[1] == "-":
        return False
    if read_address(tokens[1]) is not None:
        return True
    return _split_port(first)[1] is not None and read_address(first) is None


def _split_vhost(token: str) -> tuple[str | None, str | None]:
    """Return (name without brackets, digits of its port or None)."""
    address = read_address(token)
    bare = address is not None and address.port is None
    name, port = (token, None) if bare else _split_port(token)
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    return value(name), port


def _split_port(token: str) -> tuple[str, str | None]:
    name, _, port = token.rpartition(":")
    return (name, port) if port.isascii() and port.isdigit() and name else (token, None)


def _token(text: str) -> tuple[str, str]:
    """Return (text up to the first blank, what follows without leading blanks)."""
    first, _, rest = text.partition(" ")
    return first, rest.lstrip(" ")


def _ident_and_user(text: str) -> tuple[str | None, str | None]:
    ident, user = _token(text)
    return _name(ident), _name(user)


def _name(text: str) -> str | None:
    return None if text in ('""', '"-"') else value(unescape(text))
