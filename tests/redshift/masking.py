"""SQL with its strings, quoted names and comments hidden, so that patterns see the grammar only."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    r"""
    (?P<comment> --[^\n]* | /\*.*?\*/ )
    | '(?: [^'\\] | \\. | '' )*'
    | "(?: [^"] | "" )*"
    | \$(?P<tag> (?:[A-Za-z_]\w*)? )\$ .*? \$(?P=tag)\$
    """,
    re.DOTALL | re.VERBOSE,
)


def masked(sql: str) -> str:
    """Return `sql` with the same length and the same positions.

    Comments become spaces. Of strings and quoted names the quotes stay, with x between them; a
    string in dollar quotes becomes one in single quotes.
    """
    return _HIDDEN.sub(_mask, sql)


def _mask(found: re.Match[str]) -> str:
    whole = found[0]
    if found["comment"] is not None:
        return re.sub(r"[^\n]", " ", whole)
    quote = '"' if whole[0] == '"' else "'"
    return f"{quote}{'x' * (len(whole) - 2)}{quote}"
