"""What the answers to a bulk request mean: one table, no state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from ingest.errors import SearchServerError
from ingest.search.all_indexed import AllIndexed
from ingest.search.client import ApiError

OVERLOADED = 429
_CREATED = 201
_SERVER_ERRORS_UNTIL_DEAD = 5
_DISK_FULL = "the cluster's disk is full and the index is read-only"
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


# Status, error type and reason from the server.
Refusal = tuple[int, str, str]


@dataclass(slots=True)
class Sorted:
    """The documents of a request by their outcome; positions are those in its body.

    `again` must be sent again, for the `reason` that was met last; `overloaded` is whether the
    server said that it is.
    """

    indexed: int = 0
    created: int = 0
    newer: int = 0
    dead: dict[int, Refusal] = field(default_factory=dict)
    again: defaultdict[Outcome, list[int]] = field(default_factory=lambda: defaultdict(list))
    reason: str = ""
    overloaded: bool = False


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
    if status == OVERLOADED and kind == "cluster_block_exception":
        return Outcome.DISK_FULL
    if status in (OVERLOADED, 503):
        return Outcome.RETRY
    return Outcome.SERVER_ERROR if status >= 500 else Outcome.DEAD


def sort_out(answers: Sequence[Mapping[str, Any]], *, index: str, errors: int) -> Sorted:
    """Return what the items `answers` of a response say about their documents.

    Each of these has met `errors` server errors before. Raises SearchServerError when an answer
    concerns the `index` and not its document.
    """
    found = Sorted()
    for position, item in enumerate(answers):
        status, kind, why = answer_to(item)
        outcome = outcome_of(status, kind)
        if outcome is Outcome.SERVER_ERROR and errors >= _SERVER_ERRORS_UNTIL_DEAD:
            outcome = Outcome.DEAD
        match outcome:
            case Outcome.INDEXED:
                found.indexed += 1
                found.created += status == _CREATED
            case Outcome.VERSION_CONFLICT:
                found.newer += 1
            case Outcome.STOP:
                remedy = STOPPING[status, kind or ""]
                raise SearchServerError(f"index {index} {remedy} (nothing is lost)")
            case Outcome.DEAD:
                found.dead[position] = status, kind or "", why
            case _:
                found.again[outcome].append(position)
                found.overloaded |= outcome is Outcome.RETRY and status == OVERLOADED
                is_full = outcome is Outcome.DISK_FULL
                found.reason = _DISK_FULL if is_full else f"{status} {kind}"
    return found


def items(answer: Any) -> list[Mapping[str, Any]] | AllIndexed:
    """Return the items of a bulk response, none for a response that no bulk request gets."""
    found = answer.get("items") if hasattr(answer, "get") else None
    if isinstance(found, AllIndexed):
        return found
    return found if isinstance(found, list) and all(map(_is_item, found)) else []


def _is_item(item: Any) -> bool:
    if not isinstance(item, dict) or len(item) != 1:
        return False
    (result,) = item.values()
    if not isinstance(result, dict) or not isinstance(result.get("status"), int):
        return False
    error = result.get("error")
    return isinstance(error, dict) or (error is None and result["status"] < HTTPStatus.BAD_REQUEST)


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
