"""All formats by name. Each module of `ingest.parse.formats` registers its own when it is loaded.

Names: section 4 of the format specification.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ingest.errors import SettingsError
from ingest.parse import formats
from ingest.parse.format import Format
from ingest.settings import BY_FORMAT, ParseSettings

AUTO = "auto"
# source_format is a column of 32 characters.
_OWN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_formats: dict[str, Format] = {}


def register(form: Format) -> None:
    """Make `form` known under its name; raises ValueError when the name is taken."""
    if form.name in (AUTO, *_formats):
        raise ValueError(f"two formats are named {form.name!r}")
    _formats[form.name] = form


def supported() -> list[Format]:
    """Return all formats in order of name."""
    _load()
    return [_formats[name] for name in sorted(_formats)]


def names() -> list[str]:
    """Return the names that may be configured: `auto`, then those of all formats."""
    return [AUTO, *(form.name for form in supported())]


def lookup(name: str) -> Format:
    """Return the format `name`; raises SettingsError when there is none."""
    _load()
    if name not in _formats:
        raise SettingsError(f"format {name!r} is unknown; supported: {', '.join(names())}")
    return _formats[name]


def configured(settings: ParseSettings) -> Format | None:
    """Return the format that `settings` name, None when it is to be found in the content.

    Settings that describe lines of a user's own make any name one of theirs, and need none. Raises
    SettingsError for any other name that no format has.
    """
    _load()
    name = settings.format
    is_own = name not in _formats and _OWN_NAME.fullmatch(name) is not None
    for form in _formats.values() if is_own else ():
        if form.named_by is not None and getattr(settings, form.named_by) is not None:
            return form if name == AUTO else replace(form, name=name)
    return None if name == AUTO else lookup(name)


def is_splittable(name: str) -> bool:
    """Return whether an object in the format `name` may be read in byte ranges.

    A name that no format has is one that a user chose for lines of their own.
    """
    _load()
    return name not in _formats or _formats[name].splittable


def in_format_so_far(settings: ParseSettings, name: str | None) -> ParseSettings:
    """Return how a log goes on whose lines were read in the format `name`, if any is known.

    It stays in the format that its first lines showed, whatever the next ones are like.
    """
    if name is None or configured(settings) is not None:
        return settings
    is_found = name in _formats and _formats[name].score is not None
    return replace(settings, format=name) if is_found else settings


def fallback() -> Format:
    """Return the format of content in which nothing but blank lines and comments was seen."""
    return next(form for form in supported() if form.is_fallback)


def check_settings(settings: ParseSettings) -> None:
    """Raise SettingsError unless there is the format, and it reads all settings given for it."""
    form = configured(settings)
    reads = frozenset() if form is None else form.reads
    problems = [
        f"{name} needs a format that reads it; `{settings.format}` does not (these do:"
        f" {', '.join(_readers(name))})"
        for name in BY_FORMAT
        if getattr(settings, name) is not None and name not in reads
    ]
    problems += () if form is None else form.problems(settings)
    if problems:
        raise SettingsError("\n".join(problems))


def _readers(setting: str) -> list[str]:
    """Return the names of the formats that read `setting`."""
    return [form.name for form in supported() if setting in form.reads]


@cache
def _load() -> None:
    for module in iter_modules(formats.__path__, f"{formats.__name__}."):
        import_module(module.name)
