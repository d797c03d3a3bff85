"""Lake = landing = marts = index, with numbers: each hop is recounted where its rows are."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.books.indexed import index_checks, index_proof
from ingest.books.sources import source_check
from ingest.books.truth import lake_checks, mart_checks, other_objects, read_truth
from ingest.errors import BooksError, ClickstreamError, ObjectUnreadable, TooManyRejects
from ingest.lake.accepted import accepted_ids, how_to_accept
from ingest.lake.balance import has_its_bytes, has_its_size, imbalance
from ingest.lake.checks import Check, first_few
from ingest.lake.ownership import check_whole
from ingest.lake.parquet import open_parquet
from ingest.lake.records import BatchRecord, open_lake, read_log
from ingest.lake.states import LIVE, QUARANTINED, REPLACED, BatchState, decide, in_state
from ingest.search.letters import refused_problem
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.terminal.progress import progress
from ingest.terminal.text import count_of, table_text
from ingest.warehouse import Schemas, Warehouse
from ingest.warehouse.clients import pseudonyms_of_marts
from ingest.warehouse.marts import (
    WITHOUT_CLIENT,
    Mart,
    built_marts,
    without_client,
)

if TYPE_CHECKING:
    pass

_log = logging.getLogger(__name__)

LANDED = ("events", "rejects", "files")
_REBUILD = "run `clickstream run --full-refresh`"
_RELOAD = "drop the landing tables of this target, and `clickstream load` fills them again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All checks. `notes` say what was left out and why; they do not affect the balance.

    `marts_differ`: marts cannot be read, or hold other numbers than landing, or than the truth
    where all else agrees with it; they are made from landing, so the remedy is to rebuild them.
    `refused`: the server refused more documents of a batch than the settings allow.
    """

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    marts_differ: bool = False
    refused: bool = False

    @property
    def balanced(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)

    @property
    def exit_code(self) -> int:
        """4 when a check fails, else 3 when too many documents were refused, else 0."""
        if not self.balanced:
            return BooksError.exit_code
        return TooManyRejects.exit_code if self.refused else 0

    @property
    def sentence(self) -> str:
        """Whether every check holds, in words."""
        return "the books balance" if self.balanced else "THE BOOKS DO NOT BALANCE"


def verify(
    settings: Settings,
    warehouse: Warehouse,
    *,
    truth: Path | None = None,
    whole_sources: bool = False,
    deep: bool = False,
) -> Verification:
    """Compare every hop with the batch records, and with the generator's `truth` when given.

    The logs that still lie in their sources are compared with what was read of them: their first
    and last 4 KiB, or all bytes for `whole_sources`. `deep` reads all files of the lake as well.
    Raises BooksError when the log of batches has lost its end, SearchServerError when the index
    cannot be queried, SettingsError when there is no lake or `truth` is not a truth.json.
    """
    lake = open_lake(settings.lake)
    records = read_log(lake)
    states = decide(records, accepted_ids(lake))
    shown = {id_: batch.state for id_, batch in warehouse.ledger().batches.items()}
    check_whole(lake, records)
    if not records and not shown:
        open_lake(settings.lake, must_exist=True)
        return Verification(
            checks=(), notes=(f"nothing is in {lake.uri} yet: start with `clickstream run`",)
        )
    live = [record for record in records if shown.get(record.batch_id) == LIVE]
    _log.info("comparing the sources with what was read of them")
    in_sources, notes = source_check(settings, records, whole=whole_sources)
    # A damaged file of a batch that was read again harms nobody.
    kept = [record for record in records if states[record.batch_id].state != REPLACED]
    _log.info("comparing the files of %s in the lake", count_of(len(kept), "batch", "batches"))
    in_lake = [*_record_checks(records), *_file_checks(lake, kept, deep=deep)]
    checks = [in_sources, *in_lake]
    notes += [_quarantined(record) for record in in_state(records, states, QUARANTINED)]
    is_lake_whole = all(check.ok for check in in_lake)
    marts = built_marts(settings, warehouse) if is_lake_whole else None
    of_marts: list[Check] = []
    is_landing_whole = True
    if is_lake_whole:
        _log.info("comparing landing and marts with the lake")
        checks.append(_loaded(records, states, shown))
        landed = [*_landing_checks(warehouse, live)]
        checks += landed
        is_landing_whole = all(check.ok for check in landed)
        try:
            of_marts += _mart_checks(marts, warehouse)
            if marts is not None:
                notes += _left_out(warehouse)
        except ClickstreamError as error:
            of_marts = [Check(name="marts", expected=1, found=0, detail=f"{error}; {_REBUILD}")]
        checks += of_marts
    else:  # the engine would only answer a broken file with a page of stack trace
        notes.append(
            "landing and marts were not compared: restore the lake files named above from a "
            f"backup, or delete {settings.lake} and the tables of target {settings.target} (the "
            f"local ones are {settings.data / 'warehouse'} and {settings.data / 'metastore'}) and "
            "run again from the raw logs"
        )
    proof = index_proof(settings)
    refused = proof.over_limit(settings.search.max_dead) if proof else ()
    if refused:
        notes.append(refused_problem(refused, settings.search.max_dead))
    if proof is None:
        notes.append("the index was not compared: search is off")
    else:
        checks += index_checks(proof, live)
        if proof.contents is not None:
            notes += proof.contents.notes
            if marts is not None and all(check.ok for check in checks):
                _log.info("comparing the values in the marts with the lake")
                checks += (by_value := list(_value_checks(settings, lake, live, warehouse)))
                of_marts += by_value
    if truth is not None and is_lake_whole:
        answer = read_truth(truth)
        other = other_objects(answer, live)
        if other:
            notes.append(f"{truth} was not compared: it describes other objects ({other})")
        else:
            checks += lake_checks(answer, live)
            if marts is not None and all(check.ok for check in of_marts):
                is_right = all(check.ok for check in checks)
                checks += (by_truth := mart_checks(answer, warehouse))
                if is_right:  # else the marts are as wrong as what they are made from
                    of_marts += by_truth
    return Verification(
        checks=tuple(checks),
        notes=tuple(notes),
        # What is made from a landing that is wrong is no better when it is made again.
        marts_differ=is_landing_whole and not all(check.ok for check in of_marts),
        refused=bool(refused),
    )


def verify_text(result: Verification) -> str:
    """Return the checks as a table, the notes, and whether the books balance."""
    rows = [
        (check.name, check.expected, check.found, "" if check.ok else "DIFFERS", check.detail)
        for check in result.checks
    ]
    table = table_text(["check", "expected", "found", "", "detail"], rows)
    return "\n".join([table, *(f"note: {note}" for note in result.notes), result.sentence])


def _quarantined(record: BatchRecord) -> str:
    return (
        f"batch {record.number} is quarantined ({record.totals.lines_reject:,} of "
        f"{count_of(record.totals.lines_read, 'line')} rejected), so its events are in no "
        f"table and no index; {how_to_accept([record.batch_id])}"
    )


def _record_checks(records: Sequence[BatchRecord]) -> Iterator[Check]:
    wrong = [problem for record in records if (problem := imbalance(record))]
    yield Check(
        name="batches: totals = objects = files",
        expected=len(records),
        found=len(records) - len(wrong),
        detail=f"{first_few(wrong)}; restore its record from a backup" if wrong else "",
    )
    totals = [record.totals for record in records]
    yield Check(
        name="lines = ok + warn + skip + reject",
        expected=sum(t.lines_read for t in totals),
        found=sum(t.judged for t in totals),
        detail=" + ".join(
            f"{sum(getattr(t, f'lines_{verdict}') for t in totals):,} {verdict}"
            for verdict in ("ok", "warn", "skip", "reject")
        ),
    )


def _file_checks(lake: Storage, records: Sequence[BatchRecord], *, deep: bool) -> Iterator[Check]:
    for table in LANDED:
        named = [file for record in records for file in record.files.get(table, ())]
        wrong = []
        found = 0
        for file in named:
            rows = _rows_in_file(lake, file.path)
            found += rows
            if rows != file.rows:
                wrong.append(file.path)
        yield Check(
            name=f"lake {table} = records",
            expected=sum(file.rows for file in named),
            found=found,
            detail=first_few(wrong) or count_of(len(named), "Parquet file"),
        )
    yield _intact(lake, records, deep=deep)


def _intact(lake: Storage, records: Sequence[BatchRecord], *, deep: bool) -> Check:
    """Return the check of the files' sizes, or of all their bytes."""
    named = [file for record in records for files in record.files.values() for file in files]
    is_intact = has_its_bytes if deep else has_its_size
    wrong = []
    with progress("reading the lake", len(named)) if deep else nullcontext() as show:
        for done, file in enumerate(named, 1):
            if not is_intact(lake, file):
                wrong.append(file.path)
            if show is not None:
                show(done)
    return Check(
        name="lake files intact",
        expected=len(named),
        found=len(named) - len(wrong),
        detail=first_few(wrong) or ("all bytes" if deep else "sizes; all bytes: verify --deep"),
    )


def _rows_in_file(lake: Storage, path: str) -> int:
    """Return the row count in the file's footer; 0 for a file that is not Parquet."""
    try:
        with open_parquet(lake, path) as file:
            return int(file.metadata.num_rows)
    except ObjectUnreadable:
        return 0


def _loaded(
    records: Sequence[BatchRecord], states: Mapping[str, BatchState], shown: Mapping[str, str]
) -> Check:
    """Return the check that readers see each batch in the state that the log gives it."""
    pending = [r.number for r in records if shown.get(r.batch_id) != states[r.batch_id].state]
    unknown = sorted(shown.keys() - states.keys())
    wrong = [f"pending: {first_few(pending)}; run `clickstream load`"] if pending else []
    if unknown:
        wrong.append(
            f"loaded, but missing from the lake: {first_few(unknown)}; restore batches/ from a"
            " backup"
        )
    return Check(
        name="batches loaded = sealed",
        expected=len(records) + len(unknown),
        found=len(records) - len(pending),
        detail="; ".join(wrong),
    )


def _landing_checks(warehouse: Warehouse, live: Sequence[BatchRecord]) -> Iterator[Check]:
    for table in LANDED:
        expected = {
            record.batch_id: sum(file.rows for file in record.files.get(table, ()))
            for record in live
        }
        counts = _counts(warehouse, table)
        # Readers look at live batches only: rows of a replaced one may wait to be removed.
        found = {batch_id: counts.get(batch_id, 0) for batch_id in expected}
        wrong = {one: abs(n - found[one]) for one, n in expected.items() if n != found[one]}
        total = sum(found.values())
        if wrong and total == sum(expected.values()):  # rows of one batch are another one's
            total -= sum(wrong.values())
        yield Check(
            name=f"landing {table} = lake",
            expected=sum(expected.values()),
            found=total,
            detail=f"batches {first_few([*wrong])}; {_RELOAD}" if wrong else "",
        )


def _counts(warehouse: Warehouse, table: str) -> dict[str, int]:
    landed = f"{warehouse.schemas.landing}.{table}"
    if not warehouse.exists(landed):
        return {}
    rows = warehouse.query(
        f"select batch_id, count(*) from {landed} group by batch_id"  # noqa: S608
    ).rows
    return {batch_id: int(found) for batch_id, found in rows}


def _mart_checks(marts: Sequence[Mart] | None, warehouse: Warehouse) -> list[Check]:
    """Compare the events in each mart with those that belong there, counted in landing."""
    if marts is None:
        return [Check(name="marts", expected=1, found=0, detail="not built: run `dbt build`")]
    ((*expected,),) = warehouse.query(belonging(marts, warehouse.schemas)).rows
    found = dict(warehouse.query(counted(marts, warehouse.schemas)).rows)
    checks = [
        Check(
            name=f"{mart.name} = landing",
            expected=int(total or 0),
            found=int(found[mart.name] or 0),
        )
        for mart, total in zip(marts, expected, strict=True)
    ]
    return [check if check.ok else replace(check, detail=_REBUILD) for check in checks]


def _value_checks(
    settings: Settings, lake: Storage, live: Sequence[BatchRecord], warehouse: Warehouse
) -> Iterator[Check]:
    """Compare the values in the marts, whose totals agree, with those in the lake."""
    from ingest.books.values import mart_value_checks  # polars

    try:
        yield from mart_value_checks(
            lake, live, warehouse, pseudonyms=pseudonyms_of_marts(settings)
        )
    except ClickstreamError as error:
        yield Check(name="marts by value", expected=1, found=0, detail=f"{error}; {_REBUILD}")


def _left_out(warehouse: Warehouse) -> Iterator[str]:
    """Yield how many events are in no row of the mart of clients, if there are any."""
    schemas = warehouse.schemas
    query = WITHOUT_CLIENT.format(intermediate=schemas.intermediate, landing=schemas.landing)
    ((events,),) = warehouse.query(query).rows
    if events:
        yield f"{without_client(int(events))}: number_of_sessions_per_ip does not count them"


def belonging(marts: Sequence[Mart], schemas: Schemas) -> str:
    """Return the query that counts the live events that belong in each mart, in one row."""
    counts = ", ".join(f"sum(case when {mart.where} then 1 else 0 end)" for mart in marts)
    return f"""
        select {counts}
        from {schemas.landing}.events as events
        inner join {schemas.landing}.batches as batches
            on events.batch_id = batches.batch_id and batches.state = '{LIVE}'
        left join (select distinct product_id from {schemas.seeds}.products) as catalogue
            on lower(events.product_id) = catalogue.product_id
    """  # noqa: S608


def counted(marts: Sequence[Mart], schemas: Schemas) -> str:
    """Return the query that counts the events in each mart, one row per mart."""
    return " union all ".join(
        f"select '{mart.name}', sum(total_events) "  # noqa: S608
        f"from {schemas.marts}.{mart.name}"
        for mart in marts
    )
