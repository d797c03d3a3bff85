"""Combined access-log lines of a small shop: seeded, so every run measures the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2024, 3, 3, tzinfo=UTC)
LINES_PER_SECOND = 20
SITE = "https://shop.example"
_CHUNK = 10_000
_ONLINE = 500  # visitors at a time
_VISIT = 12  # requests on average
_ACTIONS = ("view", "view", "view", "addtocart", "addtocart", "purchase", "remove")
_ENTRIES = ("-", "-", "https://www.search.example/", "https://news.example/today?id=7")
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:{}.0) Gecko/20100101 Firefox/118.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/115.0",
    "Mozilla/5.0 (compatible; Examplebot/2.{}; +http://bot.example/about.html)",
)
_WORDS = ("red", "light", "wide", "steel", "trail")
_SHELVES = ("shoes", "tents", "phones", "lamps")


@dataclass(slots=True)
class _Visitor:
    client: str
    agent: str
    session: str
    referrer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request; `agent` and `referrer` are as a web server writes them in quotes."""

    number: int
    at: datetime
    client: str
    agent: str
    referrer: str
    target: str
    status: int
    size: int

    @property
    def mixed(self) -> int:
        """A number of 32 bits that looks random, the same for the same visit."""
        return self.number * 2_654_435_761 % (1 << 32)


def combined(visit: Visit) -> str:
    """Return the combined line of `visit`."""
    return (
        f"{visit.client} - - [{visit.at:%d/%b/%Y:%H:%M:%S} +0000] "
        f'"GET {visit.target} HTTP/1.1" {visit.status} {visit.size} "{visit.referrer}" '
        f'"{visit.agent}"\n'
    )


def write_lines(
    path: Path,
    *,
    lines: int,
    seed: int = 1,
    written: Callable[[Visit], str] = combined,
    head: str = "",
) -> None:
    """Write `head` and `lines` lines to `path`, each as `written` returns it.

    3 in 10 are shop actions with ids in the URL, 1 in 50 has campaign parameters, 1 in 500 has
    escaped quotes in the agent.
    """
    rng = random.Random(seed)  # noqa: S311  not for secrets
    pages = _pages(rng)
    online = [_visitor(rng) for _ in range(_ONLINE)]
    with path.open("w", encoding="ascii") as file:
        file.write(head)
        for first in range(0, lines, _CHUNK):
            numbers = range(first, min(first + _CHUNK, lines))
            file.writelines(written(_visit(rng, number, online, pages)) for number in numbers)


def _pages(rng: random.Random) -> list[str]:
    return [
        f"/shop/{rng.choice(_SHELVES)}/{rng.randint(1, 999)}"
        f"/{'-'.join(rng.choices(_WORDS, k=2))}.html"
        for _ in range(5_000)
    ]


def _visitor(rng: random.Random) -> _Visitor:
    agent = rng.choice(_AGENTS).format(rng.randrange(60))
    return _Visitor(
        client=".".join(str(rng.randint(1, 254)) for _ in range(4)),
        agent=f'{agent} \\"beta\\"' if rng.random() < 0.002 else agent,
        session=f"SD{rng.randrange(10**9)}SL",
        referrer=rng.choice(_ENTRIES),
    )


def _visit(rng: random.Random, number: int, online: list[_Visitor], pages: list[str]) -> Visit:
    place = rng.randrange(_ONLINE)
    if not rng.randrange(_VISIT):
        online[place] = _visitor(rng)
    visitor = online[place]
    target = _target(rng, visitor, pages)
    visit = Visit(
        number=number,
        at=START + timedelta(seconds=number // LINES_PER_SECOND),
        client=visitor.client,
        agent=visitor.agent,
        referrer=visitor.referrer,
        target=target,
        status=rng.choices((200, 304, 404, 503), (90, 5, 4, 1))[0],
        size=rng.randint(200, 90_000),
    )
    visitor.referrer = f"{SITE}{target.partition('?')[0]}"
    return visit


def _target(rng: random.Random, visitor: _Visitor, pages: list[str]) -> str:
    kind = rng.random()
    if kind < 0.3:
        return (
            f"/cart.do?action={rng.choice(_ACTIONS)}&itemId=EST-{rng.randint(1, 40)}"
            f"&productId=FX-AB-{rng.randint(1, 99)}&JSESSIONID={visitor.session}"
        )
    page = rng.choice(pages)
    if kind < 0.32:
        return f"{page}?utm_source=news&utm_medium=mail&utm_campaign=spring"
    return page if kind < 0.9 else f"{page}?size={rng.randint(30, 50)}&colour=red"
