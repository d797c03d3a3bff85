"""The verdict on one line of a layout: section 4.2 of the format specification, compiled."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.parse.fields.colours import without_colours
from ingest.parse.fields.relay import relay_end
from ingest.parse.fields.text import repair
from ingest.parse.fields.times import BadTime
from ingest.parse.layout.compiled import Layout
from ingest.parse.layout.cut import Cut, cut_line
from ingest.parse.layout.put import put_values
from ingest.parse.place import Misfit, located, no_match
from ingest.parse.verdict import Event, Reject, Verdict, skip_of
from ingest.settings import ParseSettings

# Without all of these a line that was cut off could be anything.
_REQUIRED = (
    {"client"},
    {"event_time"},
    {"request", "url"},
    {"status_code"},
    {"response_bytes", "total_bytes"},
)


@dataclass(frozen=True, slots=True)
class Read:
    """A line as `text`, its values or why it has none, and where the header of a relay ends."""

    text: str
    begin: int
    cut: Cut | Misfit


def read_line(layout: Layout, raw: bytes, warnings: set[str]) -> Read:
    """Return the values of the line `raw`, after the header of a relay if it has one."""
    text = without_colours(repair(raw, warnings))
    cut = _checked(layout, text, cut_line(layout, text))
    begin = relay_end(text) if isinstance(cut, Misfit) else 0
    if begin:
        behind = _checked(layout, text, cut_line(layout, text, begin))
        if isinstance(behind, Cut) or behind.at > begin:
            return Read(text, begin, behind)
    return Read(text, 0, cut)


def _checked(layout: Layout, text: str, cut: Cut | Misfit) -> Cut | Misfit:
    """Return `cut`, unless the line was cut off before the values that a record must have."""
    if isinstance(cut, Misfit) or cut.closed:
        return cut
    known = {one.meaning.target for one in layout.directives[: cut.complete]}
    if all(known & targets for targets in _REQUIRED):
        return cut
    written = layout.directives[cut.complete].written
    return Misfit(len(text), f"the closing quote of `{written}`")


def parse_record(raw: bytes, settings: ParseSettings, layout: Layout) -> Verdict:
    """Return the verdict on the line `raw`, given without its line end."""
    skip = skip_of(raw)
    if skip is not None:
        return skip
    event = Event()
    read = read_line(layout, raw, event.warnings)
    if isinstance(read.cut, Misfit):
        return no_match(read.cut)
    event.put_extra("relay", read.text[: read.begin].strip(" ") or None)
    if not read.cut.closed:
        event.warnings.add("unterminated_quote")
    try:
        put_values(event, layout, read.cut.values, settings)
    except BadTime as error:
        return Reject("bad_timestamp", located(str(error), read.text))
    event.put_extra("tail", read.cut.tail or None)
    return event
