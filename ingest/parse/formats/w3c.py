"""IIS's log in W3C's extended format, `w3c`.

IIS writes `+` for each blank in a text, so that blanks are between columns only. Where that cannot
be undone with certainty (a `+` may be itself), the text stays as it is.
"""

from __future__ import annotations

from ingest.parse.format import Format, Head
from ingest.parse.model import Identity
from ingest.parse.registry import register
from ingest.parse.w3c import W3cLines, W3cParser, header_of
from ingest.parse.w3c_fields import Dialect
from ingest.settings import ParseSettings

GRAMMAR = """\
Columns separated by spaces, named by the #Fields line before them; each such line counts from
there on.

date, time                  event_time, in UTC
c-ip, c-port                client_ip, client_address, extra.client_port
X-Forwarded-For             forwarded_for
cs-username                 user_name
cs-method, cs-version       http_method, http_version
cs-uri-stem, cs-uri-query   url_path, url_query, url_original
sc-status                   status_code
sc-bytes, cs-bytes          response_bytes, request_bytes: with headers
time-taken (ms)             duration_ms
cs-host, s-port             server_name, extra.server_port
cs(User-Agent)              user_agent, with spaces for +
cs(Referer), cs(Cookie)     referrer, referrer_domain, cookie
all others                  extra, under the name in lower case, with _ for other characters

More columns than names are extra.extra_fields, unless they show that a text contains a space."""
# As IIS writes it unless it is told otherwise.
_HEADER = b"""\
#Software: Microsoft Internet Information Services 10.0
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken
"""
_IIS = b"microsoft internet information services"


def _with_blanks(text: str, _warnings: set[str]) -> str:
    return text.replace("+", " ")


def _with_blanks_between(text: str, _warnings: set[str]) -> str:
    """Return a cookie with the blanks that are certain: those behind its semicolons."""
    return text.replace(";+", "; ")


_DIALECT = Dialect(
    duration_unit=1,
    decoders={
        "cs(user-agent)": _with_blanks,
        "x-forwarded-for": _with_blanks,
        "cs(cookie)": _with_blanks_between,
    },
)


def w3c_parser(identity: Identity, settings: ParseSettings) -> W3cParser:
    """Return the parser of one object."""
    return W3cParser(identity, settings, W3cLines(settings, dialect=_DIALECT, delimiter=" "))


def score(head: Head, _settings: ParseSettings) -> int:
    """Return the number of lines of the sample, at least 1, if a header of IIS is above them."""
    header = header_of(head)
    is_iis = bool(header.names) and header.software.lower().startswith(_IIS)
    return max(1, len(head.sample)) if is_iis else 0


register(
    Format(
        name="w3c",
        description="IIS's log in W3C's extended format",
        grammar=GRAMMAR,
        splittable=False,  # a header changes what follows
        parser=w3c_parser,
        score=score,
        rank=1,
        usual_header=_HEADER,
    )
)
