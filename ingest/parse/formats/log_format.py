"""Formats that a LogFormat or log_format string describes: section 4.2 of the specification.

Lines of `common`, `combined` and the like are read by the grammar of `access`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ingest.parse.format import Format, ParserOfLines
from ingest.parse.formats.nginx_json import nginx_parser
from ingest.parse.layout.compiled import compile_layout
from ingest.parse.layout.json_string import is_json, variables_of
from ingest.parse.layout.reading import reading_of
from ingest.parse.layout.record import parse_record
from ingest.parse.layout.strings import problems_of
from ingest.parse.model import Identity
from ingest.parse.registry import register
from ingest.settings import ParseSettings

_COMBINED = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
# Name -> (description, string).
_NAMED = {
    "ingress_nginx": (
        "the log of ingress-nginx since 0.26",
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" $request_length $request_time '
        "[$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
        "$upstream_response_length $upstream_response_time $upstream_status $req_id",
    ),
    "combined_time_us": ("combined, then the duration in microseconds", f"{_COMBINED} %D"),
    "combined_time_ms": ("combined, then the duration in milliseconds", f"{_COMBINED} %{{ms}}T"),
    "combined_time_s": (
        "combined, then the duration in seconds, which may have decimals",
        f"{_COMBINED} %T",
    ),
}
GRAMMAR = """\
An Apache LogFormat or an nginx log_format, given in the setting log_format:

[[sources]]
format = "shop"                       # a name of your own: the source_format of the events
log_format = '%h %l %u %t "%r" %>s %b'

Text between directives must match exactly; a space matches one or more. A value in quotes ends at
the first quote without a backslash before it, one in brackets at `]`, any other where the text
after it begins. Text after the last value is extra.tail.

A string that writes JSON ('{"time": "$msec", ...}', escape=json) is read as nginx_json is."""


def layout_parser(identity: Identity, settings: ParseSettings, *, string: str) -> ParserOfLines:
    """Return the parser of one object whose lines `string` describes."""
    layout = compile_layout(string)
    reading = reading_of(layout)
    return ParserOfLines(
        identity,
        settings,
        partial(parse_record, settings=settings, layout=layout),
        fast_path=None if reading is None else reading.parse,
    )


def own_parser(identity: Identity, settings: ParseSettings) -> ParserOfLines:
    """Return the parser of one object whose lines the settings describe."""
    string = settings.log_format or ""
    if is_json(string):
        return nginx_parser(identity, settings)
    return layout_parser(identity, settings, string=string)


def problems(settings: ParseSettings) -> Sequence[str]:
    """Return what is wrong with the string that the settings have."""
    if settings.log_format is None:
        return ["format `log_format` needs the setting log_format: give it the string"]
    compiles = variables_of if is_json(settings.log_format) else compile_layout
    return problems_of(compiles, settings.log_format)


register(
    Format(
        name="log_format",
        description="lines that your own Apache or nginx log format describes",
        grammar=GRAMMAR,
        splittable=True,
        parser=own_parser,
        reads=frozenset({"log_format"}),
        problems=problems,
        named_by="log_format",
    )
)
for _name, (_description, _string) in _NAMED.items():
    register(
        Format(
            name=_name,
            description=_description,
            grammar="Read exactly as the string says.",
            layout=_string,
            splittable=True,
            parser=partial(layout_parser, string=_string),
        )
    )
