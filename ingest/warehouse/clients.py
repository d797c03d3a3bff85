"""How the marts name clients: the vars of the dbt project say it, and dbt follows them itself."""

from __future__ import annotations

import os
from typing import Any

import yaml

from ingest.errors import SettingsError
from ingest.pseudonyms import CLIENT_IP, HASH, Pseudonyms, read_pseudonyms
from ingest.settings import Settings
from ingest.warehouse.target import YAML_LOADER

_PROJECT = "dbt_project.yml"


def pseudonyms_of_marts(settings: Settings) -> Pseudonyms | None:
    """Return the pseudonyms of clients in the marts, None where these show addresses.

    Raises SettingsError when the project cannot be read, or hashes without a key.
    """
    wanted = _vars(settings)
    hidden = CLIENT_IP if wanted.get("pseudonymise") == CLIENT_IP else None
    return read_pseudonyms(hidden, str(wanted.get("pseudonym_method", HASH)), os.environ)


def _vars(settings: Settings) -> dict[str, Any]:
    path = settings.root / _PROJECT
    try:
        project = yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)  # noqa: S506
    except FileNotFoundError:  # dbt says so, and better
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    if not isinstance(project, dict):
        return {}
    found = _table(project, "vars")
    # Those of the project itself, below its name, win in dbt too.
    return found | _table(found, str(project.get("name")))


def _table(holder: dict[str, Any], key: str) -> dict[str, Any]:
    found = holder.get(key)
    return found if isinstance(found, dict) else {}
