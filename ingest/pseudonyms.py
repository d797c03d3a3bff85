"""Other names for clients, for people who may not show addresses: docs/operations/privacy.md.

The macros of `macros/pseudonyms.sql` follow the same rules, so that an index and the marts of every
engine name a client alike.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest.contract import EVENTS, Type
from ingest.errors import SettingsError

CLIENT_IP = "client_ip"
HASH, TRUNCATE = METHODS = ("hash", "truncate")
KEY_VARIABLE = "CLICKSTREAM_PSEUDONYM_KEY"
# A table of landing with one row.
KEYS_TABLE = "pseudonym_keys"
# 32 hexadecimal digits of chance; all IPv4 addresses are soon tried with a word of a dictionary.
_SHORTEST_KEY = 32
# Truncated, a host name would still be a name.
HIDDEN_NAME = "hidden"
# Shorter texts, such as ::1, are nobody's address and occur in other words.
SHORTEST_ADDRESS = len("1.1.1.1")
# Texts that the product writes itself, or that take one of a few values.
_NOT_SENT = frozenset({
    "event_id", "batch_id", "source_format", "source_file", "parse_status", "parse_warnings",
    "event_type", "http_method", "http_version", "url_scheme", "bytes_scope",
})  # fmt: skip
# These are hidden as a whole, or by a rule of their own.
_CLIENT = frozenset({"client_ip", "client_address", "forwarded_for", "extra", "cookie"})
# Texts that a client sends, or that hold what it sent: its own address is replaced in them.
SENT_TEXTS = tuple(
    column.name
    for column in EVENTS.columns
    if column.type is Type.STRING and column.name not in _NOT_SENT | _CLIENT
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the hash is made with, derived from the key of the environment, each 64 characters.

    `mark` tells one key from another without telling the key.
    """

    inner: str = field(repr=False)
    outer: str = field(repr=False)
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudonyms:
    """How clients are named; `keys` is None for the method `truncate`."""

    keys: Keys | None

    @property
    def mark(self) -> str:
        """What documents and marts must agree in: the method, and which key it uses."""
        return TRUNCATE if self.keys is None else f"{HASH} {self.keys.mark}"

    def name(self, ip: str | None, address: str | None) -> str | None:
        """Return the pseudonym of a client, None for an event without any.

        `ip` is its canonical address; where there is none, `address` is a host name or another
        text.
        """
        client = address if ip is None else ip
        if client is None:
            return None
        if self.keys is not None:
            return _hashed(client, self.keys)
        return HIDDEN_NAME if ip is None else truncated(ip)


def read_pseudonyms(
    pseudonymise: str | None, method: str, environ: Mapping[str, str]
) -> Pseudonyms | None:
    """Return how clients are named, None where `pseudonymise` is: under their addresses.

    Raises SettingsError when the hash has no key in `environ`, or one that can be guessed.
    """
    if pseudonymise is None:
        return None
    return Pseudonyms(keys=read_keys(environ) if method == HASH else None)


def read_mark(mark: str | None, environ: Mapping[str, str]) -> Pseudonyms | None:
    """Return the pseudonyms that have `mark`; raises SettingsError where `environ` has another key.

    What a plan decided holds for its tasks, wherever they run.
    """
    if mark is None:
        return None
    found = Pseudonyms(keys=None if mark == TRUNCATE else read_keys(environ))
    if found.mark != mark:
        raise SettingsError(
            f"{KEY_VARIABLE} of this process is another key than that of the export: set the same"
            " one on all machines"
        )
    return found


def read_keys(environ: Mapping[str, str]) -> Keys:
    """Return what is derived from the key in `environ`; raises SettingsError without a good one."""
    key = environ.get(KEY_VARIABLE, "").strip()
    if len(key) < _SHORTEST_KEY:
        wrong = "is too short" if key else "is not set"
        raise SettingsError(
            f"{KEY_VARIABLE} {wrong}, but addresses are to be hashed with it: set it to at least"
            f" {_SHORTEST_KEY} random characters, as `openssl rand -hex 32` prints them, and keep"
            " it: another key gives every client another name"
        )
    inner, outer, mark = (_derived(key, purpose) for purpose in ("inner", "outer", "mark"))
    return Keys(inner=inner, outer=outer, mark=mark[:12])


def _derived(key: str, purpose: str) -> str:
    return hmac.digest(key.encode(), f"clickstream {purpose}".encode(), "sha256").hex()


def _hashed(client: str, keys: Keys) -> str:
    """Return an IPv6 address out of fd00::/8, which belongs to nobody, with 92 bits of the hash.

    It is HMAC with digests as text, which is all that SQL can do. The first digit of each later
    group is `a`, so that nothing in the address can be shortened: all write it in the same way.
    """
    inner = hashlib.sha256((keys.inner + client).encode()).hexdigest()
    digits = hashlib.sha256((keys.outer + inner).encode()).hexdigest()
    return ":a".join([f"fd{digits[:2]}", *(digits[i : i + 3] for i in range(2, 23, 3))])


def truncated(ip: str) -> str:
    """Return the network of a canonical address: at most 24 bits of IPv4, 48 of IPv6."""
    if ":" not in ip:
        return ip.rpartition(".")[0] + ".0"
    # What `::` replaces is zeros, at least two groups of them.
    groups = ip.partition("::")[0].split(":")[:3]
    return re.sub("(:0)+$", "", ":".join(groups)) + "::"
