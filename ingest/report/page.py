"""Turns the figures into one HTML page."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ingest.report.figures import Report
from ingest.report.plot import plot_traffic
from ingest.terminal.text import count_of

TEMPLATE = "page.html.j2"
LABEL_CHARACTERS = 80


def render(report: Report) -> str:
    """Return the page. Everything is escaped; hidden characters become visible ones."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=_number, label=_label, percent=_percent, count_of=count_of)
    plot = plot_traffic(report.traffic)
    return environment.get_template(TEMPLATE).render(report=report, plot=plot)


def _number(value: int) -> str:
    return f"{value:,}"


def _label(text: str) -> str:
    """Return a text from a log on one short line, without control or bidi characters."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    if len(shown) <= LABEL_CHARACTERS:
        return shown
    return f"{shown[:LABEL_CHARACTERS]}\N{HORIZONTAL ELLIPSIS}"


def _percent(part: int, whole: int) -> str:
    """Return a share as a CSS length."""
    return f"{100 * part / whole:.2f}%" if whole else "0%"
