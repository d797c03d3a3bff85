"""Draws who did what and when: sessions of visitors that walk through the shop, and bots.

Everything is drawn from `Generator.random` over PCG64 only, so the same seed gives the same
bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.sample.vocabulary import (
    AGENTS,
    BOT_AGENTS,
    BOT_PAGES,
    CAMPAIGNS,
    CATEGORIES,
    EXTERNAL_REFERRERS,
    FIRST,
    NEXT,
    PAGES,
    STATUSES,
    USERS,
    Catalog,
)

# One hit. `session` is a number within the file, -1 for bots; `visitor` an index into
# Shop.visitors; `page`, `came_from` (-1 = first hit) into PAGES; `second` counts from local
# midnight; `external` and `campaign` are -1 where the hit has none.
HIT = np.dtype(
    [
        ("session", np.int32),
        ("visitor", np.int32),
        ("page", np.int8),
        ("came_from", np.int8),
        ("item", np.int16),
        ("product", np.int16),
        ("category", np.int8),
        ("second", np.int32),
        ("status", np.int8),
        ("size", np.int32),
        ("other", np.int16),
        ("external", np.int8),
        ("campaign", np.int8),
    ]
)
Hits = npt.NDArray[np.void]

SECONDS_OF_DAY = 86_400
# Hits per hour of the day, relative.
DAY_CURVE = (3, 2, 1, 1, 1, 2, 4, 7, 10, 12, 13, 14, 14, 13, 13, 13, 14, 15, 17, 19, 18, 14, 9, 5)
BOT_SHARE = 0.08
BOTS = 12
VISITORS_AT_LEAST, VISITORS_AT_MOST = 30, 20_000
HITS_PER_VISITOR = 40
MEAN_GAP_SECONDS, MAX_GAP_SECONDS = 25, 600
MAX_STEPS = 40
SHOP_PAGES = np.array([page.views is not None for page in PAGES])
PRODUCT_PAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """One client: its canonical address, its user (or `-`) and its user agent."""

    ip: str
    user: str
    agent: str
    is_bot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The catalogue and everybody who may come; the bots come last."""

    catalog: Catalog
    visitors: tuple[Visitor, ...]

    @property
    def people(self) -> int:
        """How many of the visitors are not bots."""
        return len(self.visitors) - BOTS


def open_shop(catalog: Catalog, *, lines: int, seed: int) -> Shop:
    """Return the shop that about `lines` hits go to."""
    people = min(max(lines // HITS_PER_VISITOR, VISITORS_AT_LEAST), VISITORS_AT_MOST)
    visitors = [_person(index, seed) for index in range(people)]
    bots = [
        Visitor(
            ip=f"192.0.2.{10 + n}", user="-", agent=BOT_AGENTS[n % len(BOT_AGENTS)], is_bot=True
        )
        for n in range(BOTS)
    ]
    return Shop(catalog=catalog, visitors=(*visitors, *bots))


def _person(index: int, seed: int) -> Visitor:
    number = (index * 7919 + seed * 104_729) % (1 << 17)
    ip = f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
    if index % 12 == 5:
        ip = f"2001:db8:{number % 65_535 + 1:x}:{index % 65_535 + 1:x}::{index % 255 + 1:x}"
    user = USERS[index % len(USERS)] if index % 31 == 7 else "-"
    return Visitor(ip=ip, user=user, agent=AGENTS[index % len(AGENTS)], is_bot=False)


def draw_hits(
    shop: Shop,
    rng: np.random.Generator,
    *,
    count: int,
    window: tuple[int, int],
    events_only: bool,
) -> Hits:
    """Return exactly `count` hits of the seconds [window) of one day, sorted by time.

    `events_only` leaves out bots and all hits that are not shop events. Session numbers start
    at 0 and have no gaps larger than the sessions that the cut left out.
    """
    bots = 0 if events_only else int(count * BOT_SHARE)
    people = _people_hits(shop, rng, count=count - bots, window=window, events_only=events_only)
    hits = np.concatenate([people, _bot_hits(shop, rng, count=bots, window=window)])
    hits = hits[np.argsort(hits["second"], kind="stable")]
    _draw_answers(hits, rng)
    return hits


def _people_hits(
    shop: Shop,
    rng: np.random.Generator,
    *,
    count: int,
    window: tuple[int, int],
    events_only: bool,
) -> Hits:
    parts: list[Hits] = []
    sessions = missing = 0
    missing = count
    while missing > 0:
        batch = max(16, missing // 4)
        hits = _walk(shop, rng, sessions=batch, window=window)
        hits["session"] += sessions
        sessions += batch
        if events_only:
            hits = hits[SHOP_PAGES[hits["page"]]]
        parts.append(hits[:missing])
        missing -= len(parts[-1])
    return np.concatenate(parts) if parts else np.zeros(0, HIT)


def _walk(shop: Shop, rng: np.random.Generator, *, sessions: int, window: tuple[int, int]) -> Hits:
    """Return all hits of `sessions` whole sessions, session after session."""
    now = _first_hits(shop, rng, sessions, window)
    steps = []
    for _ in range(MAX_STEPS):
        steps.append(now)
        now = _next_hits(shop, rng, now)
        if len(now) == 0:
            break
    hits = np.concatenate(steps)
    hits["second"] = np.minimum(hits["second"], window[1] - 1)
    walked: Hits = hits[np.argsort(hits["session"], kind="stable")]
    return walked


def _first_hits(shop: Shop, rng: np.random.Generator, count: int, window: tuple[int, int]) -> Hits:
    hits = np.zeros(count, HIT)
    hits["session"] = np.arange(count)
    # Squared: a few visitors come very often, as in real logs.
    hits["visitor"] = (rng.random(count) ** 2 * shop.people).astype(np.int32)
    hits["page"] = _pick(FIRST, rng.random(count))
    hits["came_from"] = -1
    hits["second"] = _seconds(rng.random(count), window)
    hits["category"] = (rng.random(count) * len(CATEGORIES)).astype(np.int8)
    _draw_goods(shop, rng, hits, np.ones(count, bool))
    arrived = rng.random(count)
    hits["external"] = np.where(
        arrived < 0.6, (rng.random(count) * len(EXTERNAL_REFERRERS)).astype(np.int8), -1
    )
    hits["campaign"] = np.where(
        arrived < 0.2, (rng.random(count) * len(CAMPAIGNS)).astype(np.int8), -1
    )
    return hits


def _next_hits(shop: Shop, rng: np.random.Generator, now: Hits) -> Hits:
    chances = np.cumsum(NEXT, axis=1)[now["page"]]
    page = (chances <= rng.random(len(now))[:, None]).sum(axis=1)
    stays = page < len(FIRST)
    hits: Hits = now[stays]
    hits["came_from"] = hits["page"]
    hits["page"] = page[stays]
    gap = -np.log1p(-rng.random(len(hits))) * MEAN_GAP_SECONDS
    hits["second"] += 1 + np.minimum(gap, MAX_GAP_SECONDS).astype(np.int32)
    hits["external"] = hits["campaign"] = -1
    browses = (hits["page"] == PRODUCT_PAGE) & (rng.random(len(hits)) < 0.6)
    _draw_goods(shop, rng, hits, browses)
    return hits


def _draw_goods(
    shop: Shop, rng: np.random.Generator, hits: Hits, where: npt.NDArray[np.bool_]
) -> None:
    # The first of the catalogue sell best: weights 1, 1/2, 1/3 ... softened.
    for name, goods in (("item", shop.catalog.items), ("product", shop.catalog.products)):
        weights = [1 / (rank + 4) for rank in range(len(goods))]
        hits[name] = np.where(where, _pick(weights, rng.random(len(hits))), hits[name])


def _bot_hits(shop: Shop, rng: np.random.Generator, *, count: int, window: tuple[int, int]) -> Hits:
    hits = np.zeros(count, HIT)
    hits["session"] = hits["external"] = hits["campaign"] = -1
    hits["came_from"] = -1
    hits["visitor"] = shop.people + (rng.random(count) * BOTS).astype(np.int32)
    hits["page"] = np.array(BOT_PAGES)[(rng.random(count) * len(BOT_PAGES)).astype(np.int8)]
    hits["second"] = _seconds(rng.random(count), window)
    hits["category"] = (rng.random(count) * len(CATEGORIES)).astype(np.int8)
    _draw_goods(shop, rng, hits, np.ones(count, bool))
    return hits


def _draw_answers(hits: Hits, rng: np.random.Generator) -> None:
    """Fill in what the server answered."""
    hits["status"] = _pick([weight for _, _, weight in STATUSES], rng.random(len(hits)))
    hits["size"] = 200 + (rng.random(len(hits)) * 3800).astype(np.int32)
    hits["other"] = 1 + (rng.random(len(hits)) * 999).astype(np.int16)


def _pick(weights: Sequence[float], drawn: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return an index into `weights` for each number of [0, 1)."""
    edges = np.cumsum(weights)
    # Below 1 a product with the last edge may still be rounded up to it.
    drawn = np.minimum(drawn * edges[-1], np.nextafter(edges[-1], 0))
    return np.searchsorted(edges, drawn, side="right").astype(np.int64)


def _seconds(drawn: npt.NDArray[np.float64], window: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return seconds of the day in [window) that follow the curve of the day."""
    edges = np.concatenate([[0.0], np.cumsum(DAY_CURVE)])
    hours = np.arange(25) * 3600.0
    low, high = np.interp(window, hours, edges)
    seconds = np.interp(low + drawn * (high - low), edges, hours).astype(np.int64)
    inside: npt.NDArray[np.int64] = np.clip(seconds, window[0], window[1] - 1)
    return inside
