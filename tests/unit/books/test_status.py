"""`status` shows what the ledgers record: batches with their states, live counts, exports."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fixtures.load_suite import Hop
from fixtures.memory_warehouse import MemoryWarehouse
from fixtures.records import make_draft, raw_object, sealed

from ingest.books.status import status, status_text
from ingest.errors import BooksError
from ingest.job.run import RunTasks
from ingest.lake.accepted import record_acceptances
from ingest.lake.records import BatchRecord, create_lake
from ingest.search.seals import Seal, write_seal
from ingest.settings import Settings
from ingest.storage import open_storage
from ingest.warehouse.ledger import LedgerRow
from ingest.warehouse.spark.ledger import local_ledgers

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TARGET = {"product": "elasticsearch", "version": "8.19.21", "url": "https://es:9200"}


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def hop(settings: Settings, run_tasks_here: RunTasks, access_lines: Callable[..., bytes]) -> Hop:
    return Hop(
        settings=settings,
        warehouse=MemoryWarehouse(),
        run_tasks=run_tasks_here,
        lines=access_lines,
    )


def write_ledger(
    settings: Settings,
    records: Sequence[BatchRecord],
    states: Mapping[str, str],
    *,
    shown: bool = True,
) -> None:
    """Write a ledger as a load does, unless it dies before it is `shown`; `states` by batch id."""
    ledgers = local_ledgers(settings)
    place = ledgers.write(
        [
            LedgerRow(
                record=record,
                state=states[record.batch_id],
                replaced_by=None,
                manifest_hash=None,
                loaded_at=AT,
            )
            for record in records
            if record.batch_id in states
        ]
    )
    if shown:
        ledgers.note_shown(Path(place).name)


def seal(
    settings: Settings,
    record: BatchRecord,
    indexed: int,
    *,
    revision: int = 1,
    dead: int = 0,
    target: Mapping[str, str] = TARGET,
    dead_files: tuple[str, ...] = (),
) -> None:
    """Write the seal of an export of `record` to the target `es`."""
    write_seal(
        open_storage(settings.lake),
        "es",
        Seal(
            number=record.number, batch_id=record.batch_id, revision=revision, target=target,
            contract_version=1, events=indexed, indexed=indexed, newer=0, dead=dead, indices={},
            dead_files=dead_files, swept={}, started_at=AT,
            finished_at=AT.replace(day=1 + revision), requests=1, retries=0, bytes=1, writer="w",
        ),
    )  # fmt: skip


def test_an_empty_lake_says_how_to_start(settings: Settings) -> None:
    books = status(settings)

    assert (books.batches, books.files, dict(books.counts), dict(books.exports)) == ((), (), {}, {})
    assert status_text(books).endswith("no batch has been sealed yet; start with: clickstream run")


def test_a_lake_that_lost_its_json_is_named_with_its_remedy(settings: Settings) -> None:
    lake = create_lake(settings.lake)
    sealed(lake, make_draft("a"))
    lake.delete(["lake.json"])
    with pytest.raises(BooksError, match=r"lake\.json is missing .* run `clickstream ingest`"):
        status(settings)


def test_a_sealed_batch_is_there_before_it_is_loaded(settings: Settings, hop: Hop) -> None:
    record = hop.add_log("one.log", 30, broken=2)

    (batch,) = status(settings).batches

    assert (batch.batch_id, batch.state, batch.documents) == (record.batch_id, "not loaded", None)
    assert (batch.objects, batch.lines_read, batch.lines_ok, batch.events) == (1, 32, 30, 30)
    assert (batch.lines_warn, batch.lines_skip, batch.lines_reject) == (0, 0, 2)


def test_refused_objects_alone_lead_to_their_remedies(settings: Settings) -> None:
    lake = create_lake(settings.lake)
    sealed(lake, make_draft("x", raw_object("a.log", status="rejected")))
    told = "refused objects, and how to fix them: `clickstream status --rejects`"
    assert told in status_text(status(settings))
    assert status(settings).reread == {}  # by other settings, but no line of it was read


def test_batches_that_other_settings_have_read_are_named(settings: Settings, hop: Hop) -> None:
    """Wrong `fields` may give warnings only, which `replay --rejects` passes over."""
    hop.add_log("one.log", 30)
    hop.add_log("two.log", 30)
    assert status(settings).reread == {}
    (source,) = settings.sources
    parse = replace(source.parse, timezone="+01:00")
    changed = replace(settings, sources=(replace(source, parse=parse),))

    books = status(changed)

    assert books.reread == {source.name: (1, 2)}
    assert (
        f"source {source.name}: settings changed since batch 2 (2 batches were read by others); to"
        f" read them again: clickstream replay {source.name} --settings"
    ) in status_text(books)
    assert "settings changed" not in status_text(status(settings))


def test_the_states_come_from_the_ledger_that_readers_see(settings: Settings, hop: Hop) -> None:
    old, new = hop.add_log("one.log", 30), hop.correct_log("one.log", 20)
    write_ledger(settings, [old, new], {old.batch_id: "live"})
    write_ledger(settings, [old, new], {old.batch_id: "replaced", new.batch_id: "live"})

    states = {batch.batch_id: batch.state for batch in status(settings).batches}

    assert states == {old.batch_id: "replaced", new.batch_id: "live"}


def test_a_ledger_that_was_written_and_never_shown_does_not_count(
    settings: Settings, hop: Hop
) -> None:
    """A load died before it pointed `landing.batches` at its ledger."""
    old, new = hop.add_log("one.log", 30), hop.correct_log("one.log", 20)
    write_ledger(settings, [old], {old.batch_id: "live"})
    states = {old.batch_id: "replaced", new.batch_id: "live"}
    write_ledger(settings, [old, new], states, shown=False)

    assert [batch.state for batch in status(settings).batches] == ["live", "not loaded"]


def test_what_waits_for_a_load_is_said(settings: Settings, hop: Hop) -> None:
    bad = hop.add_log("bad.log", 1000, broken=50)
    write_ledger(settings, [bad], {bad.batch_id: "quarantined"})
    record_acceptances(open_storage(settings.lake), [bad.batch_id])

    books = status(settings)

    (batch,) = books.batches
    assert (batch.state, batch.decided) == ("quarantined", "live")
    assert batch.acceptance is not None
    text = status_text(books)
    assert f"batch 1 was accepted by {batch.acceptance.who} at " in text
    assert (
        "batch 1 is live now, but readers still see it as quarantined: run `clickstream load`"
        in (text)
    )
    assert "exceeds the reject limit" not in text


def test_an_object_that_was_read_later_is_no_longer_listed(settings: Settings) -> None:
    lake = create_lake(settings.lake)
    failed = raw_object("b.log", status="failed")
    sealed(lake, make_draft("x", raw_object("a.log"), failed))
    before = [(file.source_file, file.batch) for file in status(settings).files]
    sealed(lake, make_draft("y", raw_object("b.log")), after=1)

    assert before == [("b.log", 1)]
    assert status(settings).files == ()


def test_replaced_batches_do_not_count(settings: Settings, hop: Hop) -> None:
    old = hop.add_log("one.log", 30, broken=3)
    new = hop.correct_log("one.log", 20, broken=2)
    seal(settings, old, 30)
    seal(settings, new, 20)

    books = status(settings)

    assert new.replaces == (old.batch_id,)
    assert books.counts == {"no_match": 2}
    assert books.exports == {"es": 20}


def test_objects_of_replaced_batches_are_not_listed(settings: Settings, hop: Hop) -> None:
    raw = Path(settings.sources[0].uri)
    (raw / "odd.log").touch()
    old = hop.add_log("one.log", 30)
    assert [file.batch for file in status(settings).files] == [old.number]
    new = hop.correct_log("one.log", 20)

    (file,) = status(settings).files

    assert (file.source_file, file.file_status, file.batch) == ("raw/odd.log", "empty", new.number)


def test_the_newest_seal_of_a_batch_counts(settings: Settings, hop: Hop) -> None:
    record = hop.add_log("one.log", 30)
    seal(settings, record, 30)
    seal(settings, record, 29, revision=2)

    books = status(settings)

    assert books.batches[0].documents == 29
    assert books.exports == {"es": 29}


def test_dead_letters_are_shown_by_type_and_without_their_content(
    settings: Settings, hop: Hop
) -> None:
    one, other, old = (hop.add_log(name, 3) for name in ("one.log", "two.log", "old.log"))
    new = hop.correct_log("old.log", 2)
    lake = open_storage(settings.lake)
    kinds = ["mapper", "too_large", "mapper"]
    lines = [
        json.dumps({"id": "x", "type": kind, "file": "f", "reason": "secret"}) for kind in kinds
    ]
    lake.put("exports/es/dead/x", gzip.compress("\n".join(lines).encode()))
    for record, key in ((one, "exports/es/dead/x"), (other, "gone"), (old, "replaced")):
        seal(settings, record, 0, dead=3, dead_files=(key,))
    seal(settings, new, 2)

    text = status_text(books := status(settings))

    assert [(letters.batch, letters.types) for letters in books.dead_letters] == [
        (1, {"mapper": 2, "too_large": 1}),
        (2, {}),
    ]
    assert "es: batch 1 has 3 dead letters (2 mapper, 1 too_large)\n" in text
    assert "es: batch 2 has 3 dead letters (they are missing from the lake or cannot be" in text
    assert "after a fix of the contract or the mapping run `clickstream export --replay`" in text
    assert "secret" not in text


def test_the_text_shows_it_all(settings: Settings, hop: Hop) -> None:
    (Path(settings.sources[0].uri) / "odd.log").touch()
    good = hop.add_log("one.log", 30, broken=2)
    bad = hop.add_log("bad.log", 1000, broken=50)
    write_ledger(settings, [good, bad], {good.batch_id: "live", bad.batch_id: "quarantined"})
    seal(settings, good, 1)

    text = status_text(status(settings))

    assert (
        "batch 2 exceeds the reject limit and is quarantined (50 of 1,050 lines rejected; by code "
        f"and reason: 50 no_match); accept it with: clickstream run --accept {bad.batch_id}"
    ) in text
    server = "Elasticsearch 8.19.21 at https://es:9200"
    assert f"exported to es ({server}): 1 document\n" in f"{text}\n"
    rows = [line.split() for line in text.splitlines()]
    assert f"1 {good.batch_id[:12]} raw live 2 32 30 0 0 2 30 1".split() in rows
    assert ["no_match", "2"] in rows
    assert "how to fix them: `clickstream status --rejects`" in text
    assert ["empty", "1", "raw/odd.log"] in [row[:3] for row in rows]


def test_an_older_seal_names_its_server_without_an_address(settings: Settings, hop: Hop) -> None:
    record = hop.add_log("one.log", 30)
    seal(settings, record, 30, target={"product": "opensearch", "version": "2.19.6"})
    assert "exported to es (OpenSearch 2.19.6): 30 documents" in status_text(status(settings))


def test_the_newest_seal_says_where_a_target_is(settings: Settings, hop: Hop) -> None:
    record = hop.add_log("one.log", 30)
    for revision, url in ((1, "https://old:9200"), (2, "https://new:9200")):
        seal(settings, record, 30, revision=revision, target={**TARGET, "url": url})
    assert status(settings).servers == {"es": "Elasticsearch 8.19.21 at https://new:9200"}


def test_a_long_list_of_objects_is_cut_and_says_so(settings: Settings, hop: Hop) -> None:
    for number in range(25):
        (Path(settings.sources[0].uri) / f"odd{number}.log").touch()
    hop.add_log("one.log", 1)

    assert "... and 5 more (--json lists all)" in status_text(status(settings))


def test_the_text_says_when_nothing_was_exported(settings: Settings, hop: Hop) -> None:
    hop.add_log("one.log", 1)

    text = status_text(status(settings))
    assert text.endswith("nothing has been exported yet")
    assert "--rejects" not in text
