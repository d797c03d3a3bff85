"""Remembers the dbt target, so that a command need not import dbt (2 s).

The remembered target is used as long as dbt_project.yml, profiles.yml, the environment variables
that they name and the installed dbt are the same. A password decides nothing of a target: its line
in profiles.yml is left out. Where another variable, or a parameter of the session, may be a secret,
nothing is stored.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ingest.lake.records import hash_json
from ingest.settings import Settings
from ingest.warehouse.target import Target, dbt_environment, load_target, profiles_dir

_VARIABLE = re.compile(r"\benv_var\(\s*(['\"])(\w+)\1\s*[,)]")
# Of an environment variable, or a parameter of a Spark session.
SECRET = re.compile(r"secret|pass|pwd|token|key|credential(?!s\.provider)", re.IGNORECASE)
# Not with an anchor, from where another field may take it.
_PASSWORD = re.compile(r"^\s*(?:pass|password):[^&\n]*$", re.MULTILINE)
_DBT = ("dbt-core", "dbt-spark", "dbt-redshift")


def remembered_target(
    settings: Settings, load: Callable[[Settings], Target] = load_target
) -> Target:
    """Return the dbt target that `settings` names, read by `load` unless it is known.

    Raises SettingsError as `load_target`.
    """
    key = _key(settings)
    if key is None:
        return load(settings)
    path = settings.data / "target.json"
    found = _read(path, key)
    if found is None:
        found = load(settings)
        _keep(path, key, found)
    return found


def _key(settings: Settings) -> str | None:
    """Return a hash of everything that decides the target, None where that cannot be told."""
    paths = (settings.root / "dbt_project.yml", profiles_dir(settings) / "profiles.yml")
    try:
        texts = [_PASSWORD.sub("", path.read_text(encoding="utf-8")) for path in paths]
    except (OSError, ValueError):
        return None
    names = [name for text in texts for _, name in _VARIABLE.findall(text)]
    with dbt_environment(settings):
        values = {name: os.environ.get(name) for name in names}
    unclear = len(names) != sum(text.count("env_var") for text in texts)
    if unclear or any(values[name] for name in names if SECRET.search(name)):
        return None
    try:
        return hash_json([texts, settings.target, values, [version(name) for name in _DBT]])
    except ValueError:  # a path that is not UTF-8
        return None


def _read(path: Path, key: str) -> Target | None:
    """Return the target in the file `path` if it is there for `key`, undamaged."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Target(**kept["target"]) if kept["hash"] == _hash(key, kept["target"]) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _hash(key: str, target: Mapping[str, Any]) -> str:
    return hash_json([key, target])


def _keep(path: Path, key: str, target: Target) -> None:
    """Write the file whole or not at all; a missing data folder is not created."""
    if any(SECRET.search(name) for name in target.parameters):
        return
    fields = asdict(target)
    text = json.dumps({"hash": _hash(key, fields), "target": fields})
    spool = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        spool.touch(mode=0o600)  # a profile may hold what not everybody should read
        spool.write_text(text, encoding="utf-8")
        spool.replace(path)
    except OSError:  # on a full disk, or without a data folder, dbt is simply asked next time
        with suppress(OSError):
            spool.unlink()
