"""One JSON value per line, each read by the first shape that fits: section 4.3."""

from __future__ import annotations

import re

from ingest.parse.format import Format, Head, ParserOfLines
from ingest.parse.formats.docker_json import is_wrapped
from ingest.parse.json_lines import parser_of, refuse_pretty_printed, shapes
from ingest.parse.model import Identity
from ingest.parse.registry import register
from ingest.settings import ParseSettings

# A brace alone begins a block of a script or a manual as well.
_BEGIN = re.compile(rb'(?:\[[ \t]*)?\{[ \t]*["}]')


def jsonl_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object, whose events name their own formats."""
    return parser_of(shapes(), identity, settings)


def score(head: Head, _settings: ParseSettings) -> int:
    """Return how many lines of the sample begin like objects, but for those that Docker wrapped."""
    objects = (line for line in head.sample if _BEGIN.match(line))
    return sum(not is_wrapped(line) for line in objects)


def grammar() -> str:
    """Return what the lines are, once all modules of formats are loaded."""
    needs = "\n".join(f"{shape.name:<15} {shape.needs}" for shape in shapes())
    return (
        "An object, or an array of objects. The first of these formats reads it whose keys it has:"
        f"\n\n{needs}"
    )


register(
    Format(
        name="jsonl",
        description="JSON lines, whose format is chosen for each object by its keys",
        grammar=grammar,
        splittable=True,
        parser=jsonl_parser,
        score=score,
        rank=2,
        refusal=refuse_pretty_printed,
        remedies={"multiline_json": "write one JSON value per line"},
    )
)
