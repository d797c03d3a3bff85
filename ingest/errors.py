"""Everything that can go wrong, with its exit code.

    ClickstreamError            1  failed: the message says what, where and the remedy
    |-- SettingsError           2  usage or settings: nothing was touched
    |-- TooManyRejects          3  a batch, or documents, beyond the limit that the user set
    |-- BooksError              4  two places that must agree do not
    |-- ParserBug               1  a parser failed on a line; becomes file_status `failed`
    |-- StorageError            1  the lake or a raw object could not be read or written
        |-- ObjectUnreadable    1  denied, gone or broken; becomes file_status `failed`
        |-- ObjectChanged       1  size or etag moved while reading; becomes `failed`
    |-- SearchServerError       1  the search server cannot be fetched, started or reached
    |-- WarehouseBusy           1  another process holds the local warehouse

Exit code 130 (interrupted) belongs to KeyboardInterrupt and 0 to success.
"""

from __future__ import annotations

# Worst first: books that do not balance, a wrong setting, a failure, too many rejects.
_SEVERITY = (4, 2, 1, 3, 0)


def gravest(*exit_codes: int) -> int:
    """Return the exit code that says the worst of `exit_codes`, 0 without any."""
    return min((0, *exit_codes), key=_SEVERITY.index)


class ClickstreamError(Exception):
    """Base class of all errors; `exit_code` is what the command line returns.

    `done` is the summary of what a hop had finished when it failed, None when that is nothing.
    """

    exit_code = 1
    done: object = None


class SettingsError(ClickstreamError):
    """A setting, an argument or a prerequisite is wrong or missing."""

    exit_code = 2


class TooManyRejects(ClickstreamError):
    """More lines or documents were refused than their limit allows."""

    exit_code = 3


class BooksError(ClickstreamError):
    """Counts that must be equal are not."""

    exit_code = 4


class ParserBug(ClickstreamError):
    """A parser failed where it owed a verdict: the message says on which line."""


class StorageError(ClickstreamError):
    """A lake or raw object could not be read or written."""


class ObjectUnreadable(StorageError):
    """A raw object cannot be read: it is denied, gone or broken."""


class ObjectChanged(StorageError):
    """A raw object has another size or etag than when it was listed."""


class SearchServerError(ClickstreamError):
    """The search server could not be fetched, started or reached."""


class WarehouseBusy(ClickstreamError):
    """Another process holds the local warehouse."""
