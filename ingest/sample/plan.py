"""Which files a sample has, and what goes into each: a pure function of lines, seed and formats."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa

from ingest.errors import SettingsError
from ingest.sample.kinds import KINDS
from ingest.sample.odd import OddLine, Place
from ingest.sample.odd_access import access_oddities
from ingest.sample.odd_csv import csv_oddities
from ingest.sample.odd_requests import request_oddities
from ingest.sample.vocabulary import Catalog
from ingest.terminal.text import count_of

USUAL_FORMATS = ("combined", "schematic-csv", "splunk_tutorial")
FORMATS = (*USUAL_FORMATS, *KINDS)
# One file of each format; without others, of each that content shows.
MIXED = "mixed"
_SHARES = {"combined": 50, "schematic-csv": 20, "cloudfront": 50}
_USUAL_SHARE = 30
_ODDITIES: dict[str, Callable[[Place], list[OddLine]]] = {
    "combined": partial(access_oddities, splunk=False),
    "schematic-csv": csv_oddities,
    "splunk_tutorial": partial(access_oddities, splunk=True),
    **{name: partial(request_oddities, kind) for name, kind in KINDS.items()},
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
    is in seconds of the day. `keeps_lines` False = the reader publishes nothing of the file;
    `shows_format`: it can tell the format all the same, that of a cut file before it ends.
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
    shows_format: bool = True


def plan(catalog: Catalog, *, lines: int, seed: int, formats: Sequence[str]) -> list[FilePlan]:
    """Return the files of a sample of `lines` lines; raises SettingsError for bad arguments.

    The lines are split over the wanted formats by `_SHARES`, evenly for one file of each. The first
    of them also gets the odd files.
    """
    chosen = chosen_formats(formats)
    is_mixed = MIXED in formats
    _check(lines, seed, formats)
    # What is broken is seen where content shows the format.
    odd = _odd_files(chosen[0]) if is_found(chosen[0]) else []
    left = lines - sum(file.lines for file in odd)
    files = list(odd)
    shares = {name: 1 if is_mixed else _SHARES.get(name, _USUAL_SHARE) for name in chosen}
    for index, name in enumerate(chosen):
        # The last format takes what rounding leaves.
        count = left if name == chosen[-1] else lines * shares[name] // sum(shares.values())
        count -= sum(file.lines for file in odd) if name == chosen[0] != chosen[-1] else 0
        left -= count
        odd_lines = _odd_lines(name, count, catalog, seed)
        if is_mixed:
            files.append(_one_file(name, count, odd_lines, number=len(files), pack=index))
        else:
            files += _day_files(name, count, odd_lines, first_number=len(files))
    return files


def chosen_formats(formats: Sequence[str]) -> list[str]:
    """Return the formats of a sample in their order; `mixed` is all that content shows."""
    found = filter(is_found, FORMATS)
    wanted = {*formats, *(found if MIXED in formats else ())}
    return [name for name in FORMATS if name in wanted]


def is_found(name: str) -> bool:
    """Return whether content shows the format; else a source has to name it."""
    return name not in KINDS or KINDS[name].found_as is not None


def _check(lines: int, seed: int, formats: Sequence[str]) -> None:
    unknown = sorted(set(formats) - {MIXED, *FORMATS})
    if unknown or not formats:
        raise SettingsError(
            f"cannot write a sample of {', '.join(unknown) or 'no format'}; choose from"
            f" {', '.join((MIXED, *FORMATS))}"
        )
    count = len(chosen_formats(formats))
    is_usual = count <= len(USUAL_FORMATS)
    least = LINES_AT_LEAST if is_usual else LINES_PER_FORMAT_AT_LEAST * count
    most = LINES_PER_FILE * count
    if lines < least:
        raise SettingsError(
            f"a sample of {count_of(count, 'format')} needs at least {least:,} lines, not {lines:,}"
        )
    if MIXED in formats and lines > most:
        raise SettingsError(f"a mixed sample has at most {most} lines, not {lines}: name formats")
    if seed < 0:
        raise SettingsError(f"the seed must not be negative, but is {seed}")


def _day_files(
    name: str, lines: int, odd: Sequence[OddLine], *, first_number: int
) -> Iterator[FilePlan]:
    parts = -(-lines // (DAYS * LINES_PER_FILE))
    count = parts * DAYS
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


def _one_file(name: str, lines: int, odd: Sequence[OddLine], *, number: int, pack: int) -> FilePlan:
    ending, packed = _PACKS[pack % len(_PACKS)]
    stem, suffix = _stem(name)
    return FilePlan(
        name=f"{name}/{stem}{suffix}{ending}",
        format=name,
        number=number,
        day=FIRST_DAY,
        lines=lines,
        odd=tuple(odd),
        pack=packed,
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
        (f"small{suffix}.bz2", bz2.compress, "ok"),
        (f"small{suffix}.zst", _zstd, "ok"),
    ]
    unreadable: list[tuple[str, Pack, str, str | None]] = [
        (f"cut{suffix}.gz", lambda data: _gzip(data)[:-40], "corrupt_gzip", None),
        (f"cut{suffix}.bz2", lambda data: bz2.compress(data)[:-40], "corrupt_gzip", None),
        (f"cut{suffix}.zst", lambda data: _zstd(data)[:-40], "corrupt_gzip", None),
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
            # Other kinds of compression give nothing before a block is whole.
            shows_format=file == f"cut{suffix}.gz",
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


def _zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


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


_PACKS: tuple[tuple[str, Pack], ...] = (
    ("", bytes),
    (".gz", _gzip),
    (".bz2", bz2.compress),
    (".zst", _zstd),
)
