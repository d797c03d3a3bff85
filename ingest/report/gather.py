"""Queries the warehouse for the figures: small aggregates of the marts, never single events."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ingest.contract import SHOP_ACTIONS
from ingest.errors import ClickstreamError
from ingest.lake.refused import Refused, RefusedObject, first_refused
from ingest.lake.states import LIVE
from ingest.report import queries
from ingest.report.figures import Batch, Books, Chart, Report, Row, Traffic
from ingest.report.period import EVERYTHING, Period
from ingest.settings import ParseSettings
from ingest.warehouse import Warehouse
from ingest.warehouse.marts import without_client

TOP = 25
OTHER = "other"
SUCCESS = "2xx success"
STATUS_CLASSES = (
    "1xx informational", SUCCESS, "3xx redirection", "4xx client error", "5xx server error",
)  # fmt: skip
# With more columns than this a chart is unreadable, so a coarser unit is used.
MAX_HOURS, MAX_DAYS = 24 * 15, 400
# They say which times the parser finds plausible; a source may allow more.
_DEFAULTS = ParseSettings()


def gather(
    warehouse: Warehouse, *, period: Period = EVERYTHING, indexed: int | None = None
) -> Report:
    """Return the figures of the marts within `period`, and of the whole ledger.

    `indexed` is the number of documents in the search index, None when it is unknown. Raises
    ClickstreamError when there are no marts yet.
    """
    if not warehouse.exists(f"{warehouse.schemas.marts}.number_of_views_per_session"):
        raise ClickstreamError("there are no marts to report on yet: run `clickstream run` first")
    ask = Asker(warehouse=warehouse, period=period)
    landed = ask.count(queries.LANDED)
    events = landed if period.is_everything else ask.count(queries.EVENTS)
    views, sessions = _views(ask)
    clients, client_count = _clients(ask)
    brands, purchases = _brands(ask)
    books = _books(ask, landed=landed, indexed=indexed)
    return Report(
        tiles=(
            ("Events", events),
            ("Shopping sessions", sessions),
            ("Clients", client_count),
            ("Purchases", purchases),
            *_rejected(books, period),
        ),
        charts=(views, clients, brands, *_responses(ask)),
        traffic=_traffic(ask, events),
        period=period.title,
        books=books,
    )


def _rejected(books: Books, period: Period) -> list[tuple[str, int]]:
    """Return the tile of the rejected lines; they have no day, so a period has no such tile."""
    rejected = sum(batch.lines_reject for batch in books.live)
    return [("Rejected lines", rejected)] if period.is_everything else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Queries one warehouse about a period; the names in braces are explained in `queries`."""

    warehouse: Warehouse
    period: Period = EVERYTHING

    def rows(self, query: str, **names: object) -> list[Any]:
        """Return the rows of `query`, which are few."""
        try:
            return self.warehouse.query(self.text(query, **names)).rows
        except ClickstreamError as error:
            raise ClickstreamError(
                "the report cannot be written, because the marts cannot be read; build them again "
                f"with `clickstream run`: {error}"
            ) from error

    def text(self, query: str, **names: object) -> str:
        """Return `query` with its names filled in."""
        schemas = self.warehouse.schemas
        known: dict[str, object] = {
            "marts": schemas.marts,
            "staging": schemas.staging,
            "intermediate": schemas.intermediate,
            "seeds": schemas.seeds,
            "landing": schemas.landing,
            "top": TOP,
            **self.period.bounds,
        }
        known["live"] = queries.LIVE.format_map(known)
        known["days"] = queries.DAYS.format_map(known)
        marts = queries.MARTS if self.period.is_everything else queries.MARTS_WITHIN
        known |= {name: mart.format_map(known) for name, mart in marts.items()}
        return query.format_map({**known, **names})

    def count(self, query: str, **names: object) -> int:
        """Return the only number of `query`, 0 for null."""
        return int(self.rows(query, **names)[0][0] or 0)


def _views(ask: Asker) -> tuple[Chart, int]:
    """Return the chart of the sessions with the most views, and the number of sessions."""
    sessions = ask.count(queries.SESSIONS)
    series = (*(name for name in SHOP_ACTIONS if name != "purchase"), OTHER)
    chart = Chart(
        key="views",
        title="Views per session",
        lead=_views_lead(sessions),
        label="Session",
        series=series,
        tones=(1, 2, 4, 5, 6),
        rows=_stacked(ask.rows(queries.TOP_SESSIONS), series),
    )
    return chart, sessions


def _views_lead(sessions: int) -> str:
    if not sessions:
        return (
            "No event belongs to a shopping session: that takes a shop action and a session id,"
            " which is read from JSESSIONID, or from what session_parameter in clickstream.toml"
            " names."
        )
    return (
        f"The {TOP} sessions with the most views, of {sessions:,}. Every action but a purchase"
        " counts as a view."
    )


def _stacked(cells: Iterable[Sequence[Any]], series: Sequence[str]) -> tuple[Row, ...]:
    """Return one row per name of (name, series, number) cells, longest first."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, kind, number in cells:
        sums[str(name)][kind if kind in series else OTHER] += int(number or 0)
    rows = [Row(label=name, values=tuple(c[s] for s in series)) for name, c in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.label)))


def _clients(ask: Asker) -> tuple[Chart, int]:
    """Return the chart of the clients with the most sessions, and the number of clients."""
    clients = ask.count(queries.CLIENTS)
    nobodys = ask.count(queries.NOBODYS)
    chart = Chart(
        key="clients",
        title="Sessions per client",
        lead=f"The {TOP} clients with the most sessions, of {clients:,}, by address or name."
        + (f" Not shown: {without_client(nobodys)}." if nobodys else ""),
        label="Client",
        series=("sessions",),
        more=("events",),
        rows=tuple(
            Row(label=ip, values=(int(sessions or 0),), more=(f"{int(events or 0):,}",))
            for ip, sessions, events in ask.rows(queries.TOP_CLIENTS)
        ),
    )
    return chart, clients


def _brands(ask: Asker) -> tuple[Chart, int]:
    """Return the chart of the brands with the most events, and the number of purchases."""
    rows = []
    for brand, *numbers in ask.rows(queries.TOP_BRANDS):
        views, purchases, events = (int(number or 0) for number in numbers)
        rows.append(Row(label=brand, values=(views, purchases, events - views - purchases)))
    chart = Chart(
        key="brands",
        title="Events per brand",
        lead="Views, purchases, and other events, which only name a product.",
        label="Brand",
        series=("views", "purchases", OTHER),
        tones=(1, 3, 6),
        rows=tuple(rows),
    )
    return chart, ask.count(queries.PURCHASES)


def _responses(ask: Asker) -> tuple[Chart, Chart]:
    """Return the charts of all responses by class, and of the unsuccessful ones."""
    rows = [
        (int(code), label or "", int(number)) for code, label, number in ask.rows(queries.RESPONSES)
    ]
    by_class = Counter[str]()
    for code, _, number in rows:
        by_class[_status_class(code)] += number
    classes = Chart(
        key="responses",
        title="Responses",
        lead="How the server answered.",
        label="Status class",
        series=("events",),
        more=("share",),
        rows=tuple(
            Row(label=name, values=(number,), more=(f"{number / by_class.total():.1%}",))
            for name, number in sorted(by_class.items())
        ),
    )
    errors = Chart(
        key="errors",
        title="Unsuccessful responses",
        lead="Every status that is not 2xx.",
        label="Status",
        series=("events",),
        tones=(5,),
        rows=tuple(
            Row(label=f"{code} {label}".rstrip(), values=(number,))
            for code, label, number in rows
            if _status_class(code) != SUCCESS
        )[:TOP],
    )
    return classes, errors


def _status_class(code: int) -> str:
    place = code // 100 - 1
    return STATUS_CLASSES[place] if 0 <= place < len(STATUS_CLASSES) else "no valid status"


def _traffic(ask: Asker, events: int) -> Traffic:
    """Return people and bots by time, in the finest unit that gives a readable chart."""
    plausible = ask.text(
        queries.PLAUSIBLE,
        oldest=f"{_DEFAULTS.min_event_time:%Y-%m-%d %H:%M:%S}",
        future_hours=_DEFAULTS.future_limit // timedelta(hours=1),
    )
    unit = _unit(ask.count(queries.SPAN, plausible=plausible))
    points = tuple(
        (at, int(people), int(bots))
        for at, people, bots in ask.rows(queries.TRAFFIC, plausible=plausible, unit=unit)
    )
    drawn = sum(people + bots for _, people, bots in points)
    return Traffic(unit=unit, points=points, untimed=events - drawn)


def _unit(hours: int) -> str:
    if hours <= MAX_HOURS:
        return "hour"
    return "day" if hours <= 24 * MAX_DAYS else "month"


def _books(ask: Asker, *, landed: int, indexed: int | None) -> Books:
    batches = tuple(_batch(row) for row in ask.rows(queries.BATCHES))
    places = [
        ("batch records, loaded", sum(b.events for b in batches if b.state == LIVE)),
        ("landing", landed),
        ("counted for the marts", ask.count(queries.COUNTED)),
    ]
    if indexed is not None:
        places.append(("search index", indexed))
    return Books(
        batches=batches,
        files=tuple((str(name), int(number)) for name, number in ask.rows(queries.FILE_STATUSES)),
        refused=_refused(ask),
        reasons=tuple((str(name), int(number)) for name, number in ask.rows(queries.REASONS)),
        places=tuple(places),
    )


def _refused(ask: Asker) -> Refused:
    return first_refused(
        RefusedObject(source_file=str(name), file_status=str(status), file_reason=reason)
        for name, status, reason in ask.rows(queries.REFUSED)
    )


def _batch(row: Sequence[Any]) -> Batch:
    number, source, state, ingest_time, *counts = row
    objects, read, ok, warn, skip, reject, events = (int(count or 0) for count in counts)
    return Batch(
        number=number,
        source=source,
        state=state,
        ingest_time=ingest_time,
        objects=objects,
        lines_read=read,
        lines_ok=ok,
        lines_warn=warn,
        lines_skip=skip,
        lines_reject=reject,
        events=events,
    )
