"""What the hops did, as text: one line per hop, and the summary at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ingest.books.refused import refused_by
from ingest.cli.given import given, how_to_stop_search, secrets_given
from ingest.lake.checks import first_few
from ingest.lake.refused import refused_text
from ingest.spark import is_submitted
from ingest.terminal.text import count_of, printable, table_text

if TYPE_CHECKING:
    from ingest.books.verify import Verification
    from ingest.job.dry_replay import ReplayPlan
    from ingest.job.run import IngestSummary
    from ingest.pipeline import RunSummary
    from ingest.search.export import ExportSummary
    from ingest.settings import Settings
    from ingest.warehouse.dbt import DbtSummary
    from ingest.warehouse.load import LoadSummary

# The marts that users ask first, the most telling one in front.
_KNOWN_MARTS = (
    "number_of_events_per_brand",
    "number_of_events_per_http_response",
    "number_of_sessions_per_ip",
    "number_of_views_per_session",
)
_REPLAY_COLUMNS = (
    "batch", "id", "source", "objects", "lines", "reject", "refused", "changed since",
)  # fmt: skip


def ingest_line(summary: IngestSummary) -> str:
    """Return one line about the hop, with the balance of its lines."""
    objects = [found for record in summary.sealed for found in record.objects]
    if summary.nothing_new:
        line = "nothing new"
    elif objects and all(found.is_move for found in objects):
        line = f"nothing new, {count_of(len(objects), 'log')} moved"
    else:
        totals = [record.totals for record in summary.sealed]

        def total(name: str) -> int:
            return sum(getattr(one, name) for one in totals)

        line = (
            f"{count_of(len(totals), 'batch', 'batches')}, {count_of(total('objects'), 'object')}, "
            f"{count_of(total('lines_read'), 'line')} = {total('lines_ok'):,} ok + "
            f"{total('lines_warn'):,} warn + {total('lines_skip'):,} skip + "
            f"{total('lines_reject'):,} reject"
        )
        if summary.elsewhere:
            line += (
                f"; {count_of(len(summary.elsewhere), 'batch', 'batches')} sealed by another run"
            )
    if summary.duplicates:
        line += f"; {count_of(len(summary.duplicates), 'copy', 'copies')} of known bytes skipped"
    if summary.special:
        line += (
            f"; {count_of(len(summary.special), 'special file')} passed over: "
            f"{first_few([printable(key) for key in summary.special])}"
        )
    if summary.waiting:
        line += (
            f"; {count_of(len(summary.waiting), 'line waits', 'lines wait')} for "
            f"{'its' if len(summary.waiting) == 1 else 'their'} end: "
            f"{first_few([printable(key) for key in summary.waiting])}"
        )
    if refused := refused_text(refused_by(summary)):
        line += f"; {refused}"
    return f"{line} ({summary.seconds:.1f} s)"


def replay_text(plan: ReplayPlan) -> str:
    """Return what a replay would do: the batches, and what changed since they were read."""
    if not plan.batches:
        return "would ingest what is new; there is no batch to read again"
    rows = [
        (
            batch.number, batch.batch_id[:12], batch.source, batch.objects, batch.lines_read,
            batch.lines_reject, batch.refused, " and ".join(batch.changed) or "nothing",
        )
        for batch in plan.batches
    ]  # fmt: skip
    them = "it" if len(rows) == 1 else "them"
    parts = [
        f"would ingest what is new, then read {count_of(len(rows), 'batch', 'batches')} again and"
        f" replace {them}:",
        table_text(_REPLAY_COLUMNS, rows),
    ]
    if unchanged := sum(not batch.changed for batch in plan.batches):
        parts.append(
            f"{count_of(unchanged, 'batch', 'batches')} would get the same verdicts again:"
            " neither the settings of the source nor the parser have changed since"
        )
    if plan.missing:
        parts.append(
            f"{count_of(len(plan.missing), 'log')} not found at the last known place; the ingest"
            f" looks elsewhere first: {first_few([printable(name) for name in plan.missing])}"
        )
    return "\n\n".join(parts)


def load_line(summary: LoadSummary) -> str:
    """Return one line about the hop."""
    if summary.nothing_new:
        line = f"nothing new, no rows added; {count_of(summary.live, 'live batch', 'live batches')}"
    else:
        line = (
            f"{count_of(len(summary.loaded), 'batch', 'batches')}, "
            f"{count_of(summary.events, 'event')}; "
            f"{count_of(summary.live, 'live batch', 'live batches')}"
        )
    if summary.replaced:
        line += f", {len(summary.replaced)} replaced"
    if summary.quarantined:
        line += f", {len(summary.quarantined)} QUARANTINED"
    return f"{line} ({summary.seconds:.1f} s)"


def dbt_line(summary: DbtSummary) -> str:
    """Return one line about the hop."""
    if not (summary.passed or summary.failed):
        return "nothing new: the marts were already built and tested from these batches and models"
    return (
        f"{summary.passed:,} models, seeds and tests passed, {summary.warned} warned, "
        f"{summary.failed} failed, {summary.skipped} skipped ({summary.seconds:.1f} s)"
    )


def export_line(summary: ExportSummary) -> str:
    """Return one line about the hop."""
    if summary.skipped:
        return "search is off: nothing was indexed"
    if summary.total is None and not summary.batches:
        return _planned(summary)
    time = f" ({summary.seconds:.1f} s)"
    if not summary.batches:
        line = "nothing new, no documents added"
    else:
        rate = summary.documents / max(summary.seconds, 0.001)
        time = ""
        line = (
            f"{count_of(len(summary.batches), 'batch', 'batches')}, "
            f"{count_of(summary.documents, 'document')} "
            f"({summary.created:,} new, {summary.updated:,} updated, {summary.dead:,} refused), "
            f"{count_of(summary.retries, 'retry', 'retries')}, "
            f"{summary.seconds:.1f} s, {rate:,.0f}/s"
        )
    line += _held(summary)
    if summary.compared:
        line += (
            f"; {count_of(summary.compared, 'value')} and {count_of(summary.sampled, 'document')} "
            "compared"
        )
    if summary.old_months:
        line += f"; {count_of(len(summary.old_months), 'old month')} deleted"
    if summary.quarantined:
        line += f", {len(summary.quarantined)} QUARANTINED"
    return f"{line}{time}"


def _planned(summary: ExportSummary) -> str:
    """Return what an export would do, or that one found nothing to do."""
    numbers = ", ".join(map(str, summary.planned))
    batches = "batch" if len(summary.planned) == 1 else "batches"
    steps = [f"export {batches} {numbers} to {_index(summary)}"] if numbers else []
    if summary.old_months:
        steps.append(f"delete {', '.join(summary.old_months)} (search.keep_months)")
    return f"would {' and '.join(steps)}" if steps else "nothing to export"


def _index(summary: ExportSummary) -> str:
    return f"index {summary.index} at {summary.url}"


def _held(summary: ExportSummary) -> str:
    """Return what the index holds of the lake and why not all of it; "" where nobody counted."""
    if summary.total is None or summary.expected is None:
        return ""
    text = (
        f"; {_index(summary)} holds {summary.total:,} of the lake's "
        f"{count_of(summary.expected, 'event')}"
    )
    if summary.refused:
        text += f", {count_of(summary.refused, 'dead letter')} (see `clickstream status`)"
    if summary.expired:
        text += f", {summary.expired:,} in months that are no longer kept"
    return text


def summary_text(settings: Settings, summary: RunSummary) -> str:
    """Return what a person wants to see at the end of a run: the numbers, then the next steps."""
    lines = [
        _line("ingest", summary.ingest, ingest_line),
        _line("load", summary.load, load_line),
        _line("dbt", summary.dbt, dbt_line),
        _line("export", summary.export, export_line),
        _line("verify", summary.verification, _verify_line),
        _line("report", summary.report, str),
    ]
    if summary.verification is not None:
        lines += ["", *_checks(summary.verification)]
    lines += ["", *(f"problem: {problem}" for problem in summary.problems)]
    if not is_submitted():  # somebody is there to take them
        steps = local_server_lines(settings) if summary.problems else _next_steps(settings, summary)
        lines += steps
    return "\n".join(lines).rstrip()


def _checks(verification: Verification) -> list[str]:
    width = max(len(check.name) for check in verification.checks)
    lines = []
    for check in verification.checks:
        sign = "=" if check.ok else "!="
        detail = (
            "" if check.ok and not check.detail.startswith(tuple("0123456789")) else check.detail
        )
        numbers = f"{check.expected:>11,} {sign:>2} {check.found:,}"
        lines.append(f"  {check.name:{width}}  {numbers}  {detail}".rstrip())
    return [*lines, *(f"  note: {note}" for note in verification.notes)]


def _verify_line(verification: Verification) -> str:
    return f"{verification.sentence}: {count_of(len(verification.checks), 'comparison')}"


def _next_steps(settings: Settings, summary: RunSummary) -> list[str]:
    before = given(settings)
    return [
        "Next steps (after `. .venv/bin/activate`, in the project root):",
        *_what_to_export(secrets_given(settings)),
        f'  query    {before}clickstream query "select * from {_filled_mart(summary)}"',  # noqa: S608
        f"  report   {before}clickstream report --open",
        f"  docs     {before}clickstream docs --open",
        f"  books    {before}clickstream status",
        *_where_to_search(summary.export),
        *local_server_lines(settings),
    ]


def _where_to_search(export: ExportSummary | None) -> Iterator[str]:
    if export is not None and export.url:
        place = f"{export.url.rstrip('/')}/{export.index}/_search?q=event.action:purchase"
        yield f"  search   curl '{place}'"


def local_server_lines(settings: Settings) -> list[str]:
    """Return what a person has to know of the local search server, nothing unless it is running."""
    from ingest.local_search.control import status

    local = status(settings) if settings.search.url is None else None
    if local is None:
        return []
    return [f"{local.line()}; stop it with: {how_to_stop_search(settings)}"]


def _what_to_export(secrets: Sequence[str]) -> Iterator[str]:
    if secrets:
        yield f"  first    export {', '.join(secrets)} (secrets are not shown)"


def _filled_mart(summary: RunSummary) -> str:
    """Return the name of a mart that has rows, where that is known."""
    checks = summary.verification.checks if summary.verification else ()
    counted = {check.name.removesuffix(" = landing"): check.found for check in checks}
    return next((mart for mart in _KNOWN_MARTS if counted.get(mart)), _KNOWN_MARTS[0])


def _line(name: str, value: Any, text: Callable[[Any], str]) -> str:
    return f"{name:8} {'not done' if value is None else text(value)}"
