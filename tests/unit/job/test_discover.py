"""Discovery: what lies in a source, what it is called, and places that must not overlap."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from fixtures.storage import CountingStorage
from support.memory_lake import Site

from ingest.errors import SettingsError
from ingest.job.copies import split_copies
from ingest.job.discover import (
    Listing,
    check_listed_once,
    check_places,
    list_source,
    local_path,
    log_name,
)
from ingest.job.follow import New
from ingest.job.readings import Reading, batches
from ingest.job.run import IngestSummary
from ingest.lake.ownership import Ownership, read_ownership
from ingest.settings import Source
from ingest.storage import Storage, StoredObject, open_storage

FIRST = 64 << 10  # bytes that are looked at before an object is read whole


def _source(folder: Path, name: str = "raw") -> Source:
    return Source(name=name, uri=str(folder))


def _files(folder: Path, contents: Mapping[str, bytes]) -> Path:
    for key, data in contents.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def listed(in_memory: Callable[[str], Storage]) -> Callable[..., Listing]:
    """Return the listing of a source in memory, named `raw` unless told, with these contents."""

    def listed(contents: Mapping[str, bytes], name: str = "raw") -> Listing:
        root = in_memory(name)
        for key, data in contents.items():
            root.put(key, data)
        return list_source(Source(name=name, uri=root.uri))

    return listed


Listed = Callable[..., Listing]


def test_all_files_of_a_folder_are_listed(tmp_path: Path) -> None:
    _files(tmp_path, {"b": b"1", "a/c.gz": b"22", "_x": b"", ".y": b"3"})
    listing = list_source(_source(tmp_path))
    assert {key: stored.size for key, stored in listing.objects.items()} == {
        ".y": 1, "_x": 0, "a/c.gz": 2, "b": 1,
    }  # fmt: skip
    assert listing.failed == ()


def test_special_files_are_passed_over(tmp_path: Path) -> None:
    """As in the image of nginx, whose logs are links to its terminal."""
    _files(tmp_path, {"a.log": b"1"})
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "error.log").symlink_to("/dev/null")
    (tmp_path / "gone.log").symlink_to("nowhere")
    listing = list_source(_source(tmp_path))
    assert list(listing.objects) == ["a.log"]
    assert listing.special == ("error.log", "pipe.log")
    assert [one.key for one in listing.failed] == ["gone.log"]


def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    _files(tmp_path, {"a.log": b"1", "a.log.1": b"2", "b/a.log": b"3"})
    listing = list_source(_source(tmp_path / "a.log"))
    assert list(listing.objects) == ["a.log"]
    assert listing.root.uri == str(tmp_path)


def test_a_missing_source_names_itself_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"source web: there is no folder .*/none; create it"):
        list_source(_source(tmp_path / "none", "web"))


def test_what_cannot_become_an_event_id_is_reported(tmp_path: Path) -> None:
    _files(tmp_path, {"good": b"1", f"{'d' * 250}/" * 5 + "long": b"1"})
    with open(os.fsencode(tmp_path) + b"/caf\xe9.log", "wb"):  # noqa: PTH123
        pass
    (tmp_path / "gone").symlink_to("nowhere")
    listing = list_source(_source(tmp_path))
    assert list(listing.objects) == ["good"]
    reasons = {failed.key: failed.reason for failed in listing.failed}
    assert reasons.pop(r"caf\xe9.log") == "its name is not UTF-8: rename it"
    assert "the target of its link is gone" in reasons.pop("gone")
    assert list(reasons.values()) == ["its path is longer than 1084 bytes: shorten it"]


@pytest.mark.parametrize(
    ("raw", "lake"),
    [("data", "data/lake"), ("data/lake/events", "data/lake"), ("data", "data")],
    ids=["lake in source", "source in lake", "the same folder"],
)
def test_source_and_lake_must_be_apart(tmp_path: Path, raw: str, lake: str) -> None:
    with pytest.raises(SettingsError, match=r"source raw \(.*\) and the lake \(.*\) overlap: use"):
        check_places([_source(tmp_path / raw)], str(tmp_path / lake))


def test_links_do_not_hide_a_lake_in_a_source(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(SettingsError, match="overlap: use separate folders"):
        check_places([_source(tmp_path / "link")], f"file://{tmp_path}/data/lake")


def test_sources_must_be_apart(tmp_path: Path) -> None:
    web = _source(tmp_path / "logs" / "web", "web")
    with pytest.raises(SettingsError, match=r"source all .* and source web"):
        check_places([_source(tmp_path / "logs", "all"), web], str(tmp_path / "lake"))
    check_places([_source(tmp_path / "logs" / "web2"), web], str(tmp_path / "lake"))


def test_places_in_a_bucket_must_be_apart_too() -> None:
    web = Source(name="web", uri="s3://logs/web/")
    for lake in ("s3://logs/web", "s3://logs/web/lake", "s3://logs"):
        with pytest.raises(SettingsError, match=r"source web .* and the lake .* overlap"):
            check_places([web], lake)
    for lake in ("s3://logs/web2", "s3://lake/web", "/logs/web"):
        check_places([web], lake)


def test_local_path() -> None:
    assert local_path("file:///a%20b/c") == Path("/a b/c")
    assert local_path("/a%20b/c") == Path("/a%20b/c")
    assert local_path("s3://bucket/c") is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*access.log*", ["access.log", "access.log.1", "shop-access.log"]),
        ("access.log*", ["access.log", "access.log.1"]),
        ("*/access.log", ["web1/access.log", "web2/access.log"]),
        (
            "**/access.log",
            ["access.log", "web1/access.log", "web1/old/access.log", "web2/access.log"],
        ),
        ("web[12]/*", ["web1/access.log", "web2/access.log"]),
    ],
)
def test_a_pattern_chooses_files(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    keys = (
        "access.log", "access.log.1", "shop-access.log", "error.log", "web1/access.log",
        "web1/old/access.log", "web2/access.log",
    )  # fmt: skip
    _files(tmp_path, dict.fromkeys(keys, b"1"))
    listing = list_source(_source(tmp_path / pattern))
    assert list(listing.objects) == expected
    assert listing.root.uri == str(tmp_path)


def test_a_name_that_looks_like_a_pattern_is_one_file(tmp_path: Path) -> None:
    _files(tmp_path, {"a[1].log": b"1", "a1.log": b"2"})
    assert list(list_source(_source(tmp_path / "a[1].log")).objects) == ["a[1].log"]


def test_two_patterns_of_one_folder_must_not_fit_the_same_file(tmp_path: Path) -> None:
    logs = _files(tmp_path / "logs", {"a.log": b"1", "b.log": b"2"})
    sources = [_source(logs / "a*", "a"), _source(logs / "b*", "b")]
    check_places(sources, str(tmp_path / "lake"))
    check_listed_once([list_source(source) for source in sources])
    everything = list_source(_source(logs / "*.log", "all"))
    with pytest.raises(SettingsError, match=r"sources a and all both list a\.log"):
        check_listed_once([list_source(sources[0]), everything])


def test_a_name_holds_the_source_or_the_bucket(tmp_path: Path) -> None:
    listing = list_source(_source(tmp_path, "web"))
    assert log_name(listing.source, listing.root, "a/b.log") == "web/a/b.log"


def test_caps_leave_the_rest_for_the_next_batch() -> None:
    def sizes(**caps: int) -> list[int]:
        readings = [
            Reading(name=str(i), found=StoredObject(key=str(i), size=10, etag="x"))
            for i in range(5)
        ]
        return [len(batch.readings) for batch in batches(readings, [], **caps)]

    assert sizes() == [5]
    assert sizes(max_objects=2) == [2, 2, 1]
    assert sizes(max_bytes=30) == [3, 2]
    assert sizes(max_bytes=29) == [2, 2, 1]
    assert sizes(max_bytes=5) == [1] * 5
    assert list(batches([], [])) == []


def _split(
    contents: Mapping[str, bytes], root: Storage, known: Ownership | None = None
) -> tuple[list[str], dict[str, str], list[tuple[int, int]]]:
    """Return the keys of what is new of `contents`, the originals of copies, and what was read."""
    for key, data in contents.items():
        root.put(key, data)
    counting = CountingStorage(root)
    new = [New(found=root.stat(key), name=key) for key in contents]
    fresh, copies, _ = split_copies(new, known or Ownership(), counting)
    originals = {one.found.key: one.original for one in copies}
    return [one.name for one in fresh], originals, sorted(counting.ranges)


def test_copies_are_found_by_content_and_only_equal_sizes_are_read(
    in_memory: Callable[[str], Storage],
) -> None:
    contents = {"a": b"same", "b": b"size", "c": b"same", "d": b"other", "e": b"", "f": b""}
    fresh, copies, read = _split(contents, in_memory("copies"))
    assert fresh == ["a", "b", "d", "e", "f"]
    assert copies == {"c": "a"}
    assert read == [(0, 4)] * 3


def test_large_objects_are_read_whole_only_where_their_first_64_kib_agree(
    in_memory: Callable[[str], Storage],
) -> None:
    same, end = b"s" * FIRST, [b"1", b"2"]
    contents = {"a": b"a" + same, "b": same + end[0], "c": same + end[1], "d": same + end[0]}
    fresh, copies, read = _split(contents, in_memory("copies"))
    assert fresh == ["a", "b", "c"]
    assert copies == {"d": "b"}
    assert read == [(0, FIRST)] * 4 + [(0, FIRST + 1)] * 3


@pytest.mark.parametrize("pack", [bytes, partial(gzip.compress, compresslevel=0, mtime=0)])
def test_large_objects_are_compared_with_what_is_known_of_those_read_before(
    pack: Callable[[bytes], bytes],
    site: Site,
    ingest_here: Callable[..., IngestSummary],
    access_lines: Callable[..., bytes],
) -> None:
    contents = [pack(access_lines(2, first=number, pad=40_000)) for number in (10, 20)]
    site.raw.put("known", contents[0])
    ingest_here()
    ledger = read_ownership(open_storage(site.settings.lake))

    assert len(contents[0]) == len(contents[1]) > FIRST
    assert _split({"new": contents[1]}, site.raw, ledger) == (["new"], {}, [(0, FIRST)])
    _, copies, read = _split({"copy": contents[0]}, site.raw, ledger)
    assert (copies, len(read)) == ({"copy": "known"}, 2)


def test_a_copy_of_what_was_refused_is_known_too(
    site: Site, ingest_here: Callable[..., IngestSummary]
) -> None:
    """Nothing was consumed of it, so the ledger has no head to compare with."""
    content = b"\x00\x01 no log\n" * 8_000
    site.raw.put("known", content)
    ingest_here()
    ledger = read_ownership(open_storage(site.settings.lake))

    assert _split({"copy": content}, site.raw, ledger)[1] == {"copy": "known"}


def test_a_copy_whose_first_64_kib_hold_no_content_is_known_too(
    site: Site, ingest_here: Callable[..., IngestSummary], access_lines: Callable[..., bytes]
) -> None:
    plain = gzip.compress(access_lines(2), mtime=0)
    named = plain[:3] + b"\x08" + plain[4:10] + b"n" * FIRST + b"\0" + plain[10:]
    site.raw.put("known", named)
    assert ingest_here().sealed[0].totals.events == 2
    ledger = read_ownership(open_storage(site.settings.lake))

    assert _split({"copy": named}, site.raw, ledger)[1] == {"copy": "known"}
