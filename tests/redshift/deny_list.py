"""SQL that PostgreSQL runs and Redshift does not: what the stand-in cannot show.

`python -m redshift.deny_list FOLDER...` names each such form in the .sql files of the folders, and
exits with 1 when there is one. It is meant for SQL that dbt compiled with a target of Redshift.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from redshift.masking import masked

_FORMS = {
    "DISTINCT ON": r"\bdistinct\s+on\b",
    "FILTER (": r"\bfilter\s*\(",
    "STRING_AGG": r"\bstring_agg\b",
    "ARRAY_AGG": r"\barray_agg\b",
    "RETURNING": r"\breturning\b",
    "ON CONFLICT": r"\bon\s+conflict\b",
    "generate_series": r"\bgenerate_series\b",
    "make_interval": r"\bmake_interval\b",
    "jsonb": r"\bjsonb\b",
    "array type": r"\b\w+\s*\[\s*\d*\s*\]|\barray\b(?!\s*[\[(])",
    "ARRAY[": r"\barray\s*\[",
    "LATERAL": r"\blateral\b",
    "unnest": r"\bunnest\b",
    "regexp_match": r"\bregexp_match(?:es)?\b",
    "EXCLUDE": r"\bexclude\s+(?:current\s+row|group|ties|no\s+others)\b",
}
_PATTERN = re.compile("|".join(f"({form})" for form in _FORMS.values()), re.IGNORECASE)
# COPY and its options, from the source on, up to the end of the statement.
_COPY = re.compile(r"\bcopy\b[^;]*?\bfrom\s+'x*'(?P<options>[^;]*)", re.IGNORECASE)
_WORD = re.compile(r"'x*'|(?P<name>[a-z_]\w*)", re.IGNORECASE)
_COPY_WORDS = frozenset(
    {"as", "credentials", "default", "fillrecord", "format", "iam_role", "manifest"}
    | {"acceptinvchars", "explicit_ids", "off", "on", "parquet", "statupdate"}
)


def denied(sql: str) -> list[str]:
    """Return `line: form` for each form in `sql` that Redshift lacks, in the order of lines.

    Strings, quoted names and comments do not count. An element of a SUPER, `a[0]`, counts as an
    array type: grammar alone does not tell them apart.
    """
    hidden = masked(sql)
    found = sorted({*_forms(hidden), *_options(hidden)})
    return [f"{hidden.count(chr(10), 0, at) + 1}: {form}" for at, form in found]


def _forms(hidden: str) -> Iterator[tuple[int, str]]:
    names = tuple(_FORMS)
    for found in _PATTERN.finditer(hidden):
        if found.lastindex is not None:
            yield found.start(), names[found.lastindex - 1]


def _options(hidden: str) -> Iterator[tuple[int, str]]:
    for copy in _COPY.finditer(hidden):
        for word in _WORD.finditer(hidden, *copy.span("options")):
            if word["name"] and word["name"].lower() not in _COPY_WORDS:
                yield word.start(), f"COPY option {word['name'].upper()}"


def main(folders: list[str]) -> int:
    """Write each hit to standard output as `path:line: form`; 1 when there is one."""
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.sql"))
    hits = [f"{path}:{hit}\n" for path in paths for hit in denied(path.read_text(encoding="utf-8"))]
    sys.stdout.writelines(hits)
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
