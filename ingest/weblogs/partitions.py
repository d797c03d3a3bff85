"""Partitions of a read: what lies at its paths, cut as an ingest cuts it into tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pyspark.sql.datasource import InputPartition

from ingest.errors import ObjectUnreadable, SettingsError
from ingest.job.discover import Listing, list_source, log_name, open_place
from ingest.job.plan import ObjectRange, task_ranges
from ingest.job.readings import Reading
from ingest.settings import ParseSettings, Source
from ingest.terminal.text import printable
from ingest.weblogs.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPartition(InputPartition):
    """Ranges of objects in the storage `root`, to be parsed by `parse`. Plain values only.

    `ingest_time` (UTC) is when the query was planned.
    """

    root: str
    ranges: tuple[ObjectRange, ...]
    parse: ParseSettings
    ingest_time: datetime


def check_paths(options: Options) -> None:
    """Raise SettingsError when a folder is missing or a scheme is unknown."""
    for path in options.paths:
        if open_place(path) is None:
            raise _nothing_at(path)


def partitions(options: Options, *, ingest_time: datetime) -> Iterator[LogPartition]:
    """Yield a partition for each range of a large file, or for some small or compressed files.

    Raises SettingsError when nothing lies at a path, ObjectUnreadable for what cannot be read.
    """
    check_paths(options)
    for path in options.paths:
        listing = list_source(Source(name=options.name or "weblogs", uri=path))
        _check_listing(listing, path)
        readings = [
            Reading(name=_name(options, listing, key), found=found)
            for key, found in listing.objects.items()
        ]
        for ranges, parse in task_ranges(
            readings, listing.root, parse=options.parse, range_bytes=options.range_bytes
        ):
            yield LogPartition(
                root=listing.root.uri, ranges=ranges, parse=parse, ingest_time=ingest_time
            )


def _check_listing(listing: Listing, path: str) -> None:
    """Raise the error of `partitions`. An empty folder is a place, a pattern or prefix is none."""
    for failed in listing.failed:
        place = printable(f"{listing.root.uri}/{failed.key}")
        raise ObjectUnreadable(f"{place} cannot be read: {failed.reason}")
    if not listing.objects and not listing.special and not Path(path).is_dir():
        raise _nothing_at(path)


def _nothing_at(path: str) -> SettingsError:
    return SettingsError(f"there is nothing at {printable(path)}: correct the path")


def _name(options: Options, listing: Listing, key: str) -> str:
    """Return the name of the log, as an ingest gives it to the source of that name."""
    if options.name is None:
        return f"{listing.root.uri}/{key}"
    return log_name(listing.source, listing.root, key)
