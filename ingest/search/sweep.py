"""Deletes what is left of a replaced batch once the new one is indexed.

Documents that the new batch wrote have its id by then, so those with the old id are in the log no
longer. A late writer of the old batch has a lower version and can never win.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ingest.errors import SearchServerError
from ingest.search.activity import Activity
from ingest.search.body import DELETE, Body
from ingest.search.bulk import Sender
from ingest.search.credentials import server_name
from ingest.search.index import Index
from ingest.search.patience import Patience
from ingest.search.work import DeadLetter


def sweep(index: Index, batch_id: str, *, version: int, url: str) -> int:
    """Delete the documents of `batch_id` as of `version`, and return how many there were.

    `version` is the number of the batch record that replaces it; the index has been refreshed.
    Raises SearchServerError when the server refuses.
    """
    server = server_name(index.product, url)
    sender = Sender(
        client=index.client,
        index=index.name,
        url=url,
        server=server,
        most_bytes=index.search.body_mib << 20,
        patience=Patience(deadline_seconds=index.search.deadline_seconds),
        activity=Activity(server),
        on_dead_letter=_refused,
    )
    return sender.send_all(_deletes(index, batch_id, version)).indexed


def _deletes(index: Index, batch_id: str, version: int) -> Iterator[Body]:
    how = {"version": version, "version_type": "external_gte"}
    for places in index.places_of(batch_id):
        lines = [
            json.dumps({"delete": {"_index": place, "_id": name, **how}}) + "\n"
            for place, name in places
        ]
        yield Body("".join(lines).encode(), range(len(places)), DELETE)


def _refused(letter: DeadLetter) -> None:
    raise SearchServerError(f"the server refused a deletion: {letter.status} {letter.type}")
