"""What a format of requests is to the generator, and the writer of its lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ingest.sample.lines import Meaning, Sheet, facts_of, shop_meaning
from ingest.sample.odd import OddLine, Place
from ingest.sample.requests import Request, requests
from ingest.sample.truth import Event, Facts
from ingest.sample.visits import Hits, Shop
from ingest.sample.vocabulary import PAGES, Page

# A number with as many digits does not fit 64 bits.
_MOST_DIGITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a format writes a request, and what a reader makes of it.

    `write` returns a line without its end. `found_as` is the format that its content shows; None
    = a source has to name it, with the `settings`. `head` are the lines before all others, and
    `head_codes` the verdicts on them. `means` and `lacks` are as for `facts_of`; `lacks` also names
    parts of a request that are not logged. `port` follows each client. `odd` returns lines of this
    format only; `shares_odd`: it has those of all formats too.
    """

    name: str
    write: Callable[[Request], str]
    odd: Callable[[Style], Iterable[OddLine]]
    found_as: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    head: tuple[str, ...] = ()
    head_codes: tuple[str, ...] = ()
    means: Callable[[Page], Meaning] = shop_meaning
    lacks: frozenset[str] = frozenset()
    port: str = ""
    shares_odd: bool = True

    def event(self, request: Request, **says: object) -> Event:
        """Return what the line of `request` says; `says` is what differs from what was sent."""
        meaning = self.means(request.page)
        sent = Event(
            session=request.session or None,
            client=request.client,
            url=request.path,
            action=meaning.action,
            status=int(request.status) if request.status.isdigit() else None,
            brand=request.product[1] if meaning.has_product else None,
            views=meaning.views,
            purchases=meaning.purchases,
            at=request.at,
            size=int(request.size) if len(request.size) < _MOST_DIGITS else None,
            campaign=_joined(request.campaign),
        )
        missing = dict.fromkeys(self.lacks & {"session", "client", "status", "campaign", "size"})
        return replace(sent, **{**says, **missing})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The usual line of a kind, on the way to odd ones: what was sent, and where they go."""

    kind: Kind
    place: Place
    request: Request

    @property
    def text(self) -> str:
        """The usual line."""
        return self.kind.write(self.request)

    def event(self, **says: object) -> Event:
        """Return what the usual line says, but for what `says` otherwise."""
        return self.kind.event(self.request, **says)

    def line(self, text: str, *codes: str, **says: object) -> OddLine:
        """Return another line that says the same, but for what `says` otherwise."""
        return OddLine(
            text=text,
            verdict="warn" if codes else "ok",
            codes=tuple(sorted(codes)),
            events=(self.event(**says),),
        )

    def swap(self, old: str, new: str, *codes: str, **says: object) -> OddLine:
        """Return the usual line with `new` in the place of `old`."""
        return self.line(self.swapped(old, new), *codes, **says)

    def swapped(self, old: str, new: str) -> str:
        """Return the text of the usual line with `new` in the place of `old`, which is there."""
        before, found, after = self.text.partition(old)
        assert found, (self.kind.name, old)  # noqa: S101  a line that tests nothing
        return f"{before}{new}{after}"


def _joined(campaign: tuple[str, str, str]) -> str | None:
    return "/".join(part or "-" for part in campaign) if any(campaign) else None


class RequestWriter:
    """The lines of a kind, in UTC, which is the shop's local time here."""

    codes: tuple[str, ...] = ()
    events_only = False
    line_end = "\n"

    def __init__(self, shop: Shop, kind: Kind) -> None:
        """`shop` is where the requests go."""
        self._shop = shop
        self._kind = kind
        self.source_format = kind.found_as or kind.name
        self.header = "".join(f"{line}\n" for line in kind.head)
        self.header_codes = kind.head_codes

    def lines(self, hits: Hits, sheet: Sheet) -> list[str]:
        """Return one line per hit."""
        return [f"{self._kind.write(request)}\n" for request in requests(self._shop, hits, sheet)]

    def facts(self, hits: Hits, sheet: Sheet) -> Facts:
        """Return what these lines state; the page is the URL of the views mart."""
        return facts_of(
            self._shop,
            hits,
            url=hits["page"],
            urls=[page.path for page in PAGES],
            at=hits["second"].astype(np.int64) + sheet.midnight,
            means=self._kind.means,
            lacks=self._kind.lacks,
        )
