"""Which events each mart counts, according to the YAML beside its SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingest.errors import SettingsError
from ingest.settings import Settings
from ingest.warehouse import Warehouse
from ingest.warehouse.target import YAML_LOADER

MARTS_YAML = Path("models/marts/_marts__models.yml")
# Events that name no client are in no row of number_of_sessions_per_ip: this says how many.
WITHOUT_CLIENT = """
    select sum(event_count) from {intermediate}.int_client_sessions_counted
    where client is null
        and batch_id in (select batch_id from {landing}.batches where state = 'live')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mart:
    """A mart with a column `total_events`.

    `where` is the predicate of the events that it counts, over `events.<column>` of landing and
    `catalogue.product_id`, which is null when the product is in no catalogue; every engine reads
    it.
    """

    name: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MartTable:
    """Any mart: its columns in order, and those of them that no two rows share."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def read_marts(root: Path) -> tuple[Mart, ...]:
    """Return the marts of the dbt project in `root` that count events, in the order of the file.

    A model's `config.meta.counts_where` is the predicate. Raises SettingsError when the file
    cannot be read, or when a model has only one of a predicate and a column `total_events`.
    """
    path = root / MARTS_YAML
    with _described(path) as models:
        predicates = {model["name"]: _predicate(model) for model in models}
        totals = {model["name"] for model in models if _has_total(model)}
    marts = [Mart(name=name, where=where) for name, where in predicates.items() if where]
    incomplete = totals ^ {mart.name for mart in marts}
    if incomplete:
        raise SettingsError(
            f"{path}: a column total_events and config.meta.counts_where belong together, "
            f"but one of them is missing from {', '.join(sorted(incomplete))}"
        )
    return tuple(marts)


def read_tables(root: Path) -> tuple[MartTable, ...]:
    """Return all marts of the dbt project in `root`, in the order of the file.

    The key is that of the test `sound_rows`. Raises SettingsError when the file cannot be read.
    """
    with _described(root / MARTS_YAML) as models:
        return tuple(
            MartTable(
                name=model["name"],
                columns=tuple(column["name"] for column in model["columns"]),
                key=_key(model),
            )
            for model in models
        )


@contextmanager
def _described(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the models in the file; what the block cannot read there is a SettingsError, too."""
    try:
        yield yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)["models"]  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        raise SettingsError(f"{path} does not describe the marts ({error})") from error


def marts_are_built(settings: Settings, warehouse: Warehouse) -> bool:
    """Return whether every mart that counts events exists."""
    return built_marts(settings, warehouse) is not None


def built_marts(settings: Settings, warehouse: Warehouse) -> tuple[Mart, ...] | None:
    """Return the marts that count events; None when one of them does not exist."""
    marts = read_marts(settings.root)
    schema = warehouse.schemas.marts
    return marts if all(warehouse.exists(f"{schema}.{mart.name}") for mart in marts) else None


def without_client(events: int) -> str:
    """Return the sentence about the events that WITHOUT_CLIENT counts."""
    return f"{events:,} {'event names' if events == 1 else 'events name'} no client"


def _predicate(model: dict[str, Any]) -> str:
    where = model.get("config", {}).get("meta", {}).get("counts_where", "")
    return str(where).strip()


def _key(model: dict[str, Any]) -> tuple[str, ...]:
    (sound,) = (test["sound_rows"] for test in model["data_tests"] if "sound_rows" in test)
    return tuple(sound["arguments"]["unique_key"])


def _has_total(model: dict[str, Any]) -> bool:
    return any(column["name"] == "total_events" for column in model["columns"])
