"""A folder with a file of each format, some compressed, some broken, in one run without Spark."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.every_format import check_every_format, write_every_format
from fixtures.memory_warehouse import MemoryWarehouse
from support.memory_lake import Site, pages, paths_in

from ingest.job.run import RunTasks, ingest
from ingest.lake.ownership import read_ownership
from ingest.parse.registry import in_format_so_far
from ingest.settings import ParseSettings, Settings
from ingest.storage import open_storage

ALB = (
    b"https 2024-05-06T07:08:09.1Z app/lb/0a1b 198.51.100.7:401 192.0.2.20:80 0.1 0.2 0.3 502 -"
    b' 5 8 "GET https://shop.example:443/ HTTP/2.0" "a" ECDHE TLSv1.2 arn "Root=1" "a" "-"\n'
)


def test_a_folder_with_every_format(
    make_settings: Callable[..., Settings], run_tasks_here: RunTasks, tmp_path: Path
) -> None:
    every = write_every_format(tmp_path)
    settings = make_settings(*every.sources(str(tmp_path)))

    check_every_format(
        every,
        settings,
        MemoryWarehouse(),
        run_tasks_here,
        name_of=lambda key: f"{_source(key, every.settings)}/{key}",
    )


def _source(key: str, named: Collection[str]) -> str:
    kind = key.partition("/")[0]
    return kind if kind in named else "found"


@pytest.mark.parametrize("range_bytes", [1 << 14, 1 << 20])
def test_a_log_stays_in_the_format_of_its_first_lines(site: Site, range_bytes: int) -> None:
    """Also when most of its first 64 KiB are of another one later, in ranges and whole."""
    source = replace(site.settings.sources[0], reject_limit_ratio=1.0)
    settings = replace(site.settings, range_bytes=range_bytes, sources=(source,))
    site.put("a.log", 3)
    ingest(settings, site.run_tasks)
    site.raw.put("a.log", site.lines(3) + ALB * 200 + site.lines(5)[len(site.lines(3)) :])
    ingest(settings, site.run_tasks)
    assert paths_in(settings) == pages("a.log", 0, 5)
    (log,) = read_ownership(open_storage(settings.lake)).logs.values()
    assert log.source_format == "access"


@pytest.mark.parametrize(
    ("parse", "known", "expected"),
    [
        (ParseSettings(), "alb", "alb"),
        (ParseSettings(), None, "auto"),
        (ParseSettings(format="access"), "alb", "access"),
        # What only settings of an earlier run could name.
        (ParseSettings(), "cloudfront_rt", "auto"),
        (ParseSettings(), "shop", "auto"),
        (ParseSettings(log_format="%h"), "alb", "auto"),
    ],
)
def test_settings_that_name_a_format_count(
    parse: ParseSettings, known: str | None, expected: str
) -> None:
    assert in_format_so_far(parse, known).format == expected
