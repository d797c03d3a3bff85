"""Lake = landing = marts = index, with numbers: each hop is counted again where its rows lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ingest.books.truth import lake_checks, mart_checks, other_objects, read_truth
from ingest.lake.checks import Check, first_few
from ingest.lake.parquet import open_parquet
from ingest.lake.records import BatchRecord, open_lake, read_log
from ingest.settings import Settings
from ingest.storage import Storage
from ingest.terminal.text import table_text
from ingest.warehouse.target import load_target

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from ingest.search.proof import Proof

LANDED = ("events", "rejects", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All checks. `notes` say what was left out and why; they do not spoil the balance."""

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def balanced(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)


def verify(settings: Settings, session: SparkSession, *, truth: Path | None = None) -> Verification:
    """Compare every hop with the batch records, and with the generator's `truth` when given.

    Raises SearchServerError when the index cannot be asked, SettingsError for a truth that is none.
    """
    lake = open_lake(settings.lake)
    records = read_log(lake)
    states = _states(session)
    live = [record for record in records if states.get(record.batch_id) == "live"]
    schema = load_target(settings).schema
    checks = list(_lake_checks(lake, records))
    notes = list(_held(records, states))
    whole = all(check.ok for check in checks)
    if whole:
        checks += [*_landing_checks(session, records, live, states), *_mart_checks(session, schema)]
    else:  # Spark reads the same files, and answers broken ones with a page of stack trace
        notes.append(
            "landing and marts were not compared: restore the lake's files named above from a "
            f"backup, or delete {settings.lake}, {settings.data / 'warehouse'} and "
            f"{settings.data / 'metastore'} and run again from the raw logs"
        )
    proof = _index_proof(settings)
    if proof is None:
        notes.append("the index was not compared: search is off")
    else:
        checks += _index_checks(proof)
    if truth is not None and whole:
        answer = read_truth(truth)
        other = other_objects(answer, live)
        if other:
            notes.append(f"{truth} was not compared: it does not speak of the same files ({other})")
        else:
            checks += lake_checks(answer, live)
            checks += (
                mart_checks(answer, session, schema) if marts_are_built(session, schema) else []
            )
    return Verification(checks=tuple(checks), notes=tuple(notes))


def verify_text(result: Verification) -> str:
    """Return the checks as a table, the notes and a verdict."""
    rows = [
        (check.name, check.expected, check.found, "" if check.ok else "DIFFERS", check.detail)
        for check in result.checks
    ]
    verdict = "the books balance" if result.balanced else "THE BOOKS DO NOT BALANCE"
    table = table_text(["check", "expected", "found", "", "detail"], rows)
    return "\n".join([table, *(f"note: {note}" for note in result.notes), verdict])


def _states(session: SparkSession) -> dict[str, str]:
    if not session.catalog.tableExists("landing.batches"):
        return {}
    rows = session.sql("SELECT batch_id, state FROM landing.batches").collect()
    return {row.batch_id: row.state for row in rows}


def _held(records: Sequence[BatchRecord], states: Mapping[str, str]) -> Iterator[str]:
    quarantined = [record for record in records if states.get(record.batch_id) == "quarantined"]
    for record in quarantined:
        yield (
            f"batch {record.number} is quarantined ({record.totals.lines_reject:,} of "
            f"{record.totals.lines_read:,} lines rejected): its events are in no table and no "
            f"index until `clickstream run --accept {record.batch_id}`"
        )


def _lake_checks(lake: Storage, records: Sequence[BatchRecord]) -> Iterator[Check]:
    totals = [record.totals for record in records]
    yield Check(
        name="lines = ok + warn + skip + reject",
        expected=sum(t.lines_read for t in totals),
        found=sum(t.lines_ok + t.lines_warn + t.lines_skip + t.lines_reject for t in totals),
        detail=" + ".join(
            f"{sum(getattr(t, f'lines_{verdict}') for t in totals):,} {verdict}"
            for verdict in ("ok", "warn", "skip", "reject")
        ),
    )
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
            detail=first_few(wrong) or f"{len(named):,} Parquet files",
        )


def _rows_in_file(lake: Storage, path: str) -> int:
    """Return the rows that the file's own footer counts; a file that is none has no rows."""
    try:
        with open_parquet(Path(lake.uri) / path) as file:
            return int(file.metadata.num_rows)
    except (OSError, pa.ArrowInvalid):
        return 0


def _landing_checks(
    session: SparkSession,
    records: Sequence[BatchRecord],
    live: Sequence[BatchRecord],
    states: Mapping[str, str],
) -> Iterator[Check]:
    pending = [record.number for record in records if record.batch_id not in states]
    yield Check(
        name="batches loaded = sealed",
        expected=len(records),
        found=len(records) - len(pending),
        detail=f"pending: {first_few(pending)}; run `clickstream load`" if pending else "",
    )
    for table in LANDED:
        expected = {
            record.batch_id: sum(file.rows for file in record.files.get(table, ()))
            for record in live
        }
        found = _counts(session, table, expected)
        wrong = [one for one in expected if expected[one] != found.get(one, 0)]
        yield Check(
            name=f"landing {table} = lake",
            expected=sum(expected.values()),
            found=sum(found.values()),
            detail=first_few(wrong),
        )


def _counts(session: SparkSession, table: str, batches: Iterable[str]) -> dict[str, int]:
    wanted = set(batches)
    if not wanted:
        return {}
    rows = session.sql(
        f"SELECT batch_id, count(*) AS found FROM landing.{table} GROUP BY batch_id"  # noqa: S608
    ).collect()
    return {row.batch_id: row.found for row in rows if row.batch_id in wanted}


def _mart_checks(session: SparkSession, schema: str) -> list[Check]:
    """Compare the events in each mart with those that belong there, counted in landing itself."""
    if not marts_are_built(session, schema):
        return [Check(name="marts", expected=1, found=0, detail="not built: run `dbt build`")]
    belonging = ", ".join(f"count_if({where}) AS {mart}" for mart, where in _MARTS.items())
    expected = session.sql(
        f"SELECT {belonging} FROM landing.events "  # noqa: S608
        "LEFT SEMI JOIN (SELECT batch_id FROM landing.batches WHERE state = 'live') AS live "
        "USING (batch_id) CROSS JOIN "
        f"(SELECT collect_set(product_id) AS ids FROM {schema}_seeds.products) AS catalogue"
    ).collect()[0]
    return [
        Check(
            name=f"{mart} = landing",
            expected=expected[mart],
            found=session.sql(f"SELECT sum(total_events) FROM {schema}.{mart}").collect()[0][0]  # noqa: S608
            or 0,
        )
        for mart in _MARTS
    ]


def marts_are_built(session: SparkSession, schema: str) -> bool:
    """Return whether every mart that is compared exists."""
    return all(session.catalog.tableExists(f"{schema}.{mart}") for mart in _MARTS)


# Which events a mart counts, in words of the contract.
_MARTS = {
    "number_of_views_per_session": "session_id IS NOT NULL AND event_name IS NOT NULL"
    " AND view_count IS NOT NULL",
    "number_of_sessions_per_ip": "client_ip IS NOT NULL",
    "number_of_events_per_http_response": "status_code IS NOT NULL",
    "number_of_events_per_brand": "brand IS NOT NULL OR array_contains(ids, lower(product_id))",
    "fct_traffic_hourly": "event_time IS NOT NULL",
}


def _index_checks(proof: Proof) -> Iterator[Check]:
    dead = f"{proof.dead:,} of them refused by the engine: they stand in the lake's dead letters"
    yield Check(
        name=f"index {proof.index} = lake",
        expected=proof.expected,
        found=proof.documents + proof.dead,
        detail=dead if proof.dead else "",
    )
    # Totals alone would balance when one batch has too many documents and another too few.
    pending = f"pending: {first_few(proof.pending)}; run `clickstream export`"
    wrong = [*proof.problems, *([pending] if proof.pending else [])]
    yield Check(
        name="batches that index and lake disagree on",
        expected=0,
        found=len(proof.problems) + len(proof.pending),
        detail="; ".join(wrong),
    )


def _index_proof(settings: Settings) -> Proof | None:
    from ingest.search.export import verify as prove_index

    return prove_index(settings)
