"""Request lines, URLs and their parameters: sections 2.4 and 3.8 of the specification."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.parse.fields.addresses import MAX_PORT
from ingest.parse.fields.hexadecimal import MANY, undone
from ingest.parse.fields.possessive import P

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_PROTOCOL = re.compile(r" HTTP[/ ]([0-9](?:\.[0-9])?)\Z")
# The longest that _PROTOCOL can match: it is only tried on the end of the line.
_PROTOCOL_LENGTH = len(" HTTP/1.1")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,63})://")
# Text that may be a scheme, or a host in front of its port.
_BEFORE_COLON = re.compile(r"[^/?#:]*:")
_HOST_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?")
ENCODED = re.compile(rf"%[0-9A-Fa-f]{{2}}(?:%[0-9A-Fa-f]{{2}})*{P}")
# It cannot be stored by every engine, so it stays encoded, like bytes that are not UTF-8.
_NUL = "%00"
_HEX = re.compile(rb"%([0-9A-Fa-f]{2})")
# Of a query or cookie; no line that kernels read has as many.
MOST_PARAMETERS = 16_384
# Characters of a parameter that are decoded: its column is narrower than what they can stand for.
_LONGEST = 8192


@dataclass(frozen=True, slots=True)
class Request:
    """A readable request line. `version` is None when the line names none (HTTP/0.9)."""

    method: str
    target: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a target, page or referrer; None where there is none. `domain` is lower-case."""

    scheme: str | None = None
    domain: str | None = None
    port: int | None = None
    path: str | None = None
    query: str | None = None


NO_URL = Url()


def read_request(line: str) -> Request | None:
    """Return the request of the unescaped `line`, None when it is a bad request line."""
    method, blank, rest = line.partition(" ")
    if not blank or not is_method(method):
        return None
    # The space before HTTP may be the one after the method: then the target is empty.
    tail = line[-_PROTOCOL_LENGTH:]
    protocol = _PROTOCOL.search(tail)
    if protocol is not None:
        end = len(line) - len(tail) + protocol.start()
        target = line[len(method) : end].strip(" ")
        return None if target in ("", "-") else Request(method, target, protocol[1])
    if " " not in rest and (rest.startswith("/") or "://" in rest):
        return Request(method, rest, None)
    return None


def is_method(text: str) -> bool:
    """Return whether `text` can be the method of a request."""
    return text != "-" and _METHOD.fullmatch(text) is not None


def split_target(target: str, *, method: str | None = None) -> Url:
    """Return the parts of `target`; what is neither a path nor absolute has none.

    With the `method` of its request, a single word such as `show.do?a=b` is a path too.
    """
    if target.startswith("/"):
        return _split_path(target, 0)
    scheme = _SCHEME.match(target)
    if scheme is not None:
        authority = _before("/?#", target[scheme.end() :])
        domain, port = split_authority(authority)
        rest = _split_path(target, scheme.end() + len(authority))
        return Url(scheme[1].lower(), domain, port, rest.path or "/", rest.query)
    if method == "CONNECT":
        return _split_connect(target)
    is_relative = method is not None and target != "*" and " " not in target
    if is_relative and not _BEFORE_COLON.match(target):
        return _split_path(target, 0)
    return NO_URL


def _split_path(target: str, start: int) -> Url:
    path, _, query = _before("#", target[start:]).partition("?")
    return Url(path=path or None, query=query or None)


def _before(marks: str, text: str) -> str:
    """Return `text` up to the first of `marks`; a pattern takes ten times as long."""
    for mark in marks:
        text = text.partition(mark)[0]
    return text


def _split_connect(target: str) -> Url:
    domain, port = split_authority(target)
    return NO_URL if port is None else Url(domain=domain, port=port)


def split_authority(authority: str) -> tuple[str | None, int | None]:
    """Return (host in lower case without user info and brackets, port or None).

    Text after the last colon that is not a port stays part of the host.
    """
    host = authority.rpartition("@")[2]
    port = None
    match = _HOST_PORT.fullmatch(host)
    if match is not None and int(match[2] or 0) <= MAX_PORT:
        host, port = match[1], int(match[2]) if match[2] else None
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return host.lower() or None, port


def domain_of(url: str | None) -> str | None:
    """Return the host of an absolute `url` in lower case, None when it is not absolute."""
    return None if url is None else split_target(url).domain


def parameters(query: str | None) -> dict[str, str]:
    """Return the parameters of a query, decoded: the first of each name, unless it is empty."""
    if not query:
        return {}
    found: dict[str, str] = {}
    for part in dict.fromkeys(query.split("&", MOST_PARAMETERS)[:MOST_PARAMETERS]):
        name, _, text = part.partition("=")
        found.setdefault(name, text)
    return {name: decode(text[:_LONGEST]) for name, text in found.items() if text}


def decode(text: str) -> str:
    """Return `text` with `+` as a space and percent-decoded once; bad sequences stay."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        return decoded_bytes(text).decode().replace("\0", _NUL)
    except UnicodeDecodeError:
        return ENCODED.sub(_decoded, text)


def decoded_bytes(text: str) -> bytes:
    """Return `text` with each `%HH` as the byte that it is."""
    raw = text.encode()
    if raw.count(b"%") > MANY:
        return undone(raw, b"%")
    return _HEX.sub(lambda match: bytes.fromhex(match[1].decode()), raw)


def _decoded(match: re.Match[str]) -> str:
    sent = match[0]
    decoded = bytes.fromhex(sent.replace("%", "")).decode(errors="surrogateescape")
    if decoded.isascii():
        return decoded.replace("\0", _NUL)
    parts = []
    at = 0  # in `sent`, where a byte takes three characters
    for character in decoded:
        size = 3 if "\udc80" <= character <= "\udcff" else 3 * len(character.encode())
        bad = character == "\0" or "\udc80" <= character <= "\udcff"
        parts.append(sent[at : at + size] if bad else character)
        at += size
    return "".join(parts)
