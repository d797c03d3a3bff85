"""clickstream.toml and the environment, read once at the edge into one frozen object.

The environment overrides the file; secrets come from the environment only and are not kept here.
All problems are collected and raised as one SettingsError.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.errors import SettingsError
from ingest.settings.emr import ARCHITECTURES, EmrSettings, Prices, bucket_uri, read_emr
from ingest.settings.search import (
    AUTO,
    ELASTICSEARCH,
    OFF,
    OPENSEARCH,
    TITLES,
    SearchSettings,
    read_search,
)
from ingest.settings.sources import (
    BY_FORMAT,
    MAX_EXPANSION_RATIO,
    MAX_LINE_BYTES,
    RAW_VARIABLES,
    ParseSettings,
    Source,
    absolute,
    check_timezone,
    read_source,
)
from ingest.settings.values import FILE, Table

__all__ = [
    "ARCHITECTURES",
    "AUTO",
    "BY_FORMAT",
    "ELASTICSEARCH",
    "HASH_CHUNK_BYTES",
    "MAX_EXPANSION_RATIO",
    "MAX_LINE_BYTES",
    "OFF",
    "OPENSEARCH",
    "TITLES",
    "EmrSettings",
    "ParseSettings",
    "Prices",
    "SearchSettings",
    "Settings",
    "Source",
    "check_timezone",
    "load_settings",
    "project_root",
    "read_range_bytes",
]

MIB = 1 << 20
DATA_BUCKET = "AWS_DATA_BUCKET"
# A range is cut at multiples of the hashing chunk (8 MiB), so that ranges hash without rereading.
HASH_CHUNK_BYTES = 8 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one run.

    `root` is the project root (where dbt_project.yml is), `data` the absolute folder of
    everything local, `lake` an absolute folder or an s3:// prefix, `target` the dbt target.
    `range_bytes` is a multiple of 8 MiB.
    """

    root: Path
    data: Path
    lake: str
    target: str
    sources: tuple[Source, ...]
    search: SearchSettings
    range_bytes: int = 64 * MIB
    emr: EmrSettings = field(default_factory=EmrSettings)

    def source(self, name: str) -> Source:
        """Return the source `name`; raises SettingsError that lists the known ones."""
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources)
        raise SettingsError(f"no source is named {name!r}; {FILE} has: {known}")


def project_root() -> Path:
    """Return the folder with dbt_project.yml: the current one, one above, or this package's."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dbt_project.yml").is_file() and (folder / FILE).is_file():
            return folder
    return Path(__file__).resolve().parents[2]


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    root: Path | None = None,
    target: str | None = None,
) -> Settings:
    """Read clickstream.toml below `root` and `environ` (default: the process's).

    `target` is the command line's --target and overrides CLICKSTREAM_TARGET. Raises SettingsError
    that lists everything that is missing or wrong.
    """
    root = root or project_root()
    given = _given(os.environ if environ is None else environ)
    problems: list[str] = []
    toml = Table(_read_toml(root), problems)
    data = _data(given, root)
    if data.exists() and not data.is_dir():
        problems.append(f"CLICKSTREAM_DATA: {data} is not a folder")
    settings = Settings(
        root=root,
        data=data,
        lake=_lake(toml.table("lake"), given, root=root, data=data),
        target=target or given.get("CLICKSTREAM_TARGET", "local"),
        sources=_sources(toml, given, root=root, data=data),
        search=read_search(toml.table("search"), given),
        range_bytes=read_range_bytes(toml.table("ingest")),
        emr=read_emr(toml, given),
    )
    toml.check_names()
    if problems:
        raise SettingsError("invalid settings:\n" + "\n".join(f"- {p}" for p in problems))
    return settings


def read_range_bytes(table: Table) -> int:
    """Return the size of the ranges that large objects are cut into: a multiple of 8 MiB."""
    return table.whole("range_mib", 64, least=8, most=1024, step=8) * MIB


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is set; a variable that is blank counts as unset."""
    return {name: text for name, value in environ.items() if (text := value.strip())}


def _read_toml(root: Path) -> dict[str, Any]:
    path = root / FILE
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


# A path in the environment was typed here and now, so it is relative to the current folder; one
# in the file is relative to the file.
def _data(given: Mapping[str, str], root: Path) -> Path:
    path = given.get("CLICKSTREAM_DATA")
    return Path(absolute(path, Path.cwd())) if path else root / "data"


def _lake(table: Table, given: Mapping[str, str], *, root: Path, data: Path) -> str:
    configured = table.text("uri")
    if uri := given.get("CLICKSTREAM_LAKE"):
        return absolute(uri, Path.cwd())
    return absolute(configured, root) if configured else str(data / "lake")


def _sources(
    toml: Table, given: Mapping[str, str], *, root: Path, data: Path
) -> tuple[Source, ...]:
    """Return the one source of the environment, else those of the file, else <data>/raw.

    AWS_DATA_BUCKET, which users of the older pipeline know, is a source where no other is set.
    """
    sources = tuple(read_source(table, root) for table in toml.tables("sources"))
    names = [source.name for source in sources if source.name]
    for name in sorted({name for name in names if names.count(name) > 1}):
        toml.problems.append(f"two sources are named {name!r}: give each source its own name")
    raw = {key: given[name] for key, name in RAW_VARIABLES.items() if name in given}
    called = RAW_VARIABLES
    if not sources and "uri" not in raw and DATA_BUCKET in given:
        raw["uri"], called = bucket_uri(given[DATA_BUCKET]), {**called, "uri": DATA_BUCKET}
    if "uri" in raw:
        table = Table({"name": "raw", **raw}, toml.problems, called=called)
        return (read_source(table, Path.cwd()),)
    for key in raw:
        toml.problems.append(
            f"{RAW_VARIABLES[key]} needs {RAW_VARIABLES['uri']}; a source in {FILE} has its own"
            f" `{key}`"
        )
    return sources or (Source(name="raw", uri=str(data / "raw")),)
