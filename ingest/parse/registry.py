"""The registry of formats: which exist, which are built, and the parser of each.

Names: section 4 of the format specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ingest.errors import SettingsError
from ingest.parse.formats import access, schematic
from ingest.parse.lines import LongLine
from ingest.parse.model import Identity, Lines, Parsed, ParseSettings

AUTO = "auto"
# Named by the specification; each comes with an issue of its own.
PLANNED = frozenset(
    """
    jsonl common combined vhost_combined nginx_combined nginx_main ingress_nginx combined_time_us
    combined_time_ms combined_time_s splunk_tutorial nginx_json json_mapping alb clb cloudfront
    cloudfront_v2 cloudfront_rt s3 waf apigw_json apigw_clf segment snowplow ga4
    """.split()  # noqa: SIM905  thirty quoted names would hide the list
)


class Parser(Protocol):
    """Turns the lines of one object, chunk after chunk in their order, into verdicts."""

    def parse(self, lines: Lines) -> Parsed:
        """Return the verdicts that `lines` complete."""
        ...

    def reject_long(self, line: LongLine) -> Parsed:
        """Return the verdicts that a line over the limit completes, its own among them."""
        ...

    def finish(self) -> Parsed:
        """Return the verdicts on what was still waiting for more lines."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format that is built. `splittable`: a plain object may be read in byte ranges."""

    name: str
    description: str
    grammar: str
    splittable: bool
    parser: Callable[[Identity, ParseSettings], Parser]


FORMATS = {
    form.name: form
    for form in (
        Format(
            name=schematic.FORMAT,
            description="the reference file's CSV: one shop event a record, a required header",
            grammar=schematic.GRAMMAR,
            splittable=False,  # the header, and quoted line breaks, reach over range borders
            parser=schematic.SchematicParser,
        ),
        Format(
            name=access.FORMAT,
            description="web server logs of the CLF family, read by one lenient grammar",
            grammar=access.GRAMMAR,
            splittable=True,
            parser=access.AccessParser,
        ),
    )
}
BUILT = (AUTO, *FORMATS)


def check_format(name: str) -> None:
    """Raise SettingsError unless `name` is a format that can be configured."""
    if name in BUILT:
        return
    problem = "is not built yet" if name in PLANNED else "is unknown"
    raise SettingsError(f"format {name!r} {problem}; built: {', '.join(BUILT)}")
