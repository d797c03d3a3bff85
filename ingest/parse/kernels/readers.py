"""Fields of lines as the formats read them: requests, referrers, parameters, texts by rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.parse.kernels import rules, urls
from ingest.parse.kernels.columns import Codes, DictionaryColumn, Mask
from ingest.parse.kernels.parameters import as_words
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.words import Bytes, Flags, Positions

# Rows of tables by line are this much longer than needed, so that the items of one line do not all
# fall into the same set of the processor's cache.
PADDING: Final = 40

# Lines up to this long overflow no column, except those that are checked one by one.
LONGEST_LINE: Final = 4096
_VERSIONS = pa.array(urls.VERSIONS)

Span = tuple[Positions, Positions]


class Request(NamedTuple):
    """Where the parts of requests are; of a bad one only `odd` is not empty, and -1 its version.

    `parts` is the table that the kernel filled.
    """

    method: Span
    target: Span
    origin: Span
    path: Span
    query: Span
    odd: Span
    versions: Codes
    parts: npt.NDArray[np.uint32]

    def read(self, buffer: Bytes, span: Span, plain: Flags, first: int, after: int) -> None:
        """Fill in the requests at `span` of the lines [first, after)."""
        lines = np.uint64(first), np.uint64(after)
        urls.read_requests(buffer, *span, plain, self.parts, self.versions, *lines)


class Referrer(NamedTuple):
    """Where the parts of referrers are, and which are `sure` to be referrers, or not there."""

    origin: Span
    query: Span
    sure: Mask


def read_request(buffer: Bytes, span: Span, plain: Flags) -> Request:
    """Return the parts of the requests at `span`."""
    request = unread_request(span)
    request.read(buffer, span, plain, 0, plain.size)
    return request


def unread_request(span: Span) -> Request:
    """Return where the parts of the requests at `span` will be."""
    begins, _ = span
    size = begins.size
    parts = np.empty((urls.PARTS, size + PADDING), dtype=np.uint32)
    versions = np.empty(size, dtype=np.int32)
    rows = list(parts[:, :size])
    return Request(
        method=(begins, rows[urls.METHOD_STOP]),
        target=(rows[urls.TARGET], rows[urls.TARGET_STOP]),
        origin=(rows[urls.TARGET], rows[urls.ORIGIN_STOP]),
        path=(rows[urls.PATH], rows[urls.PATH_STOP]),
        query=(rows[urls.QUERY], rows[urls.QUERY_STOP]),
        odd=(begins, rows[urls.ODD_STOP]),
        versions=versions,
        parts=parts,
    )


def version_column(codes: Codes) -> DictionaryColumn:
    """Return the texts of `versions`."""
    return DictionaryColumn(codes, _VERSIONS)


def read_referrer(buffer: Bytes, span: Span, plain: Flags) -> Referrer:
    """Return the parts of the referrers at `span`."""
    begins, stops = span
    size = begins.size
    origin, query, end = np.empty((3, size + PADDING), dtype=np.uint32)[:, :size]
    sure = np.empty(size, dtype=np.uint8)
    urls.read_referrers(buffer, begins, stops, plain, origin, query, end, sure)
    return Referrer((begins, origin), (query, end), sure != 0)


def read_parameters(
    buffer: Bytes, plain: Flags, query: Span, referrer: Span, names: dict[str, str]
) -> dict[str, Span]:
    """Return where the values of the parameters `names` are, by column."""
    size = plain.size
    begins, stops = np.zeros((2, len(names), size + PADDING), dtype=np.uint32)
    urls.read_parameters(buffer, plain, *query, *referrer, as_words(*names.items()), begins, stops)
    return {name: (begins[i, :size], stops[i, :size]) for i, name in enumerate(names)}


class Encoder:
    """Makes dictionary columns of `rows`; `valid` are those whose texts all rules know."""

    def __init__(self, buffer: Bytes, rows: Positions) -> None:
        self._buffer = buffer
        self.rows = rows
        self.valid: Mask = np.ones(rows.size, dtype=np.bool_)

    def texts(self, span: Span) -> DictionaryColumn:
        """Return the texts at `span` as they are."""
        return encode(self._buffer, *span, self.rows)

    def asked(self, span: Span, rule: Callable[[str], str | None]) -> DictionaryColumn:
        """Return what `rule` makes of the texts at `span`; see `rules.ask`."""
        return self.ask(self.texts(span), rule)

    def ask(self, texts: DictionaryColumn, rule: Callable[[str], str | None]) -> DictionaryColumn:
        """Return what `rule` makes of `texts`; see `rules.ask`."""
        answers, known = rules.ask(texts, rule)
        self.valid &= known
        return answers

    def check(self, span: Span, rule: Callable[[str], object]) -> None:
        """Doubt the rows whose text at `span` does not pass `rule`; one that is not there does."""
        self.asked(span, lambda text: text if rule(text) else None)
