"""Makes the indices strict and as the contract says, and tunes new ones for their first load."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from ingest.search import template
from ingest.search.client import ApiError, BadRequestError, ForbiddenError, TransportError
from ingest.search.index import Index
from ingest.search.months import is_monthly
from ingest.search.refusal import lacks_privilege
from ingest.terminal.text import count_of

_log = logging.getLogger(__name__)

# For a server that may be silent, to people who have just pressed Ctrl-C.
_BRIEFLY_SECONDS = 2


@contextmanager
def prepared(index: Index, run_id: str) -> Iterator[None]:
    """Keep `index` ready inside the block: created if missing, tuned while it is filled.

    The tuning is undone at the end. When that fails, because the server has died or the key may
    not, the next run does it first. Months are made when it is known which (`prepare`).
    """
    tuned = _finalise(index)
    prepare(index, run_id, () if is_monthly(index.search) else (index.name,))
    try:
        yield
    except BaseException:
        briefly = index.client.options(request_timeout=_BRIEFLY_SECONDS, max_retries=0)
        with suppress(ApiError, TransportError):
            _finalise(replace(index, client=briefly), but=tuned)
        raise
    _finalise(index, but=tuned)


def prepare(index: Index, run_id: str, names: Collection[str]) -> None:
    """Create those of the indices `names` that are missing, complete all that are there.

    `Index.check` has accepted them. A new index has the mark `loading` and is tuned for that until
    the end of `prepared`.
    """
    found = index.mappings()
    for name, mapping in found.items():
        _complete(index, name, mapping)
    missing = sorted(set(names) - found.keys())
    if missing:
        _put_templates(index)
    for name in missing:
        _create(index, name, run_id)


def _finalise(index: Index, *, but: Collection[str] = ()) -> list[str]:
    """Undo the tuning of indices with the mark `loading`, of this run or of a crashed one.

    Return those that stay tuned, because the key may not change them; `but` are not tried.
    """
    loading = [
        name
        for name, mapping in index.mappings().items()
        if "loading" in (template.owner(mapping) or {}) and name not in but
    ]
    return [name for name in loading if not _settle(index, name)]


def _settle(index: Index, name: str) -> bool:
    """Return whether the key may undo the tuning of the index `name`."""
    try:
        index.client.indices.put_settings(
            index=name,
            settings={"refresh_interval": None, "number_of_replicas": _replicas(index)},
        )
        index.client.indices.put_mapping(index=name, meta=index.marks.meta())
    except ForbiddenError as error:
        if not lacks_privilege(error):
            raise
        _log.warning(
            "index %s keeps the settings of its first load (no refresh, no replicas), which "
            "this key or user may not change: run `clickstream export` once with a key that "
            "has the role `setup`",
            name,
        )
        return False
    return True


def _complete(index: Index, name: str, found: Mapping[str, Any]) -> None:
    difference = template.compare(found, index.product)
    if difference.missing or difference.lax:
        _put_templates(index)
        wanted = template.mappings(index.marks, index.product)
        index.client.indices.put_mapping(
            index=name,
            dynamic=wanted["dynamic"],
            properties=wanted["properties"],
            meta=found["_meta"] | wanted["_meta"],
        )
        _log.info("index %s: %s added", name, count_of(len(difference.missing), "field"))


def _put_templates(index: Index) -> None:
    parts = template.component_templates(
        index.search, index.marks, product=index.product, replicas=_replicas(index)
    )
    for name, content in parts.items():
        index.client.cluster.put_component_template(name=name, template=content)
    index.client.indices.put_index_template(
        name=index.name, **template.index_template(index.search, index.product)
    )


def _create(index: Index, name: str, run_id: str) -> None:
    """Create the index here, never by the first bulk request, which would accept any name."""
    try:
        index.client.indices.create(
            index=name,
            mappings={"_meta": index.marks.meta(loading=run_id)},
            settings={"refresh_interval": "-1", "number_of_replicas": 0},
        )
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
        if name != index.name:  # one that has lost its alias
            index.client.indices.put_alias(index=name, name=index.name)
        index.check()  # another exporter was faster


def _replicas(index: Index) -> int:
    """Return what the settings say; by default 0 with one data node, which 1 turns yellow."""
    if index.search.replicas is not None:
        return index.search.replicas
    return 0 if index.client.cluster.health()["number_of_data_nodes"] == 1 else 1
