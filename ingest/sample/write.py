"""Writes the files of a sample and its truth.json, file by file, so memory stays bounded."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ingest.errors import SettingsError
from ingest.sample.kind import RequestWriter
from ingest.sample.kinds import KINDS
from ingest.sample.lines import Sheet, Writer
from ingest.sample.lines_access import AccessWriter
from ingest.sample.lines_csv import CsvWriter
from ingest.sample.odd import OddLine
from ingest.sample.plan import USUAL_FORMATS, FilePlan, chosen_formats, is_found, plan
from ingest.sample.truth import FileTruth, Tally
from ingest.sample.visits import Shop, draw_hits, open_shop
from ingest.sample.vocabulary import load_catalog

RAW, TRUTH = "raw", "truth.json"
# Names what this command has written, so that it never touches anything else.
OURS = ".sample-files.json"
SESSIONS_PER_FILE = 1_000_000
# Its logs are finished: a last line without its end waits for less than that in any source.
_AGE = timedelta(days=8)

logger = logging.getLogger(__name__)


def write_sample(
    directory: Path, *, lines: int, seed: int, formats: Sequence[str] = USUAL_FORMATS
) -> dict[str, Any]:
    """Write raw logs below `directory`/raw and the expected numbers; return these numbers.

    `lines` is what a reader counts over all files (a CSV record is one line). The same arguments
    give the same bytes; a file that holds them already is left untouched, so that a second run
    brings nothing new. Files of an earlier sample are replaced or removed. Raises SettingsError
    for bad arguments, when a file is in the way that no sample has written, and when `directory`
    cannot be written.
    """
    try:
        return _write_sample(directory, lines=lines, seed=seed, formats=formats)
    except OSError as error:
        raise SettingsError(
            f"{error.filename or directory} cannot be written ({error.strerror}): choose another"
            " folder or free some space"
        ) from error


def _write_sample(
    directory: Path, *, lines: int, seed: int, formats: Sequence[str]
) -> dict[str, Any]:
    shop = open_shop(load_catalog(), lines=lines, seed=seed)
    files = plan(shop.catalog, lines=lines, seed=seed, formats=formats)
    writers = _writers(shop)
    _claim(directory, [file.name for file in files])
    tally = Tally()
    truths = {}
    for file in files:
        data, truths[file.name] = _draw_file(file, shop, writers[file.format], tally, seed)
        _put(directory / RAW / file.name, file.pack(data), scratch=directory, age=_AGE)
        logger.debug("wrote %s", file.name)
    chosen = chosen_formats(formats)
    given = {
        "lines": lines,
        "seed": seed,
        "formats": chosen,
        "settings": {name: KINDS[name].settings for name in chosen if not is_found(name)},
    }
    truth = {"sample": given, **tally.truth(truths)}
    text = json.dumps(truth, indent=1, sort_keys=True) + "\n"
    _put(directory / TRUTH, text.encode(), scratch=directory)
    return truth


def _writers(shop: Shop) -> dict[str, Writer]:
    return {
        "combined": AccessWriter(shop, splunk=False),
        "schematic-csv": CsvWriter(shop),
        "splunk_tutorial": AccessWriter(shop, splunk=True),
        **{name: RequestWriter(shop, kind) for name, kind in KINDS.items()},
    }


def _draw_file(
    file: FilePlan, shop: Shop, writer: Writer, tally: Tally, seed: int
) -> tuple[bytes, FileTruth]:
    """Return the content of a file before it is packed, and the verdict on it."""
    truth = FileTruth(kind=file.format, file_status=file.file_status, reason=file.reason)
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, file.number])))
    hits = draw_hits(
        shop,
        rng,
        # An unreadable file has some lines all the same.
        count=(file.lines or 20) - len(writer.header_codes) - len(file.odd),
        window=file.window,
        events_only=writer.events_only,
    )
    number = seed % 1000 * 10_000 + file.number
    sheet = Sheet(day=file.day, first_session=number * SESSIONS_PER_FILE)
    texts = writer.lines(hits, sheet)
    _mix_in(texts, file.odd, rng, writer.line_end)
    if file.shows_format:
        truth.source_format = writer.source_format
    if file.keeps_lines:
        facts = writer.facts(hits, sheet)
        tally.add(facts)
        truth.add_lines("warn" if writer.codes else "ok", writer.codes, count=len(hits))
        for code in writer.header_codes:
            truth.add_lines("skip", [code])
        truth.add_facts(facts)
        _count_odd(file.odd, truth, tally)
    return (writer.header + "".join(texts)).encode("utf-8", "surrogateescape"), truth


def _mix_in(
    texts: list[str], odd: Iterable[OddLine], rng: np.random.Generator, line_end: str
) -> None:
    """Add the odd lines after random lines: never first, since the head tells the format."""
    for line in sorted(odd, key=lambda line: line.stays_last):
        position = -1 if line.stays_last else int(rng.random() * (len(texts) - 1))
        texts[position] += line.text + line_end


def _count_odd(odd: Iterable[OddLine], truth: FileTruth, tally: Tally) -> None:
    for line in odd:
        truth.add_lines(line.verdict, line.codes)
        truth.more_events += max(0, len(line.events) - 1)
        for event in line.events:
            truth.add_event(event)
            tally.add_event(event)


def _claim(directory: Path, names: Sequence[str]) -> None:
    """Note the files to come as ours, and remove those of an earlier sample that are not needed.

    Raises SettingsError when one of the names is taken by a file that is not ours.
    """
    note = directory / OURS
    ours = _ours(note)
    foreign = [directory / RAW / name for name in names if name not in ours]
    for path in foreign if note.exists() else [*foreign, directory / TRUTH]:
        if path.exists():
            raise SettingsError(
                f"{path} was not written by `clickstream sample`: move it away or choose another"
                " folder"
            )
    _put(note, json.dumps(sorted(ours | set(names)), indent=1).encode(), scratch=directory)
    for name in sorted(ours - set(names)):
        (directory / RAW / name).unlink(missing_ok=True)
    _put(note, json.dumps(sorted(names), indent=1).encode(), scratch=directory)


def _ours(note: Path) -> set[str]:
    """Return the names of an earlier sample's files below raw/, none without a note of them."""
    if not note.exists():
        return set()
    try:
        return set(map(str, json.loads(note.read_text(encoding="utf-8"))))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"{note} is damaged, so it does not say which files belong to the sample: delete its"
            " folder or choose another"
        ) from error


def _put(path: Path, data: bytes, *, scratch: Path, age: timedelta = timedelta()) -> None:
    """Write a file at once or not at all; leave it untouched when it holds `data` already.

    It looks as if it was last written `age` ago.
    """
    if path.exists() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not beside it: an ingest that runs now must not see half a file.
    partial = scratch / f".{path.name}.partial"
    partial.write_bytes(data)
    written = time.time_ns() - age // timedelta(microseconds=1) * 1_000
    os.utime(partial, ns=(written, written))
    partial.replace(path)
