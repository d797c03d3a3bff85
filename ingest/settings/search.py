"""The table `[search]`: where documents go, and what they show."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ingest.pseudonyms import CLIENT_IP, HASH, METHODS
from ingest.settings.excluded import wrong_names
from ingest.settings.values import Table

# What the search server may be.
AUTO, ELASTICSEARCH, OPENSEARCH = _PRODUCTS = ("auto", "elasticsearch", "opensearch")
# The products by the names that messages use.
TITLES = {ELASTICSEARCH: "Elasticsearch", OPENSEARCH: "OpenSearch"}
# The address that means that nothing is exported.
OFF = "off"
_ADDRESS = re.compile(r"https?://[^/\s?#]+(/[^\s?#]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The search hop. `url` None = the local search server, "off" = the hop is skipped.

    With the `product` AUTO the server is asked what it is. `layout` is single or monthly;
    `keep_months` 0 keeps all months. `replicas` None = as many as the cluster has room for, at
    most one; `compress` sends gzip.
    `exclude` are columns that documents leave out, `private_keys` keys of `extra`; `pseudonymise`
    names what they show under another name, None = nothing, and `pseudonym_method` says how.
    """

    url: str | None = None
    product: str = AUTO
    index: str = "clickstream_data"
    layout: str = "single"
    keep_months: int = 0
    shards: int = 1
    replicas: int | None = None
    writers: int = 2
    body_mib: int = 5
    compress: bool = False
    deadline_seconds: int = 300
    max_dead: int = 0
    size: str = "small"
    exclude: tuple[str, ...] = ()
    private_keys: tuple[str, ...] = ()
    pseudonymise: str | None = None
    pseudonym_method: str = HASH


def read_search(table: Table, given: Mapping[str, str]) -> SearchSettings:
    """Read the table `[search]`, and what `given` sets of it."""
    usual = SearchSettings()
    cores = min(8, os.cpu_count() or 1)
    url, index = table.text("url"), table.text("index")
    search = SearchSettings(
        url=given.get("ES_URL") or url,
        index=given.get("ES_INDEX") or index or usual.index,
        layout=table.choice("layout", ("single", "monthly")) or usual.layout,
        keep_months=table.whole("keep_months", usual.keep_months, least=0, most=1_200),
        product=table.choice("product", _PRODUCTS) or usual.product,
        shards=table.whole("shards", usual.shards, least=1, most=1024),
        replicas=table.whole_or_auto("replicas", least=0, most=5),
        writers=table.whole("writers", cores, least=1, most=64),
        body_mib=table.whole("body_mib", usual.body_mib, least=1, most=10),
        compress=table.flag("compress", default=usual.compress),
        deadline_seconds=table.whole(
            "deadline_seconds", usual.deadline_seconds, least=1, most=86_400
        ),
        max_dead=table.whole("max_dead", usual.max_dead, least=0, most=1_000_000_000),
        size=table.choice("size", ("small", "large")) or usual.size,
        exclude=table.texts("exclude", least=0) or (),
        private_keys=table.texts("private_keys", least=0) or (),
        pseudonymise=table.text("pseudonymise", fits=CLIENT_IP.__eq__, wanted=repr(CLIENT_IP)),
        pseudonym_method=table.choice("pseudonym_method", METHODS) or usual.pseudonym_method,
    )
    table.problems.extend(_problems_of(search))
    return search


def _problems_of(search: SearchSettings) -> Iterator[str]:
    index = f"ES_INDEX / search.index = {search.index!r}"
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,200}", search.index):
        yield (
            f"{index}: an index name has lower-case letters, digits and . _ -, at most 201 of them,"
            " and begins with a letter or digit"
        )
    if re.match(r"(logs|metrics|traces)-.+-", search.index):
        yield (
            f"{index}: Elasticsearch keeps names like logs-*-*, metrics-*-* and traces-*-* for data"
            " streams; choose another"
        )
    if wrong := wrong_names(search.exclude):
        yield f"search.exclude: {wrong}"
    for key in search.private_keys:
        if not re.fullmatch(r"[\x21-\x7e]+", key):
            yield f"search.private_keys: {key!r} must be printable ASCII without blanks"
    if search.keep_months and search.layout != "monthly":
        yield 'search.keep_months needs search.layout = "monthly": a single index keeps all events'
    if search.url and search.url != OFF and not _is_address(search.url):
        # The address may hold a password: it is not shown.
        yield (
            "ES_URL / search.url must be http(s)://host[:port], or off; a path only where a proxy"
            " adds one; no query or fragment (in a password, ? is %3F, # is %23 and / is %2F)"
        )


def _is_address(url: str) -> bool:
    if not _ADDRESS.fullmatch(url):
        return False
    try:
        host, port = urlsplit(url).hostname, urlsplit(url).port
    except ValueError:
        return False
    # What a name's labels may be; the client answers to others as if they were a bug.
    return bool(host) and port != 0 and all(0 < len(one) < 64 for one in str(host).split("."))
