"""`verify` sees every difference between the index and the lake, landing and the marts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from fixtures.verified import EVENTS, Books

from ingest.books.verify import verify
from ingest.lake.checks import Check
from ingest.search.contents import Contents
from ingest.search.proof import Proof


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, []),
        ({"documents": EVENTS - 2, "dead": 2}, []),
        ({"documents": EVENTS - 2, "expired": 2}, []),
        ({"documents": EVENTS - 1}, ["index i = lake"]),
        ({"documents": EVENTS + 1}, ["index i = lake"]),
        ({"pending": (2,)}, ["batches that index and lake disagree on"]),
        ({"problems": ("batch 1: too many",)}, ["batches that index and lake disagree on"]),
    ],
)
def test_an_index_with_other_documents_is_seen(
    books: Books, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], wrong: list[str]
) -> None:
    proof = Proof(
        index="i", documents=EVENTS, dead=0, expected=EVENTS, complete=(books.record.batch_id,),
        pending=(), problems=(),
    )  # fmt: skip
    monkeypatch.setattr("ingest.search.export.verify", lambda _settings: replace(proof, **changes))

    assert books.wrong() == wrong


@pytest.mark.parametrize(("max_dead", "code"), [(0, 3), (1, 3), (2, 0)])
def test_more_dead_letters_than_allowed_are_no_success(
    books: Books, monkeypatch: pytest.MonkeyPatch, max_dead: int, code: int
) -> None:
    seal: Any = SimpleNamespace(dead=2)
    proof = Proof(
        index="i", documents=EVENTS - 2, dead=2, expected=EVENTS, pending=(), problems=(),
        complete=(books.record.batch_id,), sealed=((books.record, seal),),
    )  # fmt: skip
    monkeypatch.setattr("ingest.search.export.verify", lambda _settings: proof)
    settings = books.hop.settings
    settings = replace(settings, search=replace(settings.search, max_dead=max_dead))

    found = verify(settings, books.warehouse)

    assert (found.balanced, found.exit_code) == (True, code)
    said = [note for note in found.notes if f"of batch 1 than search.max_dead = {max_dead}" in note]
    assert bool(said) == bool(code)
    wrong = Check(name="a", expected=1, found=2)
    assert replace(found, checks=(wrong,)).exit_code == 4


def test_the_index_is_compared_with_landing_too(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Index and lake agree on both batches; landing has only one of them, then the other one."""
    other = books.hop.add_log("two.log", 5)
    proof = Proof(
        index="i", documents=EVENTS + 5, dead=0, expected=EVENTS + 5, problems=(), pending=(),
        complete=(books.record.batch_id, other.batch_id),
    )  # fmt: skip
    monkeypatch.setattr("ingest.search.export.verify", lambda _settings: proof)

    ahead = {check.name: check for check in books.verify().checks}
    proof = replace(proof, complete=(other.batch_id,))
    books.hop.load()
    behind = {check.name: check for check in books.verify().checks}

    check = ahead["batches in the index = landing"]
    assert (check.expected, check.found) == (2, 1)
    assert check.detail == f"only in the index: {other.batch_id}; run `clickstream load`"
    check = behind["batches in the index = landing"]
    assert (check.expected, check.found) == (2, 1)
    assert check.detail == (f"only in landing: {books.record.batch_id}; run `clickstream export`")


@pytest.fixture
def valued(books: Books, monkeypatch: pytest.MonkeyPatch) -> Books:
    """Books with an index that was compared by value, and marts with the values of the lake."""
    contents = Contents(checks=(Check(name="index status = lake", expected=1, found=1),))
    proof = Proof(
        index="i", documents=EVENTS, dead=0, expected=EVENTS, complete=(books.record.batch_id,),
        pending=(), problems=(), contents=replace(contents, notes=("what was not compared",)),
    )  # fmt: skip
    monkeypatch.setattr("ingest.search.export.verify", lambda _settings: proof)
    brand = {"product_id": "fs-sg-g03", "brand": "Norda"}
    books.warehouse.make("clickstream_seeds.products", [brand] * 2)
    response = {"status_code": 200, "total_events": EVENTS}
    books.warehouse.make("clickstream.number_of_events_per_http_response", [response])
    books.warehouse.make(
        "clickstream.number_of_events_per_brand", [{"brand": "Norda", "total_events": 1}]
    )
    views = {"sessionid": "S1", "action": "view", "total_events": 1}
    books.warehouse.make("clickstream.number_of_views_per_session", [views])
    return books


def test_marts_with_the_values_of_the_lake_balance(valued: Books) -> None:
    result = valued.verify()
    assert result.balanced
    assert "what was not compared" in result.notes
    assert [(one.name, one.found) for one in result.checks[-5:]] == [
        ("index status = lake", 1),
        ("marts status = lake", 1),
        ("marts brand = lake", 1),
        ("marts action = lake", 1),
        ("marts sessions = lake", 1),
    ]


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("status", "update clickstream.number_of_events_per_http_response set status_code = 404"),
        ("brand", "update clickstream.number_of_events_per_brand set brand = 'Other'"),
        ("action", "update clickstream.number_of_views_per_session set action = 'purchase'"),
        (
            "sessions",
            "insert into clickstream.number_of_views_per_session values ('S2', 'view', 0)",
        ),
    ],
)
def test_a_mart_with_other_values_and_the_same_total_is_seen(
    valued: Books, name: str, spoil: str
) -> None:
    valued.warehouse.change(spoil)
    result = valued.verify()
    (wrong,) = (check for check in result.checks if not check.ok)
    assert wrong.name == f"marts {name} = lake"
    assert wrong.detail == "run `clickstream run --full-refresh`"
    assert result.marts_differ


def test_a_mart_without_its_columns_is_a_difference(valued: Books) -> None:
    valued.make_mart("number_of_events_per_brand", 1)
    (wrong,) = (check for check in valued.verify().checks if not check.ok)
    assert wrong.name == "marts by value"
    assert wrong.detail.endswith("run `clickstream run --full-refresh`")
