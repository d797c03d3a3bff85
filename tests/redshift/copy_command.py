"""COPY from S3 in Redshift's words, and what COPY from Parquet allows of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from redshift.backend import identifier
from redshift.masking import masked
from redshift.refusal import CopyRefused

_NAME = r'(?:"x*"|[a-z_]\w*)'
_COPY = re.compile(
    rf"""
    \s* copy \s+ (?P<table>{_NAME} (?:\s*\.\s*{_NAME})? )
    \s* (?: \( (?P<columns> [^()]* ) \) )?
    \s* from \s+ (?P<source>'x*')
    (?P<options> [^;]* ) ;? \s*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BEGIN = re.compile(r"\s*copy\b", re.IGNORECASE)
_TOKEN = re.compile(r"'x*'|\w+|\S")
_URL = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_PARQUET, _SWITCH = re.compile("parquet", re.IGNORECASE), re.compile("on|off", re.IGNORECASE)
_KEYS = re.compile(r"aws_iam_role=.+|aws_access_key_id=[^;]+;aws_secret_access_key=.+")


@dataclass(frozen=True, slots=True)
class S3Url:
    """A place in S3. `key` may be a prefix."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCommand:
    """A COPY. `table` has one name or two; without `columns` all of the table's are meant."""

    table: tuple[str, ...]
    columns: tuple[str, ...]
    source: S3Url
    manifest: bool
    fillrecord: bool

    @property
    def relation(self) -> str:
        """The table as SQL."""
        return ".".join(identifier(name) for name in self.table)

    def from_stdin(self, columns: tuple[str, ...] = (), options: str = "") -> str:
        """Return the same command for PostgreSQL, which reads no S3."""
        listed = ", ".join(identifier(name) for name in columns)
        return f"COPY {self.relation} {f'({listed})' if listed else ''} FROM STDIN {options}"


def is_copy(sql: str) -> bool:
    """Return whether `sql` is a COPY, of whatever form."""
    return bool(_BEGIN.match(masked(sql)))


def read_copy(sql: str) -> CopyCommand:
    """Return the COPY that `sql` is. Raises CopyRefused when Redshift would not run it."""
    hidden = masked(sql)
    found = _COPY.fullmatch(hidden)
    if found is None:
        raise CopyRefused(
            "syntax error in COPY: the stand-in knows COPY table FROM 's3://...' only"
        )
    options = _options(sql, found)
    if not options & {"iam_role", "credentials"}:
        raise CopyRefused("CREDENTIALS argument is required but not supplied")
    if "parquet" not in options:
        raise CopyRefused("the stand-in reads no other format than PARQUET")
    return CopyCommand(
        table=_names(sql, hidden, found.span("table"), r"\."),
        columns=_names(sql, hidden, found.span("columns"), ","),
        source=read_url(_unquoted(sql[slice(*found.span("source"))])),
        manifest="manifest" in options,
        fillrecord="fillrecord" in options,
    )


def read_url(url: str) -> S3Url:
    """Return the place that `url` names. Raises CopyRefused when it is none in S3."""
    found = _URL.fullmatch(url)
    if found is None:
        raise CopyRefused(f"invalid S3 URI: {url}")
    return S3Url(found["bucket"], found["key"])


def _options(sql: str, found: re.Match[str]) -> set[str]:
    """Return the names of the options, "parquet" for the format. Raises CopyRefused."""
    cuts = (one.span() for one in _TOKEN.finditer(found.string, *found.span("options")))
    tokens = (sql[start:end] for start, end in cuts)
    return {_option(token, tokens) for token in tokens}


def _option(token: str, following: Iterator[str]) -> str:
    """Return the name of the option that begins with `token` and take its value."""
    name = token.lower()
    match name:
        case "iam_role":
            _expect(_ROLE, next(following, ""), "IAM_ROLE", or_word="default")
        case "credentials":
            _expect(_KEYS, _after_as(following), "CREDENTIALS")
        case "format":
            _expect(_PARQUET, _after_as(following), "FORMAT")
            return "parquet"
        case "statupdate":
            _expect(_SWITCH, next(following, ""), "STATUPDATE")
        case "manifest" | "fillrecord" | "parquet":
            pass
        case _:
            raise CopyRefused(f"{token.upper()} argument is not supported for PARQUET based COPY")
    return name


def _after_as(following: Iterator[str]) -> str:
    token = next(following, "")
    return next(following, "") if token.lower() == "as" else token


def _expect(
    pattern: re.Pattern[str], token: str, option: str, *, or_word: str | None = None
) -> None:
    if token.lower() != or_word and not pattern.fullmatch(_unquoted(token)):
        raise CopyRefused(f"invalid {option} argument in COPY")  # it may be a secret


def _names(sql: str, hidden: str, span: tuple[int, int], separator: str) -> tuple[str, ...]:
    """Return the names in `span`, in lower case where they are not quoted."""
    start, end = span
    if start < 0:
        return ()
    cuts = [found.start() for found in re.compile(separator).finditer(hidden, start, end)]
    parts = zip([start, *(cut + 1 for cut in cuts)], [*cuts, end], strict=True)
    return tuple(_name(sql[begin:stop].strip()) for begin, stop in parts)


def _name(token: str) -> str:
    return token[1:-1].replace('""', '"') if token.startswith('"') else token.lower()


def _unquoted(token: str) -> str:
    return token.strip("'")
