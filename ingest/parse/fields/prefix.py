"""What comes before the time in a line of the grammar `access`: sections 4.2 and 7.2 to 7.4."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from ingest.parse.fields.addresses import (
    Client,
    choose_client,
    is_address_list,
    is_dotted_host,
    is_host_name,
    read_address,
    read_client,
    split_port,
)
from ingest.parse.fields.extra import MOST_SURPLUS
from ingest.parse.fields.possessive import P
from ingest.parse.fields.quotes import closing_quote
from ingest.parse.fields.text import unescape, value

_BARE_LIST = re.compile(rf"([^ ,]+{P}(?: *{P},[ ,]*{P}[^ ,]+{P})+{P}) *")
_SHORT = 128  # longer prefixes stay out of the cache
_NOTHING = frozenset(("", "-", '""', '"-"'))
_CLOSING = {"(": ")", "[": "]"}
_ARROW = "-> "
_EDGES = "()[],"
# What no ident holds: there it belongs to a field that the grammar does not know.
_NO_IDENT = re.compile(r"[\[\]()]|->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The parts of a prefix; None where one was not logged.

    `forwarded_for` is an address list as sent; `from_list` says that the client was chosen from
    it. `peer` is the address on the other end. `server_port` is digits. `unplaced` is text that
    no rule places.
    """

    client: Client
    ident: str | None = None
    user: str | None = None
    forwarded_for: str | None = None
    from_list: bool = False
    peer: str | None = None
    server: str | None = None
    server_port: str | None = None
    unplaced: str | None = None


def read_prefix(text: str) -> Prefix | None:
    """Return the parts of `text` (no outer spaces), None when it has not the shape of a prefix.

    That includes text that leaves in doubt who the client is.
    """
    return _read_short(text) if len(text) <= _SHORT else _read(text)


def _read(text: str) -> Prefix | None:
    if not text:
        return None
    if text.startswith('"'):
        return _after_quote(text)
    bare = _BARE_LIST.match(text)
    if bare is not None:
        return _with_list(bare[1], text[bare.end() :])
    first, rest = _token(text)
    if _is_vhost(first, rest):
        return _with_server(_after_vhost(rest), first)
    if read_address(_token(rest)[0]) is not None and rest.count(" ") >= 2:
        prefix = _after_client(*_token(rest))
        return prefix and replace(prefix, unplaced=_joined(first, prefix.unplaced))
    return _after_client(first, rest)


# The same few clients send most of the lines of a log.
_read_short = lru_cache(maxsize=4096)(_read)


def _after_quote(text: str) -> Prefix | None:
    """Read a quoted address list, or a quoted virtual host in front of an address."""
    closing = closing_quote(text, 1)
    if closing < 0 or text[closing + 1 : closing + 2] not in ("", " "):
        return None
    sent, rest = text[1:closing], text[closing + 1 :].lstrip(" ")
    if is_dotted_host(split_port(sent)[0]) and read_address(_token(rest)[0]) is not None:
        return _with_server(_after_client(*_token(rest)), sent)
    return _with_list(unescape(sent), rest)


def _after_list(text: str) -> Prefix | None:
    bare = _BARE_LIST.match(text)
    return None if bare is None else _with_list(bare[1], text[bare.end() :])


def _with_list(sent: str, rest: str) -> Prefix | None:
    """Return the prefix whose client is to be chosen from the list `sent`."""
    peer, after = _token(rest)
    if read_address(peer) is None:
        peer, after = "", rest
    prefix = Prefix(
        client=choose_client(sent), forwarded_for=value(sent), from_list=True, peer=peer or None
    )
    return _with_vhost_behind(prefix, after)


def _is_vhost(first: str, rest: str) -> bool:
    """Return whether `first` is a virtual host and not the client, judged by what follows."""
    name, port = split_port(first)
    if not _can_be_vhost(first) or rest.count(" ") < 2:
        return False
    second, after = _token(rest)
    third, last = _token(after)
    if read_address(second) is not None or _starts_with_list(rest):
        return bool(last)
    is_client = read_address(first) is not None or first == "unix:"
    if is_client or not last:
        return False
    if port is not None and second != "-":
        return True
    if third in _NOTHING:
        return second in _NOTHING or is_host_name(second)
    return " " not in last and is_dotted_host(name) and is_dotted_host(second)


def _can_be_vhost(token: str) -> bool:
    name, _ = split_port(token)
    is_bracketed = name.startswith("[") and name.endswith("]")
    is_name = is_host_name(name) or name in ("_", "-")
    return is_name or is_bracketed or read_address(token) is not None


def _starts_with_list(text: str) -> bool:
    if text.startswith('"'):
        return is_address_list(text[1 : max(closing_quote(text, 1), 1)])
    bare = _BARE_LIST.match(text)
    return bare is not None and is_address_list(bare[1])


def _after_vhost(rest: str) -> Prefix | None:
    if rest.startswith('"'):
        return _after_quote(rest)
    return _after_list(rest) if _starts_with_list(rest) else _after_client(*_token(rest))


def _with_server(prefix: Prefix | None, token: str) -> Prefix | None:
    """Return `prefix` with the virtual host `token` in front; another behind is unplaced."""
    if prefix is None:
        return None
    server, port = _split_vhost(token)
    other = ":".join(part for part in (prefix.server, prefix.server_port) if part)
    return replace(
        prefix, server=server, server_port=port, unplaced=_joined(other, prefix.unplaced) or None
    )


def _split_vhost(token: str) -> tuple[str | None, str | None]:
    """Return (name without brackets, digits of its port or None)."""
    address = read_address(token)
    bare = address is not None and address.port is None
    name, port = (token, None) if bare else split_port(token)
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    return value(name), port


def _after_client(token: str, rest: str) -> Prefix | None:
    """Read what follows the client: addresses, a virtual host, ident and user."""
    prefix = Prefix(client=read_client(token))
    if rest.startswith("- ["):
        return _with_ingress(prefix, rest)
    if rest.startswith(_ARROW):
        return _with_arrow(prefix, rest)
    if rest[:1] in _CLOSING:
        inner, after = _bracketed(rest)
        if inner in _NOTHING or is_address_list(inner):
            return _with_user(_with_peers(prefix, inner, single_is_peer=rest[0] == "["), after)
    return _with_vhost_behind(prefix, rest)


def _with_vhost_behind(prefix: Prefix, rest: str) -> Prefix | None:
    second, after = _token(rest)
    name, port = split_port(second)
    if prefix.client.ip is None or not is_dotted_host(name):
        return _with_user(prefix, rest)
    # lighttpd writes no ident behind its virtual host.
    ident_and_user = after if " " in after else f"- {after}"
    return _with_user(replace(prefix, server=name, server_port=port), ident_and_user)


def _bracketed(text: str) -> tuple[str, str]:
    """Return (the text in the brackets that open `text`, what follows without leading spaces)."""
    inner, closing, rest = text[1:].partition(_CLOSING[text[0]])
    return (inner, rest.lstrip(" ")) if closing and rest[:1] in ("", " ") else (text, "")


def _with_ingress(prefix: Prefix, rest: str) -> Prefix | None:
    """Read ` - [addresses] - user`, as ingress-nginx wrote it until 0.26."""
    inner, after = _bracketed(rest.removeprefix("- "))
    if after != "-" and not after.startswith("- "):
        return _with_user(prefix, rest)
    if inner in _NOTHING or is_address_list(inner):
        prefix = _with_peers(prefix, inner, single_is_peer=True)
    else:
        prefix = replace(prefix, unplaced=f"[{inner}]")
    return _with_user(prefix, after)


def _with_peers(prefix: Prefix, inner: str, *, single_is_peer: bool) -> Prefix:
    """Return `prefix` with the addresses behind its client, which may repeat it."""
    sent = value(inner.strip(" "))
    if sent is None or sent in _NOTHING:
        return prefix
    if "," in sent or not single_is_peer:
        return replace(prefix, forwarded_for=sent)
    is_client = read_address(sent) == read_address(prefix.client.address or "")
    return prefix if is_client else replace(prefix, peer=sent)


def _with_arrow(prefix: Prefix, rest: str) -> Prefix | None:
    after = rest.removeprefix(_ARROW).lstrip(" ")
    bare = _BARE_LIST.match(after)
    sent, after = (bare[1], after[bare.end() :]) if bare else _token(after)
    if not is_address_list(sent):
        return None
    return _with_user(replace(prefix, forwarded_for=sent), after)


def _with_user(prefix: Prefix, text: str) -> Prefix | None:
    """Return `prefix` with ident and user; what cannot be either is unplaced.

    None when the client is not beyond doubt then.
    """
    ident, user = _token(text)
    unplaced = []
    if _NO_IDENT.search(ident):
        unplaced.append(ident)
        ident, user = _token(user)
    if not is_user(user):
        unplaced.append(user.removeprefix("- "))
        user = ""
    if prefix.client.ip is None and (unplaced or _leaves_doubt(ident, user)):
        return None
    if read_address(ident) is not None:
        return None
    return replace(
        prefix,
        ident=_name(ident),
        user=_name(user),
        unplaced=_joined(prefix.unplaced, *unplaced) or None,
    )


def _leaves_doubt(ident: str, user: str) -> bool:
    """Return whether the client may be `ident`, and what looks like it something before it."""
    return is_dotted_host(ident) or (ident not in _NOTHING and " " in user)


def is_user(text: str) -> bool:
    """Return whether `text` is a user, or none; a `-` at either end is a field of its own."""
    if text.startswith("- ") or text.endswith(" -") or text.count(" ") > MOST_SURPLUS:
        return False
    if "." not in text and ":" not in text:
        return True
    return all(read_address(word.strip(_EDGES)) is None for word in text.split(" "))


def _joined(*texts: str | None) -> str:
    return " ".join(text for text in texts if text)


def _token(text: str) -> tuple[str, str]:
    """Return (text up to the first space, what follows without leading spaces)."""
    first, _, rest = text.partition(" ")
    return first, rest.lstrip(" ")


def _name(text: str) -> str | None:
    return None if text in _NOTHING else value(unescape(text))
