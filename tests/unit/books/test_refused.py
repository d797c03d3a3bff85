"""Objects of which nothing was loaded are named, and may be too many: section 7.14."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fixtures.records import make_draft, raw_object

from ingest.books.refused import refused_by, refused_problems
from ingest.job.discover import Failed
from ingest.job.run import IngestSummary
from ingest.lake.records import BatchRecord
from ingest.lake.refused import Refused, RefusedObject, refused_text
from ingest.settings import Settings

INGESTED = IngestSummary(sealed=(), elsewhere=(), duplicates=(), failed=(), waiting={}, seconds=0.0)


def record(*statuses: str, source: str = "raw") -> BatchRecord:
    """Return a batch of one object a status, each with its status as reason."""
    objects = [
        replace(raw_object(f"{source}/{n}.log", status=status), file_reason=f"why {status}")
        for n, status in enumerate(statuses)
    ]
    return replace(make_draft(source, *objects), source=source)


def problems(settings: Settings, *records: BatchRecord) -> list[tuple[str, int]]:
    return list(refused_problems(settings, replace(INGESTED, sealed=records)))


def test_refused_broken_and_unreadable_objects_are_named() -> None:
    sealed = record("ok", "rejected", "empty", "corrupt_gzip", "failed", "misnamed")
    failed = (Failed(key="4.log", reason="denied"), Failed(key="b", reason="gone"))

    found = refused_by(replace(INGESTED, sealed=(sealed,), failed=failed))

    assert [(one.source_file, one.file_status, one.file_reason) for one in found.objects] == [
        ("raw/1.log", "rejected", "why rejected"),
        ("raw/3.log", "corrupt_gzip", "why corrupt_gzip"),
        ("4.log", "failed", "denied"),
        ("b", "failed", "gone"),
    ]
    assert found.count == 4


def test_the_first_five_are_named_and_how_to_see_all() -> None:
    found = refused_by(replace(INGESTED, sealed=(record(*["rejected"] * 1_007),)))

    text = refused_text(found)

    assert text.startswith(
        "1,007 objects refused or unreadable: raw/0.log (rejected: why rejected)"
    )
    assert text.endswith(
        "raw/4.log (rejected: why rejected) and 1,002 more "
        "(see all with: clickstream status --json); how to fix them: clickstream status --rejects"
    )


def test_a_name_cannot_steer_the_terminal() -> None:
    one = RefusedObject(source_file="a\x1b[2J", file_status="rejected", file_reason=None)

    text = refused_text(Refused(count=1, objects=(one,)))

    assert text.startswith(r"1 object refused or unreadable: a\x1b[2J (rejected); ")


def test_what_could_not_be_read_needs_no_remedy() -> None:
    one = RefusedObject(source_file="a", file_status="failed", file_reason="denied")
    assert refused_text(Refused(count=1, objects=(one,))).endswith("a (failed: denied)")
    assert refused_text(Refused(count=0, objects=())) == ""


@pytest.mark.parametrize(
    ("statuses", "fails"),
    [
        (["rejected"], True),
        (["rejected", "corrupt_gzip", "failed", "empty"], True),
        (["rejected", "ok"], False),
        (["corrupt_gzip", "trailing_garbage"], False),
        (["empty"], False),
        ([], False),
    ],
)
def test_it_is_an_error_when_all_content_was_refused(
    make_settings: Callable[..., Settings], statuses: list[str], fails: bool
) -> None:
    found = problems(make_settings(), record(*statuses)) if statuses else problems(make_settings())

    assert [code for _, code in found] == ([1] if fails else [])


@pytest.mark.parametrize(("limit", "exceeded"), [(None, False), (0, True), (1, True), (2, False)])
def test_a_source_may_limit_what_is_refused(
    make_settings: Callable[..., Settings], limit: int | None, exceeded: bool
) -> None:
    """What could not be read is not refused, and other sources have their own limit."""
    settings = make_settings()
    (raw,) = settings.sources
    settings = replace(settings, sources=(replace(raw, refused_limit=limit),))

    found = problems(
        settings,
        record("ok", "rejected", "corrupt_gzip", "failed"),
        record("rejected", source="other"),
    )

    expected = ("source raw: 2 objects refused, more than its refused_limit of ", 3)
    assert [(text.rstrip("0123456789"), code) for text, code in found] == (
        [expected] if exceeded else []
    )
