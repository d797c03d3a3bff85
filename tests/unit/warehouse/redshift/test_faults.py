"""What an error of Redshift means, how often a transaction is tried, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redshift_connector.error import InterfaceError, OperationalError, ProgrammingError

from ingest.errors import ClickstreamError, SettingsError
from ingest.warehouse.redshift import repeat as repeating
from ingest.warehouse.redshift.faults import message_of, unsigned
from ingest.warehouse.redshift.repeat import ATTEMPTS, repeat

SIGNED = (
    "https://bucket.s3.eu-central-1.amazonaws.example/lake/a.parquet?X-Amz-Credential=AKIA"
    "%2F20261127&X-Amz-Signature=0123456789abcdef"
)


def refused(message: str) -> ProgrammingError:
    return ProgrammingError({"S": "ERROR", "C": "XX000", "M": message, "D": "row (1, secret line)"})


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeating, "_PAUSE_SECONDS", (0.0, 0.0))


def failing(*errors: Exception) -> tuple[Callable[[], None], list[str]]:
    """Return what raises `errors` one after another, and a list that grows with each call."""
    calls: list[str] = []

    def run() -> None:
        calls.append("run")
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]

    return run, calls


@pytest.mark.parametrize(
    "error",
    [
        refused("1023: Serializable isolation violation on table - 100, transactions forming"),
        refused("conflict with concurrent transaction 17"),
        refused("could not open relation with OID 123"),
        refused("deadlock detected"),
        refused('type "rejects" already exists'),
        refused('column "extra" of relation "events" already exists'),
        refused("tuple concurrently updated"),
        InterfaceError("BrokenPipe: server socket closed"),
        OperationalError("communication error"),
        ConnectionResetError("connection reset by peer"),
    ],
    ids=[
        *("1023", "conflict", "oid", "deadlock", "type", "column", "tuple"),
        *("interface", "operational", "reset"),
    ],
)
def test_what_another_transaction_or_the_network_did_is_tried_again(error: Exception) -> None:
    run, calls = failing(error, error)
    repeat("batch 1", run)
    assert len(calls) == 3


def test_the_last_try_is_told() -> None:
    run, calls = failing(*[refused("deadlock detected")] * ATTEMPTS)
    with pytest.raises(
        ClickstreamError, match=r"^batch 1: tried 5 times, .*deadlock detected; anot"
    ):
        repeat("batch 1", run)
    assert len(calls) == ATTEMPTS


@pytest.mark.parametrize(
    ("message", "kind", "said"),
    [
        ("Disk Full", ClickstreamError, "batch 1: Disk Full"),
        ("permission denied for relation events", SettingsError, "grant the user usage and create"),
        ("must be owner of relation events", SettingsError, "and let it own the tables$"),
    ],
)
def test_everything_else_ends_at_once(message: str, kind: type[Exception], said: str) -> None:
    run, calls = failing(refused(message))
    with pytest.raises(kind, match=said) as told:
        repeat("batch 1", run)
    assert type(told.value) is kind
    assert len(calls) == 1


def test_neither_a_row_nor_a_signature_is_told() -> None:
    text = message_of(refused(f"S3ServiceException: cannot read '{SIGNED}', Status 403"))
    assert text == (
        "S3ServiceException: cannot read"
        " 'https://bucket.s3.eu-central-1.amazonaws.example/lake/a.parquet?...', Status 403"
    )
    assert (
        message_of(ProgrammingError({"D": "row (1, secret line)"})) == "an error without a message"
    )
    assert message_of(OSError()) == "OSError"


def test_other_questions_stay() -> None:
    assert unsigned("what? s3://bucket/a?b is it") == "what? s3://bucket/a?b is it"
