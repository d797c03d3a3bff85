"""The export to a search server that is soon overloaded and takes no large request.

One writer thread, one request that waits for it, 300 kB of memory for requests, 1 MB for each.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from elasticsearch import ApiError, Elasticsearch
from support.batches import Log, export, run_at_once
from support.exact import assert_exact

from ingest.search.bulk import Sender
from ingest.search.export import export as export_with
from ingest.search.export import verify
from ingest.settings import Settings

pytestmark = pytest.mark.integration

WRITERS = 12


@pytest.fixture
def search_server(weak_search_server: str) -> str:
    """The server of this module: other fixtures take it too."""
    return weak_search_server


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, int]]:
    """How often a request, and an item of one, had which status; pauses are short meanwhile."""
    monkeypatch.setattr("ingest.search.patience._LONGEST_PAUSE", 0.05)
    found: Counter[tuple[str, int]] = Counter()
    sorted_out, whole = Sender._sorted_out, Sender._refused

    def note_items(sender: Sender, work: Any, answers: Sequence[Any]) -> Any:
        found.update(("item", one["status"]) for item in answers for one in item.values())
        return sorted_out(sender, work, answers)

    def note_request(sender: Sender, work: Any, error: ApiError) -> Any:
        found["request", error.status_code] += 1
        return whole(sender, work, error)

    monkeypatch.setattr(Sender, "_sorted_out", note_items)
    monkeypatch.setattr(Sender, "_refused", note_request)
    return found


def test_documents_that_an_overloaded_server_refuses_are_sent_again(
    settings: Settings, log: Log, elastic: Elasticsearch, refused: Counter[tuple[str, int]]
) -> None:
    log.seal(*(log.events(range(i * 40, i * 40 + 40)) for i in range(WRITERS)))
    summary = export_with(settings, partial(run_at_once, most_bytes=10_000))
    assert refused["item", 429] > 0
    assert (summary.created, summary.total, summary.dead) == (480, 480, 0)
    assert (summary.retries > 0, summary.exit_code) == (True, 0)
    assert_exact(settings, elastic, range(480))


def test_a_request_that_can_never_pass_is_halved_until_it_does(
    settings: Settings, log: Log, elastic: Elasticsearch, refused: Counter[tuple[str, int]]
) -> None:
    log.seal(log.events(range(700), user_agent="x" * 1_500))  # 1.2 MB
    summary = export(settings)
    assert refused["request", 413] > 0
    assert refused["request", 429] >= 3
    assert (summary.created, summary.total, summary.exit_code) == (700, 700, 0)
    assert_exact(settings, elastic, range(700))


def test_a_document_too_large_for_the_server_is_a_dead_letter(
    settings: Settings, log: Log, refused: Counter[tuple[str, int]]
) -> None:
    rows = log.events(range(20))
    rows[7]["user_agent"] = "x" * 1_100_000
    log.seal(rows)
    summary = export(settings)
    assert refused["request", 413] > 0
    assert (summary.created, summary.dead, summary.exit_code) == (19, 1, 3)
    (key,) = summary.dead_files
    (letter,) = map(json.loads, gzip.decompress(log.lake.read(key)).splitlines())
    assert (letter["row"], letter["status"], letter["type"]) == (7, 413, "too_large")
    assert letter["doc"]["user_agent"]["original"] == rows[7]["user_agent"]
    proof = verify(settings)
    assert proof is not None
    assert (proof.documents, proof.dead, proof.expected, proof.problems) == (19, 1, 20, ())
    assert export(settings).batches == ()
