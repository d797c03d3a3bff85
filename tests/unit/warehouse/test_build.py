"""When dbt is run, and how: nothing, an ordinary build, a full refresh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.memory_warehouse import MemoryWarehouse

from ingest.settings import Settings
from ingest.warehouse import build as hop
from ingest.warehouse.build_marker import BuildMarker, read_marker
from ingest.warehouse.dbt import DbtSummary, Failure

BUILT = DbtSummary(passed=9, warned=0, failed=0, skipped=0, failures=(), seconds=0.0)
MARKER = BuildMarker(ledger="1", project="p", checks="c", built_by="s")
FAILED = replace(BUILT, failed=1, failures=(Failure(name="x", message="y"),))


@dataclass
class Dbt:
    """A fake dbt, and what a build would be made from."""

    settings: Settings
    warehouse: MemoryWarehouse = field(default_factory=MemoryWarehouse)
    marker: BuildMarker = MARKER
    marts_exist: bool = True
    outcome: DbtSummary = BUILT
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def build(self, *, drop_replaced: bool = False, full_refresh: bool = False) -> list[str]:
        """Run the hop and return what dbt was asked: `full`, `build`, `drop`."""
        self.calls.clear()
        hop.build(
            self.settings, self.warehouse, drop_replaced=drop_replaced, full_refresh=full_refresh
        )
        return [
            "full" if "--full-refresh" in call else call[0].removesuffix("run-operation") or "drop"
            for call in self.calls
        ]


def interrupted(*_: object) -> DbtSummary:
    raise KeyboardInterrupt


@pytest.fixture
def dbt(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Dbt:
    dbt = Dbt(settings=make_settings())

    def run(_settings: Settings, *arguments: str) -> DbtSummary:
        dbt.calls.append(arguments)
        return dbt.outcome

    monkeypatch.setattr(hop, "run_dbt", run)
    monkeypatch.setattr(hop, "current_marker", lambda *_: dbt.marker)
    monkeypatch.setattr(hop, "marts_are_built", lambda *_: dbt.marts_exist)
    return dbt


def test_the_first_build_is_a_full_one_and_the_next_none(dbt: Dbt) -> None:
    assert dbt.build() == ["full"]
    assert dbt.build() == []
    assert dbt.warehouse.repaired


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        ({"ledger": "2"}, ["build"]),
        ({"checks": "d"}, ["build"]),
        ({"project": "q"}, ["full"]),
        ({"built_by": "mixed"}, ["full"]),
        ({"ledger": "2", "project": "q"}, ["full"]),
    ],
)
def test_what_changed_decides(dbt: Dbt, change: dict[str, Any], calls: list[str]) -> None:
    dbt.build()
    dbt.marker = replace(dbt.marker, **change)

    assert dbt.build() == calls
    assert dbt.build() == []


def test_missing_marts_are_built(dbt: Dbt) -> None:
    dbt.build()
    dbt.marts_exist = False

    assert dbt.build() == ["build"]


def test_a_full_refresh_that_failed_is_one_again(dbt: Dbt) -> None:
    dbt.outcome = FAILED
    dbt.build()
    assert dbt.build() == ["full"]
    dbt.outcome = BUILT
    assert dbt.build() == ["full"]
    assert dbt.build() == []


def test_what_a_build_fails_on_is_built_again_from_landing(dbt: Dbt) -> None:
    dbt.build()
    dbt.marker, dbt.outcome = replace(dbt.marker, ledger="2"), FAILED
    assert dbt.build() == ["build", "full"]
    assert dbt.build() == ["full"]
    dbt.outcome = BUILT
    assert dbt.build() == ["full"]
    assert dbt.build() == []


def test_a_build_that_was_interrupted_is_tried_again_without_a_full_refresh(
    dbt: Dbt, monkeypatch: pytest.MonkeyPatch
) -> None:
    dbt.build()
    dbt.marker = replace(dbt.marker, ledger="2")
    with monkeypatch.context() as patch:
        patch.setattr(hop, "run_dbt", interrupted)
        with pytest.raises(KeyboardInterrupt):
            dbt.build()
    dbt.marker = replace(dbt.marker, ledger="1")

    assert dbt.build() == ["build"]


def test_a_full_refresh_can_be_asked_for(dbt: Dbt) -> None:
    dbt.build()
    assert dbt.build(full_refresh=True) == ["full"]
    assert dbt.build() == []


def test_what_dbt_noted_of_a_build_is_remembered_with_it(
    dbt: Dbt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is that of before the build: who edits it meanwhile gets another one."""
    before = replace(dbt.marker, built_by=None)
    after = replace(dbt.marker, project="edited meanwhile")
    markers = iter([before, after])
    monkeypatch.setattr(hop, "current_marker", lambda *_: next(markers))

    dbt.build()

    assert read_marker(dbt.warehouse) == replace(before, built_by=after.built_by)


def test_replaced_batches_are_dropped_after_a_good_build_only(dbt: Dbt) -> None:
    assert dbt.build(drop_replaced=True) == ["full", "drop"]
    dbt.outcome, dbt.marker = FAILED, replace(dbt.marker, ledger="2")
    assert dbt.build(drop_replaced=True) == ["build", "full"]


def test_the_marts_find_the_keys_of_pseudonyms_and_only_where_they_hash(
    dbt: Dbt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dbt.settings = replace(dbt.settings, root=tmp_path)
    project = tmp_path / "dbt_project.yml"
    monkeypatch.setenv("CLICKSTREAM_PSEUDONYM_KEY", "k" * 32)
    for hidden in ("no", "client_ip, pseudonym_method: truncate"):
        project.write_text(f"vars: {{pseudonymise: {hidden}}}")
        dbt.build()
        assert not dbt.warehouse.exists("landing.pseudonym_keys")
    project.write_text("{name: shop, vars: {shop: {pseudonymise: client_ip}}}")
    dbt.build(full_refresh=True)
    ((inner, outer),) = dbt.warehouse.query("select * from landing.pseudonym_keys").rows
    assert len({inner, outer, "k" * 32}) == 3
