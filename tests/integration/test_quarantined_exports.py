"""A quarantined batch is exported when it is accepted, and not before."""

from __future__ import annotations

import pytest
from support.batches import Log, export

from ingest.errors import SettingsError
from ingest.lake.accepted import record_acceptances
from ingest.settings import Settings

pytestmark = pytest.mark.integration


def test_a_quarantined_batch_waits_until_it_is_accepted(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(1_000)), rejects=100)
    log.seal(log.events(range(2_000, 2_003)))
    first = export(settings)
    quarantined = log.records[0].batch_id
    assert (first.batches, first.quarantined, first.exit_code, first.total) == (
        (2,),
        (quarantined,),
        3,
        3,
    )
    accepted = export(settings, accept=[quarantined])
    assert (accepted.batches, accepted.exit_code, accepted.total) == ((1,), 0, 1_003)
    later = export(settings)  # a batch stays accepted
    assert (later.batches, later.exit_code, later.total) == ((), 0, 1_003)


def test_accepting_an_unknown_batch_is_an_error(settings: Settings, log: Log) -> None:
    log.seal(log.events(range(3)))
    with pytest.raises(SettingsError, match="--accept nobody: the lake has no such batch"):
        export(settings, accept=["nobody"])


def test_a_dry_run_accepts_nothing(settings: Settings, log: Log) -> None:
    quarantined = log.seal(log.events(range(1_000)), rejects=100).batch_id

    assert export(settings, accept=[quarantined], dry_run=True).planned == (1,)
    assert export(settings).quarantined == (quarantined,)


def test_an_acceptance_of_another_target_counts(settings: Settings, log: Log) -> None:
    """Landing took it with `load --accept`: the index must have it too."""
    record_acceptances(log.lake, [log.seal(log.events(range(1_000)), rejects=100).batch_id])

    summary = export(settings)

    assert (summary.batches, summary.quarantined, summary.total) == ((1,), (), 1_000)


@pytest.mark.parametrize("step_by_step", [True, False])
def test_a_quarantined_batch_in_the_middle_hands_on(
    settings: Settings, log: Log, step_by_step: bool
) -> None:
    log.seal(log.events(range(3)))
    if step_by_step:
        export(settings)
    log.seal(log.events(range(1_000)), replaces=[1], rejects=100)
    if step_by_step:
        assert export(settings).total == 3
    log.seal(log.events(range(5)), replaces=[2])

    summary = export(settings)

    assert (summary.batches, summary.total, summary.expected) == ((3,), 5, 5)
    assert (summary.quarantined, summary.exit_code) == ((), 0)
    assert export(settings).batches == ()
