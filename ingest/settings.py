"""clickstream.toml and the environment, read once at the edge into one frozen object.

The environment wins over the file; secrets come from the environment only and are not kept here.
All that is wrong is collected and raised as one SettingsError.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingest.errors import SettingsError

MIB = 1 << 20
# A range is cut at multiples of the hashing chunk (8 MiB), so that ranges hash without rereading.
HASH_CHUNK_BYTES = 8 * MIB
DEFAULT_INDEX = "clickstream_data"
_OFFSET = re.compile(r"[+-]((0\d|1[0-3]):?[0-5]\d|14:?00)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where raw logs come from and how they are read.

    `uri` is an absolute folder or an s3:// prefix. `reject_limit_ratio` (0-1) is the share of
    rejected lines, of at least 1,000 lines, above which a batch is quarantined.
    """

    name: str
    uri: str
    format: str = "auto"
    timezone: str = "UTC"
    reject_limit_ratio: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """The search hop. `url` None = the local engine, "off" = the hop is skipped."""

    url: str | None = None
    index: str = DEFAULT_INDEX
    shards: int = 1
    writers: int = 2
    body_mib: int = 5
    deadline_seconds: int = 300
    max_dead: int = 0
    size: str = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one run.

    `root` is the project root (where dbt_project.yml stands), `data` the absolute folder of
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

    @property
    def raw_default(self) -> Path:
        """Where `make run` puts the generated logs."""
        return self.data / "raw"

    def source(self, name: str) -> Source:
        """Return the source `name`; raises SettingsError that lists the known ones."""
        for source in self.sources:
            if source.name == name:
                return source
        known = ", ".join(source.name for source in self.sources)
        raise SettingsError(f"no source is named {name!r}; clickstream.toml has: {known}")


def project_root() -> Path:
    """Return the folder that holds dbt_project.yml: the current one or one above, else ours."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dbt_project.yml").is_file() and (folder / "clickstream.toml").is_file():
            return folder
    return Path(__file__).resolve().parents[1]


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    root: Path | None = None,
    target: str | None = None,
) -> Settings:
    """Read clickstream.toml below `root` and `environ` (default: the process's).

    `target` is the command line's --target and wins over CLICKSTREAM_TARGET. Raises SettingsError
    that lists everything that is missing or wrong.
    """
    root = root or project_root()
    reader = _Reader(os.environ if environ is None else environ, _read_toml(root))
    # What stands in the environment was typed here and now: relative to the current folder. What
    # stands in the file is relative to the file.
    here = Path.cwd()
    given = reader.env("CLICKSTREAM_DATA")
    data = Path(_location(given, here) or root / "data")
    settings = Settings(
        root=root,
        data=data,
        lake=_location(reader.env("CLICKSTREAM_LAKE"), here)
        or _location(reader.text("lake", "uri"), root)
        or str(data / "lake"),
        target=target or reader.env("CLICKSTREAM_TARGET") or "local",
        sources=reader.sources(root, data),
        search=reader.search(),
        range_bytes=reader.whole("ingest", "range_mib", 64, least=8, most=1024) * MIB,
    )
    reader.finish(settings)
    return settings


def _read_toml(root: Path) -> dict[str, Any]:
    path = root / "clickstream.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _location(uri: str | None, base: Path) -> str | None:
    """Return `uri` with a local path made absolute below `base`; None stays None."""
    if not uri or "://" in uri:
        return uri or None
    return str((base / Path(uri).expanduser()).absolute())


def _zone_exists(name: str) -> bool:
    if _OFFSET.fullmatch(name):
        return True
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def check_timezone(name: str) -> str:
    """Return `name`; raises SettingsError unless it is an IANA name or an offset."""
    if not _zone_exists(name):
        raise SettingsError(
            f"timezone {name!r} is unknown: give an IANA name such as Europe/Berlin, or +01:00"
        )
    return name


# What may stand in clickstream.toml: section -> keys. A typing error must not be ignored.
_KNOWN = {
    "lake": {"uri"},
    "ingest": {"range_mib"},
    "search": {
        "url", "index", "shards", "writers", "body_mib", "deadline_seconds", "max_dead", "size"
    },
    "sources": {"name", "uri", "format", "timezone", "reject_limit_ratio"},
}  # fmt: skip


class _Reader:
    """Takes values out of the two places and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str], toml: Mapping[str, Any]) -> None:
        self._environ = environ
        self._toml = toml
        self._problems: list[str] = []
        self._check_names()

    def env(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def text(self, section: str, key: str, default: str | None = None) -> str | None:
        value = self._section(section).get(key, default)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self._wrong(f"{section}.{key}", value, "a non-empty text")
            return default
        return value

    def whole(self, section: str, key: str, default: int, *, least: int, most: int) -> int:
        value = self._section(section).get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._wrong(f"{section}.{key}", value, f"a whole number from {least} to {most}")
            return default
        if key == "range_mib" and value % 8:
            self._wrong(f"{section}.{key}", value, "a multiple of 8")
            return default
        return int(value)

    def search(self) -> SearchSettings:
        index = self.env("ES_INDEX") or self.text("search", "index", DEFAULT_INDEX)
        size = self.text("search", "size", "small")
        if size not in ("small", "large"):
            self._wrong("search.size", size, "small or large")
        return SearchSettings(
            url=self.env("ES_URL") or self.text("search", "url"),
            index=index or DEFAULT_INDEX,
            shards=self.whole("search", "shards", 1, least=1, most=1024),
            writers=self.whole("search", "writers", min(8, os.cpu_count() or 1), least=1, most=64),
            body_mib=self.whole("search", "body_mib", 5, least=1, most=10),
            deadline_seconds=self.whole("search", "deadline_seconds", 300, least=1, most=86_400),
            max_dead=self.whole("search", "max_dead", 0, least=0, most=1_000_000_000),
            size=size or "small",
        )

    def sources(self, root: Path, data: Path) -> tuple[Source, ...]:
        raw = self.env("CLICKSTREAM_RAW")
        if raw:
            uri = _location(raw, Path.cwd())
            only = {"name": "raw", "uri": uri, "format": self.env("CLICKSTREAM_FORMAT") or "auto"}
            return tuple(filter(None, [self._source(only, 0, root)]))
        entries = self._toml.get("sources", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._wrong("sources", entries, "written as [[sources]] tables")
            entries = []
        if not entries:
            return (Source(name="raw", uri=str(data / "raw")),)
        found = [self._source(entry, i, root) for i, entry in enumerate(entries)]
        sources = tuple(source for source in found if source is not None)
        names = [source.name for source in sources]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._problems.append(f"two sources are named {name!r}: give each a name of its own")
        return sources

    def _source(self, entry: Mapping[str, Any], position: int, root: Path) -> Source | None:
        """Return the source of one entry; None when something of it is wrong, all of it noted."""
        where = f"sources[{position}]"
        known = len(self._problems)
        name, uri = entry.get("name"), entry.get("uri")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            self._wrong(f"{where}.name", name, "1 to 64 letters, digits, - or _")
        location = _location(uri, root) if isinstance(uri, str) else None
        if location is None:
            self._wrong(f"{where}.uri", uri, "a folder")
        zone = entry.get("timezone", "UTC")
        if not isinstance(zone, str) or not _zone_exists(zone):
            self._wrong(f"{where}.timezone", zone, "an IANA name such as Europe/Berlin, or +01:00")
        limit = entry.get("reject_limit_ratio", 0.01)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit <= 1:
            self._wrong(f"{where}.reject_limit_ratio", limit, "a share from 0 to 1")
        log_format = entry.get("format", "auto")
        if not isinstance(log_format, str) or not log_format:
            self._wrong(f"{where}.format", log_format, "a name that `clickstream formats` lists")
        if len(self._problems) > known:
            return None
        return Source(
            name=str(name),
            uri=str(location),
            format=str(log_format),
            timezone=str(zone),
            reject_limit_ratio=float(limit),
        )

    def finish(self, settings: Settings) -> None:
        """Check what takes more than one setting, then raise all problems at once."""
        index = settings.search.index
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,200}", index):
            self._wrong("ES_INDEX / search.index", index, "lower-case letters, digits, . _ -")
        if re.match(r"(logs|metrics|traces)-.+-", index):
            self._wrong("ES_INDEX / search.index", index, "no name that data streams claim")
        url = settings.search.url
        if url and url != "off" and not re.match(r"https?://[^/\s]+", url):
            # The address may hold a password: it is not shown.
            self._problems.append("ES_URL / search.url must be http(s)://host[:port], or off")
        if self._problems:
            raise SettingsError("wrong settings:\n" + "\n".join(f"- {p}" for p in self._problems))

    def _section(self, name: str) -> Mapping[str, Any]:
        section = self._toml.get(name, {})
        return section if isinstance(section, dict) else {}

    def _check_names(self) -> None:
        for name, section in self._toml.items():
            known = _KNOWN.get(name)
            if known is None:
                self._problems.append(
                    f"clickstream.toml: unknown section {name!r}; known: {', '.join(_KNOWN)}"
                )
                continue
            if name != "sources" and not isinstance(section, dict):
                self._wrong(name, section, f"written as a [{name}] table")
                continue
            for table in section if isinstance(section, list) else [section]:
                for key in table if isinstance(table, dict) else ():
                    if key not in known:
                        self._problems.append(
                            f"clickstream.toml: unknown key {name}.{key}; "
                            f"known: {', '.join(sorted(known))}"
                        )

    def _wrong(self, name: str, value: object, wanted: str) -> None:
        self._problems.append(f"{name} = {value!r}: must be {wanted}")
