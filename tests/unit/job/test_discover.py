"""Discovery: what is new, what changed, what came twice, and places that must not overlap."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import ObjectUnreadable, SettingsError
from ingest.job.discover import (
    Batch,
    Duplicate,
    Listing,
    capped,
    check_collisions,
    check_places,
    list_source,
    local_path,
    match,
    replacement,
    split_duplicates,
)
from ingest.lake.identity import read_content_hash
from ingest.lake.ownership import Owned, Ownership
from ingest.settings import Source
from ingest.storage import Storage, StoredObject

NOTHING = Ownership(last=0, ledger=())


def _source(folder: Path, name: str = "raw") -> Source:
    return Source(name=name, uri=str(folder))


def _files(folder: Path, contents: Mapping[str, bytes]) -> Path:
    for key, data in contents.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _owned(
    listing: Listing, key: str, *, batch: str = "b1", source: str = "raw", etag: str | None = None
) -> Owned:
    stored = listing.objects[key]
    return Owned(
        source_file=key,
        size=stored.size,
        etag=etag or stored.etag,
        content_hash=read_content_hash(listing.root, stored),
        source=source,
        batch_id=batch,
    )


def _keys(objects: Iterable[StoredObject]) -> list[str]:
    return [stored.key for stored in objects]


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
    reasons = {failed.source_file: failed.reason for failed in listing.failed}
    assert reasons.pop(r"caf\xe9.log") == "its name is not UTF-8: rename it"
    assert "target of its link is gone" in reasons.pop("gone")
    assert list(reasons.values()) == ["its path is longer than 1100 bytes: shorten it"]


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


def test_folder_markers_of_bucket_consoles_are_not_objects(listed: Listed) -> None:
    listing = listed({"logs/": b"", "logs/a": b"", "odd/": b"1"})
    assert list(listing.objects) == ["logs/a", "odd/"]


def test_local_path() -> None:
    assert local_path("file:///a%20b/c") == Path("/a b/c")
    assert local_path("/a%20b/c") == Path("/a%20b/c")
    assert local_path("s3://bucket/c") is None


def test_what_is_owned_is_not_new(listed: Listed) -> None:
    listing = listed({"a": b"1", "b": b"22", "c": b"333"})
    found = match(listing, Ownership(last=1, ledger=(_owned(listing, "a"),)))
    assert (_keys(found.new), found.changed) == (["b", "c"], {})


@pytest.mark.parametrize(("size", "etag"), [(1, "another"), (2, None)])
def test_another_size_or_etag_is_a_change(listed: Listed, size: int, etag: str | None) -> None:
    listing = listed({"a": b"1"})
    owned = replace(_owned(listing, "a", etag=etag), size=size)
    found = match(listing, Ownership(last=1, ledger=(owned,)))
    assert (found.new, found.changed) == ((), {"b1": ["a"]})


def test_what_only_a_replaced_batch_owns_is_new(listed: Listed) -> None:
    listing = listed({"a": b"1"})
    owned = replace(_owned(listing, "a"), replaced_by="b2")
    found = match(listing, Ownership(last=2, ledger=(owned,)))
    assert (_keys(found.new), found.changed) == (["a"], {})


def test_a_changed_object_brings_all_of_its_batch_again(listed: Listed) -> None:
    listing = listed({"a": b"1", "b": b"2", "c": b"3", "d": b"4"})
    ownership = Ownership(
        last=2,
        ledger=(
            _owned(listing, "c", batch="b1"),
            _owned(listing, "a", batch="b1", etag="1-5"),
            _owned(listing, "b", batch="b2"),
        ),
    )
    found = match(listing, ownership)
    assert (_keys(found.new), found.changed) == (["d"], {"b1": ["a"]})
    batch = replacement("b1", ["a"], listing, ownership)
    assert batch == Batch(
        objects=(listing.objects["a"], listing.objects["c"]), replaces=("b1",), changed=("a",)
    )


def test_a_batch_with_a_lost_object_cannot_be_replaced(listed: Listed) -> None:
    listing = listed({"a": b"1", "b": b"2"})
    ledger = (_owned(listing, "a", etag="1-5"), _owned(listing, "b"))
    listing.root.delete(["b"])
    later = listed({})
    with pytest.raises(ObjectUnreadable, match=r"^b of the same batch is gone"):
        replacement("b1", ["a"], later, Ownership(last=1, ledger=ledger))


def _split(
    listing: Listing, ownership: Ownership = NOTHING
) -> tuple[list[str], list[Duplicate], list[str]]:
    read: list[str] = []

    def content_hash(stored: StoredObject) -> str:
        read.append(stored.key)
        return read_content_hash(listing.root, stored)

    new = match(listing, ownership).new
    fresh, duplicates = split_duplicates(new, ownership, content_hash)
    return _keys(fresh), duplicates, read


def test_copies_are_found_by_content_and_only_equal_sizes_are_read(listed: Listed) -> None:
    contents = {"a": b"same", "b": b"size", "c": b"same", "d": b"other", "e": b"", "f": b""}
    fresh, duplicates, read = _split(listed(contents))
    assert fresh == ["a", "b", "d", "e", "f"]
    assert duplicates == [Duplicate(source_file="c", original="a")]
    assert read == ["a", "b", "c"]


def test_a_copy_of_an_owned_object_is_found(listed: Listed) -> None:
    listing = listed({"a": b"same", "b": b"same", "c": b"diff"})
    fresh, duplicates, _ = _split(listing, Ownership(last=1, ledger=(_owned(listing, "b"),)))
    assert fresh == ["c"]
    assert duplicates == [Duplicate(source_file="a", original="b")]


def test_what_cannot_be_read_counts_as_new(listed: Listed) -> None:
    listing = listed({"a": b"same", "b": b"same"})

    def content_hash(_: StoredObject) -> str:
        raise ObjectUnreadable("denied")

    fresh, duplicates = split_duplicates(listing.objects.values(), NOTHING, content_hash)
    assert (_keys(fresh), duplicates) == (["a", "b"], [])


def test_caps_leave_the_rest_for_the_next_batch() -> None:
    objects = [StoredObject(key=f"{index}", size=10, etag="x") for index in range(5)]
    assert capped(objects) == tuple(objects)
    assert capped(objects, max_objects=2) == tuple(objects[:2])
    assert capped(objects, max_bytes=30) == tuple(objects[:3])
    assert capped(objects, max_bytes=29) == tuple(objects[:2])
    assert capped(objects, max_bytes=5) == tuple(objects[:1])
    assert capped([]) == ()


def test_two_sources_must_not_share_a_key(listed: Listed) -> None:
    web = listed({"a.log": b"1", "w": b""}, "web")
    shop = listed({"a.log": b"2"}, "shop")
    with pytest.raises(SettingsError, match=r"sources web and shop both have a\.log"):
        check_collisions([web, shop], NOTHING, configured={"web", "shop"})
    check_collisions([web], NOTHING, configured={"web", "shop"})


def test_a_key_that_another_source_brought_before_is_a_collision(listed: Listed) -> None:
    shop = listed({"a.log": b"2"}, "shop")
    ownership = Ownership(last=1, ledger=(_owned(shop, "a.log", source="web", etag="1-5"),))
    with pytest.raises(SettingsError, match="sources web and shop"):
        check_collisions([shop], ownership, configured={"web", "shop"})
    check_collisions([shop], ownership, configured={"shop"})  # web was renamed to shop
