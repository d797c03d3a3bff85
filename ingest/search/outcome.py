"""What the answers to a bulk request mean: one table, no state."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from ingest.search.all_indexed import AllIndexed
from ingest.search.client import ApiError

CREATED = 201
_LONGEST_RETRY_AFTER = 60.0


class Outcome(Enum):
    """What an item of a response means for its document."""

    INDEXED = auto()
    VERSION_CONFLICT = auto()
    RETRY = auto()
    SERVER_ERROR = auto()
    DISK_FULL = auto()
    STOP = auto()
    DEAD = auto()


STOPPING = {
    (400, "index_closed_exception"): "is closed: open it",
    (403, "cluster_block_exception"): "is blocked for writing: remove the block",
    (403, "security_exception"): "refuses the key or user: grant it the privilege `write`",
    (404, "index_not_found_exception"): "is gone: run `clickstream export` again",
}


def outcome_of(status: int, kind: str | None) -> Outcome:
    """Return what an item's `status` and error type (None without an error) mean."""
    if kind is None:
        return Outcome.INDEXED
    if status == 409 and kind == "version_conflict_engine_exception":
        return Outcome.VERSION_CONFLICT
    if (status, kind) in STOPPING:
        return Outcome.STOP
    if status == 429 and kind == "cluster_block_exception":
        return Outcome.DISK_FULL
    if status in (429, 503):
        return Outcome.RETRY
    return Outcome.SERVER_ERROR if status >= 500 else Outcome.DEAD


def items(answer: Any) -> list[Mapping[str, Any]] | AllIndexed:
    """Return the items of a bulk response, none for any other response."""
    found = answer.get("items") if hasattr(answer, "get") else None
    return found if isinstance(found, list | AllIndexed) else []


def answer_to(item: Mapping[str, Any]) -> tuple[int, str | None, str]:
    """Return status, error type (None without an error) and reason of a response's item."""
    (result,) = item.values()
    error = result.get("error")
    if error is None:
        return result["status"], None, ""
    return result["status"], str(error.get("type")), str(error.get("reason", ""))


def retry_after(error: ApiError | None) -> float:
    """Return how many seconds the server asks us to wait, at most 60; 0 when it asks nothing."""
    text = str(error.meta.headers.get("retry-after", "")) if error is not None else ""
    return min(float(text), _LONGEST_RETRY_AFTER) if text.isdecimal() else 0.0
