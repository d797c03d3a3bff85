"""The page is rendered from plain figures, without Spark."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.lake.refused import Refused, RefusedObject
from ingest.report import write_report
from ingest.report.figures import Batch, Books, Chart, Report, Row, Traffic
from ingest.report.page import render
from ingest.report.plot import plot_traffic
from ingest.settings import Settings

HOSTILE = """<script>alert("x")</script>'--{{7*7}}\u202egpj.exe\x07"""
NONE_REFUSED = Refused(count=0, objects=())
VOID = {"meta", "line", "rect", "link", "br", "img"}


class Page(HTMLParser):
    """Collects what a browser would see; fails on tags that do not close in order."""

    def __init__(self, html: str) -> None:
        """Read `html`."""
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def batch(*, reject: int = 10, events: int = 1900, state: str = "live") -> Batch:
    return Batch(
        number=1,
        source="raw",
        state=state,
        ingest_time=datetime(2025, 3, 11, 12, 30, tzinfo=UTC),
        objects=3,
        lines_read=1915,
        lines_ok=1500,
        lines_warn=400,
        lines_skip=5,
        lines_reject=reject,
        events=events,
    )


def report(*, label: str = "SD1SL2", books: Books | None = None) -> Report:
    chart = Chart(
        key="views",
        title="Views per session",
        lead="The sessions with most views.",
        label="Session",
        series=("view", "addtocart"),
        rows=(
            Row(label=label, values=(30_000, 10_000), more=("77%",)),
            Row(label="b", values=(5_000, 0), more=("23%",)),
        ),
        more=("share",),
    )
    hours = tuple(
        (datetime(2025, 3, 3, tzinfo=UTC) + timedelta(hours=hour), 100 * hour, hour)
        for hour in range(1, 30)
    )
    return Report(
        tiles=(("Events", 1_234_567),),
        charts=(chart,),
        traffic=Traffic(unit="hour", points=hours, untimed=42),
        books=books
        or Books(
            batches=(batch(),),
            files=(("ok", 3),),
            refused=NONE_REFUSED,
            reasons=(("no_match", 10),),
            places=(("ledger of batches", 1900), ("landing.events", 1900), ("marts", 1900)),
        ),
    )


def test_numbers_of_all_charts_appear_as_text() -> None:
    texts = Page(render(report())).texts

    for expected in ("1,234,567", "30,000", "40,000", "5,000", "77%", "1,915", "no_match"):
        assert expected in texts
    assert any("Not drawn: 42 events without a plausible time." in text for text in texts)


def test_bars_are_as_long_as_their_share_of_the_longest() -> None:
    styles = [value for name, value in Page(render(report())).attributes if name == "style"]

    assert styles == ["width: 75.00%", "width: 25.00%", "width: 12.50%", "width: 0.00%"]


def test_hostile_texts_stay_text() -> None:
    html = render(report(label=HOSTILE))
    page = Page(html)

    assert "script" not in page.tags
    assert "<script" not in html
    assert """<script>alert("x")</script>'--{{7*7}}\ufffdgpj.exe\ufffd""" in page.texts


def test_long_texts_are_cut() -> None:
    assert "a" * 80 + "\u2026" in Page(render(report(label="a" * 9000))).texts


def test_nothing_is_loaded_and_no_script_runs() -> None:
    html = render(report())
    page = Page(html)

    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import|javascript:", html)
    links = [value or "" for name, value in page.attributes if name in ("href", "src")]
    assert all(link.startswith("#") for link in links)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_every_anchor_and_label_has_its_target() -> None:
    page = Page(render(report()))
    ids = [value for name, value in page.attributes if name == "id"]
    named = [v for name, value in page.attributes if name == "aria-labelledby"
             for v in (value or "").split()]  # fmt: skip

    assert len(ids) == len(set(ids))
    assert set(named) <= set(ids)
    assert {(value or "")[1:] for name, value in page.attributes if name == "href"} <= set(ids)


def test_an_empty_warehouse_gives_a_page_that_says_so() -> None:
    chart = Chart(key="views", title="Views", lead="", label="Session", series=("a",), rows=())
    empty = Report(
        tiles=(("Events", 0),),
        charts=(chart,),
        traffic=Traffic(unit="hour", points=(), untimed=0),
        books=Books(
            batches=(), files=(), refused=NONE_REFUSED, reasons=(), places=(("landing.events", 0),)
        ),
    )

    page = Page(render(empty))

    assert "svg" not in page.tags
    assert any("Nothing is loaded yet" in text for text in page.texts)


@pytest.mark.parametrize(
    ("landing", "reject", "verdict"),
    [(1900, 10, "The books balance"), (1899, 10, "do not balance"), (1900, 9, "do not balance")],
)
def test_the_books_are_judged(landing: int, reject: int, verdict: str) -> None:
    books = Books(
        batches=(batch(reject=reject),),
        files=(),
        refused=NONE_REFUSED,
        reasons=(),
        places=(("ledger of batches", 1900), ("landing.events", landing)),
    )

    assert any(verdict in text for text in Page(render(report(books=books))).texts)


def test_refused_objects_are_named() -> None:
    objects = tuple(
        RefusedObject(source_file=f"{n}{HOSTILE}", file_status="rejected", file_reason="binary")
        for n in range(5)
    )
    books = report().books
    page = Page(render(report(books=replace(books, refused=Refused(count=7, objects=objects)))))

    assert any("Nothing of 7 objects is loaded" in text for text in page.texts)
    assert "clickstream status --json" in page.texts
    assert "4<script>alert(" in " ".join(page.texts)
    assert page.texts.count("binary") == 5
    assert "script" not in page.tags
    assert "Refused objects" not in Page(render(report())).texts


def test_columns_stack_bots_on_people_and_leave_gaps() -> None:
    start = datetime(2025, 3, 3, tzinfo=UTC)
    points = ((start, 6, 2), (start + timedelta(hours=3), 4, 0))

    plot = plot_traffic(Traffic(unit="hour", points=points, untimed=0))

    first, last = plot.columns
    # The axis ends at 8 events, 220 units above the base at 232; four slots of 234 units.
    assert (first.people_y, first.people_height) == (67.0, 165.0)
    assert (first.bots_y, first.bots_height) == (12.0, 55.0)
    assert (first.x, last.x) == (64.0, 766.0)
    assert [text for _, text in plot.y_ticks] == ["0", "2", "4", "6", "8"]


def test_an_hour_alone_is_a_column_and_not_a_wall() -> None:
    points = ((datetime(2025, 3, 3, tzinfo=UTC), 6, 2),)
    (column,) = plot_traffic(Traffic(unit="hour", points=points, untimed=0)).columns
    assert column.width == 40


def test_months_are_equally_wide() -> None:
    points = tuple((datetime(2025, month, 1, tzinfo=UTC), 1, 0) for month in (1, 2, 3))

    plot = plot_traffic(Traffic(unit="month", points=points, untimed=0))

    assert [column.x for column in plot.columns] == [64.0, 376.0, 688.0]
    assert plot.columns[0].label == "Jan 2025"


@pytest.mark.parametrize(("submitted", "folder"), [(False, "data"), (True, "lake")])
def test_the_page_of_a_job_does_not_go_with_its_machine(
    make_settings: Callable[..., Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    submitted: bool,
    folder: str,
) -> None:
    monkeypatch.setattr("ingest.report.gather", lambda *_, **__: None)
    monkeypatch.setattr("ingest.report.render", lambda _figures: "a page")
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    if submitted:
        monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    settings = replace(make_settings(), data=tmp_path / "data")
    path = write_report(settings, MemoryWarehouse())
    assert path == str(tmp_path / folder / "report" / "index.html")
    assert Path(path).read_text() == "a page"
