"""Names, grains, keys and descriptions of the dbt project, read from dbt's own manifest."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.contract import TABLES
from ingest.render import staged_columns
from ingest.warehouse.marts import read_marts

# No JVM, but dbt takes 5 s to parse: too long for the unit tests.
pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "staging": re.compile(r"stg_landing__[a-z]+"),
    "intermediate": re.compile(r"int_[a-z_]+ed"),
    "marts": re.compile(r"(fct|dim)_[a-z_]+|number_of_[a-z_]+"),
}

Node = dict[str, Any]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest of the current project; nothing is run and no JVM is started."""
    from dbt.cli.main import dbtRunner

    target = tmp_path_factory.mktemp("target")
    outcome = dbtRunner().invoke(
        [
            "--log-level=none",
            f"--log-path={target}",
            "parse",
            f"--project-dir={ROOT}",
            f"--profiles-dir={ROOT / 'profiles'}",
            f"--target-path={target}",
            "--no-partial-parse",
        ]
    )
    assert outcome.success, outcome.exception
    found: dict[str, Any] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> list[Node]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def test_names_follow_their_folder(models: list[Node]) -> None:
    for model in models:
        folder = Path(model["path"]).parts[0]
        assert NAMES[folder].fullmatch(model["name"]), model["name"]


def test_every_model_and_seed_says_its_grain(manifest: dict[str, Any]) -> None:
    for node in manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed"):
            assert node["description"].startswith("One row per "), node["name"]


def test_every_model_seed_and_source_has_a_tested_key(manifest: dict[str, Any]) -> None:
    tables = {
        unique_id
        for unique_id, node in (manifest["nodes"] | manifest["sources"]).items()
        if node["resource_type"] in ("model", "seed", "source")
    }
    assert tables - attached_to("sound_rows", manifest) == set()


def test_a_key_is_a_list_of_columns_of_its_table(manifest: dict[str, Any]) -> None:
    tables = manifest["nodes"] | manifest["sources"]
    for test in tables.values():
        if (test.get("test_metadata") or {}).get("name") == "sound_rows":
            key = test["test_metadata"]["kwargs"]["unique_key"]
            table = tables[test["attached_node"] or test["depends_on"]["nodes"][0]]
            assert isinstance(key, list)
            assert key
            assert set(key) <= table["columns"].keys()


def attached_to(name: str, manifest: dict[str, Any]) -> set[str]:
    """Return the unique ids of what the generic test `name` is attached to."""
    return {
        node["attached_node"] or node["depends_on"]["nodes"][0]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == name
    }


def test_whatever_counts_events_is_compared_with_all_of_them(
    manifest: dict[str, Any], models: list[Node]
) -> None:
    counting = {
        column: {model["unique_id"] for model in models if column in model["columns"]}
        for column in ("event_count", "total_events")
    }

    assert attached_to("counts_every_event", manifest) == counting["event_count"]
    assert attached_to("covers_all_events", manifest) == counting["total_events"]
    assert {mart.name: mart.where for mart in read_marts(ROOT)} == {
        model["name"]: model["config"]["meta"]["counts_where"]
        for model in models
        if model["unique_id"] in counting["total_events"]
    }


def test_every_column_is_described(manifest: dict[str, Any]) -> None:
    for node in (manifest["nodes"] | manifest["sources"]).values():
        if node["resource_type"] in ("model", "seed", "source"):
            assert node["columns"], node["name"]
            for column in node["columns"].values():
                assert column["description"].strip(), f"{node['name']}.{column['name']}"


def test_the_columns_described_are_the_columns_selected(models: list[Node]) -> None:
    """Marts have contracts that dbt enforces; here the other layers."""
    for model in models:
        assert list(model["columns"]) == selected(model), model["name"]


def test_staging_passes_on_the_columns_of_the_contract(models: list[Node]) -> None:
    """In the contract's order, and before those that it derives itself."""
    by_name = {model["name"]: selected(model) for model in models}
    for table in TABLES:
        columns = by_name[f"stg_landing__{table.name}"]
        derived = [name for name in columns if name not in table.names]
        assert columns == [*staged_columns(table), *derived], table.name


def selected(model: Node) -> list[str]:
    """Return the names of the columns in the model's last select list."""
    sql = model["raw_code"].rpartition("\nselect\n")[2].rpartition("\nfrom ")[0]
    sql = re.sub(r"\{\{ without_client\('(\w+)'\) \}\}", r"\1", sql)
    return [part.split()[-1].split(".")[-1] for part in split_columns(sql)]


def split_columns(sql: str) -> list[str]:
    """Return the column expressions of a select list, cut at commas outside of brackets."""
    columns, depth = [""], 0
    for character in re.sub(r"--.*", "", sql):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            columns.append("")
        else:
            columns[-1] += character
    return [column for column in columns if column.strip()]


def test_only_staging_reads_sources_and_each_source_once(models: list[Node]) -> None:
    read = [
        (parent, model["name"])
        for model in models
        for parent in model["depends_on"]["nodes"]
        if parent.startswith("source.")
    ]
    assert all(name.startswith("stg_") for _, name in read)
    assert len(read) == len({parent for parent, _ in read}) == 4


def test_marts_have_enforced_contracts(models: list[Node]) -> None:
    marts = [model for model in models if model["path"].startswith("marts")]
    assert {"number_of_views_per_session", "fct_traffic_hourly"} <= {one["name"] for one in marts}
    assert all(mart["config"]["contract"]["enforced"] for mart in marts)


def test_pre_aggregates_are_replaced_batch_by_batch(models: list[Node]) -> None:
    for model in models:
        if model["name"].startswith("int_"):
            assert model["config"]["partition_by"] == "batch_id"
            assert model["config"]["incremental_strategy"] == "insert_overwrite"
            assert list(model["columns"])[-1] == "batch_id"
            assert "{{ new_batches() }}" in model["raw_code"]


def test_macros_are_described_and_short(manifest: dict[str, Any]) -> None:
    for macro in manifest["macros"].values():
        if macro["package_name"] == "clickstream" and "__" not in macro["name"]:
            if not macro["name"].startswith("test_"):
                assert macro["description"], macro["name"]
            assert len(macro["macro_sql"].splitlines()) <= 30, macro["name"]


def test_every_mart_is_read_by_an_exposure(manifest: dict[str, Any], models: list[Node]) -> None:
    read = {
        parent for one in manifest["exposures"].values() for parent in one["depends_on"]["nodes"]
    }
    marts = {model["unique_id"] for model in models if model["path"].startswith("marts")}
    assert marts <= read


@pytest.mark.parametrize("path", sorted((ROOT / "seeds").glob("*.csv")), ids=lambda path: path.stem)
def test_seeds_survive_the_seed_loader(path: Path) -> None:
    """Apostrophes break dbt-spark's insert, backslashes are corrupted: plain ASCII without both."""
    text = path.read_text(encoding="ascii")
    assert not set("'\\") & set(text)
    rows = list(csv.reader(text.splitlines()))
    assert {len(row) for row in rows} == {len(rows[0])}


def test_bot_patterns_are_in_lower_case() -> None:
    text = (ROOT / "seeds/bot_patterns.csv").read_text(encoding="ascii")
    assert text == text.lower()
