"""Web requests that are logged in columns: URL, referrer, cookies, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ingest.parse.kernels import rules
from ingest.parse.kernels.columns import Mask
from ingest.parse.kernels.cut import cut
from ingest.parse.kernels.events import Columns, rows_without_path_session, shop_columns
from ingest.parse.kernels.parameters import SESSION, decoded
from ingest.parse.kernels.percent import decode_texts, split_paths
from ingest.parse.kernels.readers import PADDING, Span, read_parameters, read_referrer
from ingest.parse.kernels.split import NOT_PLAIN
from ingest.parse.kernels.texts import encode
from ingest.parse.kernels.words import Bytes, Flags, Positions
from ingest.parse.lines import READ_AHEAD
from ingest.parse.separated import Encoded, Role, Separated
from ingest.settings import ParseSettings

# In this order their texts are written one behind the other: path and query are the URL.
_COLUMNS: Final = {
    "url_path": Role.PATH,
    "url_query": Role.QUERY,
    "referrer": Role.REFERRER,
    "cookie": Role.COOKIE,
}
_SLASH: Final = ord("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What kernels read of requests: where its texts are in `texts`, with an item per line."""

    texts: Bytes
    spans: dict[Role, Span]
    query: Span
    origins: Span
    parameters: dict[str, Span]

    def columns(self, rows: Positions, settings: ParseSettings) -> tuple[Columns, Mask]:
        """Return the event columns of the lines `rows`, and which of them are right."""
        spans = {name: self.spans[role] for name, role in _COLUMNS.items() if role in self.spans}
        spans["url_original"] = (self.spans[Role.PATH][0], self.query[1])
        spans[SESSION] = self.parameters[SESSION]
        columns = {name: cut(self.texts, *span, rows) for name, span in spans.items()}
        domains, known = rules.ask(encode(self.texts, *self.origins, rows), rules.host_of)
        columns["referrer_domain"] = domains.column()
        columns |= shop_columns(
            {
                name: decoded(encode(self.texts, *span, rows), escapes=False)
                for name, span in self.parameters.items()
                if name != SESSION
            }
        )
        without = rows_without_session(columns, settings)
        if not settings.keep_cookie:
            columns.pop("cookie", None)
        return columns, without & known


def read_requests(
    buffer: Bytes,
    begins: npt.NDArray[np.uint32],
    stops: npt.NDArray[np.uint32],
    plain: Flags,
    layout: Separated,
    names: dict[str, str],
) -> Requests | None:
    """Return the requests of the lines, None when there is no column of paths.

    `names` are URL parameters by column. Lines with another target than a path are not `plain`.
    """
    slots = {role: slot for slot, role in layout.of(Role)}
    encoded = {reader.role: slot for slot, reader in layout.of(Encoded)}
    slots |= encoded
    if Role.PATH not in slots:
        return None
    roles = [role for role in _COLUMNS.values() if role in slots]
    size = plain.size
    if layout.path_has_query:
        path, asked = slots[Role.PATH], slots[Role.QUERY]
        split_paths(
            buffer, begins[path, :size], stops[path, :size], begins[asked, :size],
            stops[asked, :size], plain,
        )  # fmt: skip
    texts = np.empty(buffer.size + size + READ_AHEAD, dtype=np.uint8)
    text_begins, text_stops = np.empty((2, len(roles), size + PADDING), dtype=np.uint32)
    decode_texts(
        buffer, begins, stops,
        np.array([slots[role] for role in roles], dtype=np.uint32),
        np.array([role in encoded for role in roles], dtype=np.uint8),
        np.uint64(roles.index(Role.QUERY) if Role.QUERY in slots else len(roles)),
        plain, texts, text_begins, text_stops,
    )  # fmt: skip
    spans = {
        role: (text_begins[index, :size], text_stops[index, :size])
        for index, role in enumerate(roles)
    }
    begin, stop = spans[Role.PATH]
    plain[(begin == stop) | (texts[begin] != _SLASH)] = NOT_PLAIN
    query = spans.get(Role.QUERY, (stop, stop))
    referrer = read_referrer(texts, spans.get(Role.REFERRER, (stop, stop)), plain)
    return Requests(
        texts=texts,
        spans=spans,
        query=query,
        origins=referrer.origin,
        parameters=read_parameters(texts, plain, query, referrer.query, names),
    )


def rows_without_session(columns: Columns, settings: ParseSettings) -> Mask:
    """Return the rows of which neither path nor cookies may name a session."""
    without = rows_without_path_session(columns["url_path"], settings)
    mask = np.ones(len(columns["url_path"]), dtype=np.bool_) if without is None else without
    cookies = columns.get("cookie")
    if cookies is not None and cookies.null_count < len(cookies):
        found = pc.fill_null(pc.match_substring(cookies, settings.session_parameter), False)
        mask = mask & ~found.to_numpy(zero_copy_only=False)
    return mask
