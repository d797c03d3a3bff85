"""Whether the time picker of Kibana would hide events: only the documents know."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.errors import SettingsError
from ingest.search.client import Elasticsearch, NotFoundError
from ingest.search.kibana.spec import TIME_FIELD, Period
from ingest.terminal.text import count_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeChoice:
    """The time field of the dashboards, None for none; `notice` says why there is none."""

    time_field: str | None
    period: Period | None = None
    notice: str | None = None


def choose(client: Elasticsearch, index: str) -> TimeChoice:
    """Return the time field that hides no document of `index`, with its first and last day.

    Raises SettingsError when there is no such index.
    """
    day = {"field": TIME_FIELD, "format": "yyyy-MM-dd"}
    wanted = {
        "untimed": {"missing": {"field": TIME_FIELD}},
        "first": {"min": day},
        "last": {"max": day},
    }
    try:
        answer = client.search(index=index, size=0, track_total_hits=True, aggregations=wanted)
    except NotFoundError:
        raise SettingsError(
            f"there is no index {index}: run `clickstream export`, or pass --time-field"
        ) from None
    documents = int(answer["hits"]["total"]["value"])
    found = answer["aggregations"]
    untimed = int(found["untimed"]["doc_count"])
    if not documents:
        return TimeChoice(time_field=None, notice=f"index {index} holds no document yet")
    if untimed:
        return TimeChoice(
            time_field=None,
            notice=f"{count_of(untimed, 'document')} of {documents:,} without {TIME_FIELD}: the "
            "dashboards use no time field, because the time picker would hide such documents",
        )
    first, last = found["first"]["value_as_string"], found["last"]["value_as_string"]
    return TimeChoice(time_field=TIME_FIELD, period=Period(first, last))
