"""Which files a sample has, and what goes into each: a pure function of lines, seed and formats."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from ingest.errors import SettingsError
from ingest.sample.lines_columns import CLOUDFRONT, IIS
from ingest.sample.odd import OddLine, Place
from ingest.sample.odd_access import access_oddities
from ingest.sample.odd_columns import columns_oddities
from ingest.sample.odd_csv import csv_oddities
from ingest.sample.vocabulary import Catalog

USUAL_FORMATS = ("combined", "schematic-csv", "splunk_tutorial")
FORMATS = (*USUAL_FORMATS, "cloudfront", "w3c")
_SHARES = {"combined": 50, "schematic-csv": 20, "splunk_tutorial": 30, "cloudfront": 50, "w3c": 30}
_ODDITIES: dict[str, Callable[[Place], list[OddLine]]] = {
    "combined": partial(access_oddities, splunk=False),
    "schematic-csv": csv_oddities,
    "splunk_tutorial": partial(access_oddities, splunk=True),
    "cloudfront": partial(columns_oddities, CLOUDFRONT),
    "w3c": partial(columns_oddities, IIS),
}

FIRST_DAY = datetime(2025, 3, 3)  # noqa: DTZ001 - local time of the shop; the logs add the zone
DAYS = 7
# Bounds memory: a file is made in one piece.
LINES_PER_FILE = 200_000
ODD_FILE_LINES = 12
# In bigger samples each odd line comes once per this many lines: rejects stay far below 1 %.
LINES_PER_ODD_LINE = 20_000
# Room for every odd line, header and file, and for some ordinary lines in each file.
LINES_AT_LEAST = 500
# With more formats than the usual ones, so that rejects stay below the usual limit, 1 %.
LINES_PER_FORMAT_AT_LEAST = 400
_SECONDS_OF_DAY = 86_400

Pack = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlan:
    """One raw file. `lines` are those that a reader counts, header and odd lines included.

    `number` is unique in the sample: it picks the random stream and the session ids. `window`
    is in seconds of the day. `keeps_lines` False = the reader publishes nothing of the file.
    """

    name: str
    format: str
    number: int
    day: datetime
    lines: int
    window: tuple[int, int] = (0, _SECONDS_OF_DAY)
    odd: tuple[OddLine, ...] = ()
    pack: Pack = bytes
    file_status: str = "ok"
    reason: str | None = None
    keeps_lines: bool = True

    @property
    def shows_format(self) -> bool:
        """Whether a reader can tell the format: that of a cut file, before it ends."""
        return self.keeps_lines or self.file_status == "corrupt_gzip"


def plan(catalog: Catalog, *, lines: int, seed: int, formats: Sequence[str]) -> list[FilePlan]:
    """Return the files of a sample of `lines` lines; raises SettingsError for bad arguments.

    The lines are split over the wanted formats: 50 parts for combined and cloudfront each, 30 for
    splunk_tutorial and w3c, 20 for schematic-csv. The first of them also gets the odd files.
    """
    _check(lines, seed, formats)
    chosen = [name for name in FORMATS if name in formats]
    odd = _odd_files(chosen[0])
    left = lines - sum(file.lines for file in odd)
    files = list(odd)
    shares = sum(_SHARES[name] for name in chosen)
    for name in chosen:
        # The last format takes what rounding leaves.
        count = left if name == chosen[-1] else lines * _SHARES[name] // shares
        count -= sum(file.lines for file in odd) if name == chosen[0] != chosen[-1] else 0
        left -= count
        files += _day_files(name, count, catalog, seed, first_number=len(files))
    return files


def _check(lines: int, seed: int, formats: Sequence[str]) -> None:
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown or not formats:
        raise SettingsError(
            f"cannot write a sample of {', '.join(unknown) or 'no format'}; choose from"
            f" {', '.join(FORMATS)}"
        )
    is_usual = len(formats) <= len(USUAL_FORMATS)
    least = LINES_AT_LEAST if is_usual else LINES_PER_FORMAT_AT_LEAST * len(formats)
    if lines < least:
        raise SettingsError(f"a sample needs at least {least} lines, not {lines}")
    if seed < 0:
        raise SettingsError(f"the seed must not be negative, but is {seed}")


def _day_files(
    name: str, lines: int, catalog: Catalog, seed: int, *, first_number: int
) -> Iterator[FilePlan]:
    parts = -(-lines // (DAYS * LINES_PER_FILE))
    count = parts * DAYS
    odd = _odd_lines(name, lines, catalog, seed)
    spread = [line for line in odd if not line.once]
    stem, suffix = _stem(name)
    for index in range(count):
        day, part = divmod(index, parts)
        is_last = index == count - 1
        zipped = day % 2 == 0
        yield FilePlan(
            name=f"{_folder(name, day)}/{stem}-{part:02}{suffix}{'.gz' * zipped}",
            format=name,
            number=first_number + index,
            day=FIRST_DAY + timedelta(days=day),
            lines=lines * (index + 1) // count - lines * index // count,
            window=(_SECONDS_OF_DAY * part // parts, _SECONDS_OF_DAY * (part + 1) // parts),
            odd=(*spread[index::count], *(line for line in odd if line.once and is_last)),
            pack=_gzip if zipped else bytes,
        )


def _odd_lines(name: str, lines: int, catalog: Catalog, seed: int) -> list[OddLine]:
    odd: list[OddLine] = []
    for repeat in range(max(1, lines // LINES_PER_ODD_LINE)):
        place = Place(
            day=FIRST_DAY + timedelta(days=repeat % DAYS),
            session=f"SD0SL0FF0ADFF{seed % 1000}X{FORMATS.index(name)}X{repeat}",
            catalog=catalog,
        )
        odd += [line for line in _ODDITIES[name](place) if repeat == 0 or not line.once]
    return odd


def _odd_files(name: str) -> list[FilePlan]:
    """Return the files of the day on which the log shipper broke: one or more per file status."""
    suffix = _stem(name)[1]
    readable: list[tuple[str, Pack, str]] = [
        (f"members{suffix}.gz", _two_members, "ok"),
        (f"other-line-ends{suffix}", _other_line_ends, "ok"),
        (f"zipped{suffix}", _gzip, "misnamed"),
        (f"plain{suffix}.gz", bytes, "misnamed"),
        (f"padded{suffix}.gz", lambda data: _gzip(data) + bytes(64), "trailing_garbage"),
        (f"twice{suffix}.gz", lambda data: _gzip(_gzip(data)), "double_gzip"),
    ]
    unreadable: list[tuple[str, Pack, str, str | None]] = [
        (f"cut{suffix}.gz", lambda data: _gzip(data)[:-40], "corrupt_gzip", None),
        (f"empty{suffix}", lambda _: b"", "empty", None),
        (f"nothing{suffix}.gz", lambda _: _gzip(b""), "empty", None),
        (f"thrice{suffix}.gz", lambda d: _gzip(_gzip(_gzip(d))), "rejected", "nested_gzip"),
        (f"wide{suffix}", lambda d: d.decode().encode("utf-16"), "rejected", "not_utf8"),
        ("notes.txt", lambda _: b"Shipper restarted.\nAsk ann.\n", "rejected", "unknown_format"),
        (f"packed{suffix}.xz", lzma.compress, "rejected", "unsupported_content"),
        ("no-session.csv", lambda _: _NO_SESSION, "rejected", "missing_header"),
    ]
    folder, day = _folder(name, DAYS - 1), FIRST_DAY + timedelta(days=DAYS - 1)
    good = [
        FilePlan(
            name=f"{folder}/{file}", format=name, number=number, day=day, lines=ODD_FILE_LINES,
            pack=pack, file_status=status,
        )
        for number, (file, pack, status) in enumerate(readable)
    ]  # fmt: skip
    bad = [
        FilePlan(
            name=f"{folder}/{file}", format=name, number=number, day=day, lines=0, pack=pack,
            file_status=status, reason=reason, keeps_lines=False,
        )
        for number, (file, pack, status, reason) in enumerate(unreadable, start=len(good))
    ]  # fmt: skip
    return good + bad


_NO_SESSION = b"Action,Bytes,Item ,Brand,ClientIP,Rstat\nview,1,Lens,Orion,192.0.2.1,200\n"


def _folder(name: str, day: int) -> str:
    return f"{name}/{FIRST_DAY + timedelta(days=day):%Y-%m-%d}"


def _stem(name: str) -> tuple[str, str]:
    return ("shop", ".csv") if name == "schematic-csv" else ("access", ".log")


def _gzip(data: bytes) -> bytes:
    # No time in the header, or two runs would differ.
    return gzip.compress(data, compresslevel=6, mtime=0)


def _two_members(data: bytes) -> bytes:
    """Cut inside a line: a reader must join members before it cuts lines."""
    middle = len(data) // 2
    return _gzip(data[:middle]) + _gzip(data[middle:])


def _other_line_ends(data: bytes) -> bytes:
    """CRLF and a BOM where LF is usual and the reverse, and no final line end."""
    bom = b"\xef\xbb\xbf"
    if data.startswith(bom):
        return data.removeprefix(bom).replace(b"\r\n", b"\n").removesuffix(b"\n")
    return bom + data.replace(b"\n", b"\r\n").removesuffix(b"\r\n")
