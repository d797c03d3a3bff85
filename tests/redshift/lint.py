"""Whether Redshift would read our SQL: compile the project for it, without a warehouse, and lint.

`python -m redshift.lint [FOLDER]` compiles the dbt project in FOLDER (default: here) for the target
`redshift`, as an increment: dbt is told that every model is there and that one batch is new. It
names what only PostgreSQL runs and what sqlfluff does not read as Redshift's SQL, in the models,
the tests and the DDL of the landing tables, and exits with 1 when there is any of it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import agate  # type: ignore[import-untyped]
import sqlfluff
from dbt.adapters.contracts.relation import RelationType
from dbt.adapters.redshift.impl import RedshiftAdapter
from sqlfluff.core import FluffConfig

from ingest.contract import TABLES
from ingest.render import redshift_ddl
from ingest.settings import SearchSettings, Settings
from ingest.warehouse.dbt import run_dbt
from redshift.deny_list import denied

_NEW_BATCH = "0" * 32


def compile_project(root: Path, data: Path) -> Path:
    """Compile the dbt project in `root`; return the folder of its SQL, which is below `data`.

    Raises ClickstreamError when dbt cannot parse it, SystemExit when a model does not compile.
    """
    settings = Settings(
        root=root, data=data, lake="", target="redshift", sources=(), search=SearchSettings()
    )
    with _without_warehouse({path.stem for path in (root / "models").rglob("*.sql")}):
        done = run_dbt(settings, "compile")
    if not done.success:
        raise SystemExit("\n".join(f"{one.name}: {one.message}" for one in done.failures))
    return data / "dbt" / "compiled"


@contextmanager
def _without_warehouse(models: Collection[str]) -> Iterator[None]:
    """Let the adapter answer itself what it would ask the database while it compiles."""

    def relations(adapter: Any, schema: Any) -> list[Any]:
        return [
            adapter.Relation.create(
                database=schema.database,
                schema=schema.schema,
                identifier=name,
                type=RelationType.Table,
            )
            for name in models
        ]

    def execute(_adapter: Any, sql: str, **_: Any) -> tuple[str, agate.Table]:
        # The batches that are live, or those that a pre-aggregate has.
        rows = [] if sql.lstrip().startswith("select distinct") else [(_NEW_BATCH,)]
        return "", agate.Table(rows, ["batch_id"], [agate.Text()])

    with (
        mock.patch.object(RedshiftAdapter, "list_relations_without_caching", relations),
        mock.patch.object(RedshiftAdapter, "_link_cached_relations"),
        mock.patch.object(RedshiftAdapter, "execute", execute),
    ):
        yield


def problems(folder: Path) -> Iterator[str]:
    """Yield `path:line: what is wrong` of the .sql files below `folder`."""
    dialect = FluffConfig(overrides={"dialect": "redshift"})
    for path in sorted(folder.rglob("*.sql")):
        sql = path.read_text(encoding="utf-8")
        yield from (f"{path.relative_to(folder)}:{hit}" for hit in denied(sql))
        try:
            sqlfluff.parse(sql, config=dialect)
        except sqlfluff.api.simple.APIParsingError as error:
            yield f"{path.relative_to(folder)}: sqlfluff: {error}"


def main(arguments: list[str]) -> int:
    """Write each problem to standard output; return 1 when there is one."""
    root = Path(*arguments).resolve()
    with tempfile.TemporaryDirectory() as data:
        folder = compile_project(root, Path(data))
        for table in TABLES:
            (folder / f"{table.name}.sql").write_text(redshift_ddl(table), encoding="utf-8")
        found = list(problems(folder))
    sys.stdout.writelines(f"{one}\n" for one in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
