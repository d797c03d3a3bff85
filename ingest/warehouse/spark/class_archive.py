"""Store Spark's classes as Java loaded and checked them, so that later starts take half as long.

`make setup` runs this once. The file belongs to this Python environment and its Java; Java ignores
it when either has changed (docs/adr/0009).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from ingest.errors import ClickstreamError
from ingest.settings import load_settings
from ingest.spark.session import warehouse_session
from ingest.warehouse.target import load_target

_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_READ, _WRITE = "-XX:SharedArchiveFile=", "-XX:ArchiveClassesAtExit="
_STOP_SECONDS = 120
# What dbt and the loader ask for, small: only the classes behind it count.
_STATEMENTS = (
    "create database s",
    """create table s.e (n bigint, t timestamp, d date, s string)
    using parquet partitioned by (b string)""",
    """insert into s.e select id, timestamp_seconds(id), date '2025-01-01', cast(id as string),
    cast(id % 2 as string) from range(10)""",
    "create view s.v as select * from s.e where n > 1",
    """create table s.m using parquet partitioned by (b) as
    select b, s, count(*) as c, count(distinct n) as u, max(t) as last,
        row_number() over (partition by b order by s) as r
    from s.v left join (select n as k from s.e) on n = k where s like '%1' or s rlike '[0-9]'
    group by b, s""",
    "insert overwrite table s.m select s, c, u, last, r, b from s.m",
    "select b, c from s.m union all select s, 1 from s.e order by 1 limit 5",
    "with a as (select * from s.m) select * from a where c > (select min(c) from s.m)",
    "show tables in s",
    "describe table extended s.e",
    "alter table s.e drop partition (b = '1')",
    "drop table s.m",
)


def write_class_archive(path: Path) -> None:
    """Start Spark on an empty warehouse, use it a little, and let Java write `path` as it stops.

    Raises SettingsError when Java is missing or is not the right one, ClickstreamError when Java
    wrote nothing.
    """
    path.unlink(missing_ok=True)
    # A file that was cut short would crash each Java that reads it: only a whole one gets the name.
    spool = path.with_suffix(".tmp")
    spool.unlink(missing_ok=True)
    with TemporaryDirectory() as folder:
        settings = replace(load_settings(), data=Path(folder), target="local")
        parameters = _writing(load_target(settings).parameters, path, spool)
        session = warehouse_session(parameters, settings.data)
        for statement in _STATEMENTS:
            session.sql(statement).collect()
        session.stop()
        gateway: Any = session.sparkContext._gateway
        java = psutil.Process(gateway.proc.pid)
        gateway.shutdown()
        gateway.proc.stdin.close()
        java.wait(_STOP_SECONDS)
    if not spool.exists():
        raise ClickstreamError(f"no class archive at {path}: Java wrote none when it stopped")
    spool.replace(path)


def _writing(parameters: Mapping[str, str], path: Path, spool: Path) -> dict[str, str]:
    options = parameters[_JAVA_OPTIONS].replace(f"{_READ}{path}", f"{_WRITE}{spool}")
    if options == parameters[_JAVA_OPTIONS]:
        raise ClickstreamError(f"profiles.yml does not name {path} in {_JAVA_OPTIONS}")
    return {**parameters, _JAVA_OPTIONS: options}


if __name__ == "__main__":
    write_class_archive(Path(sys.prefix) / "spark.jsa")
