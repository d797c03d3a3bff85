"""What a replay would do is what it does; nothing is written before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.memory_lake import Site, log_of

from ingest.cli.summaries import replay_text
from ingest.errors import SettingsError
from ingest.job.dry_replay import plan_replay
from ingest.job.replay import Choice
from ingest.settings import ParseSettings

REJECTS = Choice(rejects=True)


def test_the_batches_of_a_plan_are_those_that_the_replay_replaces(site: Site) -> None:
    site.put("a.log", 3)
    site.ingest()
    site.raw.put("b.log", site.lines(2, first=100) + b"no log\n")
    site.ingest()
    before = log_of(site.settings)

    plan = plan_replay(site.settings, REJECTS)

    assert log_of(site.settings) == before
    (batch,) = plan.batches
    assert (batch.number, batch.source, batch.objects) == (2, "raw", 1)
    assert (batch.lines_read, batch.lines_reject, batch.refused, batch.changed) == (3, 1, 0, ())
    (record,) = site.replay(rejects=True).sealed
    assert record.replaces == (batch.batch_id,)
    assert [one.batch_id for one in plan_replay(site.settings, REJECTS).batches] == [
        record.batch_id
    ]


def test_a_plan_says_what_changed_since(site: Site) -> None:
    site.raw.put("a.log", b"no log\n" + site.lines(1))
    site.ingest()
    (source,) = site.settings.sources
    other = replace(source, parse=ParseSettings(format="schematic-csv"))

    plan = plan_replay(replace(site.settings, sources=(other,)), REJECTS)

    assert plan.batches[0].changed == ("settings",)
    assert "settings" in replay_text(plan).splitlines()[4]
    assert "the same verdicts" not in replay_text(plan)
    assert "the same verdicts" in replay_text(plan_replay(site.settings, REJECTS))


def test_a_plan_names_logs_that_are_elsewhere_and_goes_on(site: Site) -> None:
    """The ingest at the beginning of a replay finds them again, or the replay stops."""
    site.raw.put("a.log", site.lines(3) + b"no log\n")
    site.ingest()
    site.raw.put("b.log", site.raw.read("a.log"))
    site.raw.delete(["a.log"])

    plan = plan_replay(site.settings, REJECTS)

    assert (len(plan.batches), plan.missing) == (1, ("raw/a.log",))
    assert "1 log not found at the last known place" in replay_text(plan)
    assert len(site.replay(rejects=True).sealed) == 2


def test_a_plan_without_batches_says_so(site: Site) -> None:
    site.put("a.log", 3)
    assert plan_replay(site.settings, REJECTS).batches == ()
    assert "no batch to read again" in replay_text(plan_replay(site.settings, REJECTS))
    with pytest.raises(SettingsError, match="no such batch"):
        plan_replay(site.settings, Choice(batch_ids=("abcdef",)))
    (record,) = site.ingest().sealed
    (source,) = site.settings.sources
    renamed = replace(site.settings, sources=(replace(source, name="other"),))
    with pytest.raises(SettingsError, match="nothing to replay: no source has a live batch of"):
        plan_replay(renamed, Choice(batch_ids=(record.batch_id,)))


def test_a_plan_for_a_key_says_which_batches_a_correction_replaces(site: Site) -> None:
    site.put("a.log", 3)
    assert plan_replay(site.settings, Choice(key="a.log")).batches == ()
    site.ingest()
    site.put("a.log", 3, first=50)
    assert [one.number for one in plan_replay(site.settings, Choice(key="a.log")).batches] == [1]


def test_refused_objects_are_read_again_until_a_later_batch_has_them(site: Site) -> None:
    site.raw.put("a.log", b"PK\x03\x04\n")
    site.ingest()
    (batch,) = plan_replay(site.settings, REJECTS).batches
    assert (batch.refused, batch.lines_read) == (1, 0)
    site.put("a.log", 3)
    site.ingest()
    assert plan_replay(site.settings, REJECTS).batches == ()
