"""Everything that can go wrong, with its exit code.

    ClickstreamError            1  failed: the message says what, where and the remedy
    |-- SettingsError           2  usage or settings: nothing was touched
    |-- TooManyRejects          3  a batch, or documents, beyond the limit that the user set
    |-- BooksError              4  two places that must agree do not
    |-- ParserBug               1  a parser failed on a line; becomes file_status `failed`
    |-- StorageError            1  the lake or a raw object could not be read or written
        |-- ObjectError         1  one object; becomes file_status `failed`
            |-- ObjectUnreadable    1  denied, gone or broken
            |-- ObjectChanged       1  size or etag moved while reading
            |-- ObjectUnavailable   1  not given for now: a task that meets it is run again
            |-- ObjectRefused       1  read, and refused as a whole: in a batch, a file_status
    |-- SearchServerError       1  the search server cannot be fetched, started or reached
        |-- WrongMapping        1  it refuses so many documents that the mapping must be wrong
    |-- KibanaError             1  Kibana refused a request, or did not answer
    |-- WarehouseBusy           1  another process holds the local warehouse
    |-- EmrError                1  EMR refused a call, or a job there did not succeed
        |-- EmrStillRunning     1  a job goes on without us
        |-- EmrUnavailable      1  EMR did not answer: the same call may succeed later

Exit code 130 (interrupted) belongs to KeyboardInterrupt and 0 to success.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

# What to do about failures of the machine, whichever file they hit.
_REMEDIES = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "free some of your quota",
    errno.EROFS: "make it writable, or set CLICKSTREAM_DATA to another folder",
    errno.EACCES: "check its permissions, or set CLICKSTREAM_DATA to another folder",
    errno.EPERM: "check its permissions, or set CLICKSTREAM_DATA to another folder",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}
# These can hit anything, and nothing but the remedy is of interest then.
_ANYWHERE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE)
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
    """A parser raised instead of returning a verdict; the message names the place."""


class StorageError(ClickstreamError):
    """A lake or raw object could not be read or written."""


class ObjectError(StorageError):
    """One object cannot be read as it was listed; others can."""


class ObjectUnreadable(ObjectError):
    """A raw object cannot be read: it is denied, gone or broken."""


class ObjectChanged(ObjectError):
    """A raw object has another size or etag than when it was listed."""


class ObjectUnavailable(ObjectError):
    """An object is not given for now: the same read may succeed later."""


class ObjectRefused(ObjectError):
    """The content of a raw object is damaged or not a log, so that nothing of it counts."""


class SearchServerError(ClickstreamError):
    """The search server could not be fetched, started or reached."""


class WrongMapping(SearchServerError):
    """The search server refuses so many documents that going on is pointless."""


class KibanaError(ClickstreamError):
    """Kibana refused a request, or did not answer."""


class WarehouseBusy(ClickstreamError):
    """Another process holds the local warehouse."""


class EmrError(ClickstreamError):
    """EMR refused a call, or a job there did not succeed."""


class EmrStillRunning(EmrError):
    """A job goes on without us: what it writes is not finished."""


class EmrUnavailable(EmrError):
    """EMR did not answer, or is too busy: the same call may succeed later."""


def remedy_for(code: int | None) -> str | None:
    """Return what to do about a failure of the machine with this errno, None for other ones."""
    return f"{_REMEDIES[code]}, and run the command again" if code in _REMEDIES else None


def described(error: ClickstreamError) -> str:
    """Return the message of `error`, with the remedy when a full disk or the like led to it."""
    code = next((code for code in _ANYWHERE if _led_to(error, code)), None)
    remedy = remedy_for(code)
    return f"{error}: {remedy}" if remedy and remedy not in str(error) else str(error)


def _led_to(error: BaseException, code: int) -> bool:
    # A process of another language, such as Spark, tells the words only.
    in_words = os.strerror(code).lower() in str(error).lower()
    return in_words or any(getattr(cause, "errno", None) == code for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
