"""An answer that says nothing but success is counted; every other one is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.search.all_indexed import AllIndexed, read_all_indexed
from ingest.search.client import _Answers

NEW: dict[str, Any] = {"index": {"status": 201}}
OLD: dict[str, Any] = {"index": {"status": 200}}
ODD: dict[str, Any] = {"index": {"status": 409, "error": {"type": "x", "reason": "y"}}}


def answer(*items: dict[str, Any], errors: bool = False) -> bytes:
    return json.dumps({"errors": errors, "items": items}, separators=(",", ":")).encode()


@pytest.mark.parametrize("items", [[], [NEW], [OLD], [NEW, OLD, NEW]])
def test_success_is_counted(items: list[dict[str, Any]]) -> None:
    found = read_all_indexed(answer(*items))
    assert found == {
        "errors": False,
        "items": AllIndexed(created=items.count(NEW), updated=items.count(OLD)),
    }
    assert len(found["items"]) == len(items)


@pytest.mark.parametrize(
    "raw",
    [
        answer(NEW, ODD),
        answer(NEW, ODD, errors=True),
        answer(NEW, OLD, errors=True),
        answer(NEW, {"delete": {"status": 200}}),
        answer(NEW, {"index": {"status": 202}}),
        answer(NEW)[:-1],
        answer(NEW) + b"]",
        answer(NEW, NEW).replace(b",", b" "),
        b"{}",
        b"",
    ],
)
def test_anything_else_is_not(raw: bytes) -> None:
    assert read_all_indexed(raw) is None


def test_the_client_reads_both() -> None:
    assert _Answers().loads(answer(NEW, OLD))["items"] == AllIndexed(created=1, updated=1)
    assert _Answers().loads(answer(NEW, ODD))["items"] == [NEW, ODD]
