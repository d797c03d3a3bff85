"""The dbt target decides where events are loaded: its engine, its schema, its session settings.

profiles.yml is read through dbt's own API, so `clickstream` and a bare `dbt run` cannot differ in a
setting. dbt is imported where it is used: the import takes about 2 s, which commands without a
warehouse should not pay for.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingest.errors import SettingsError
from ingest.settings import Settings

# Ten times as fast where PyYAML was built with its C library: every wheel is.
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The dbt target: `type` is its engine, `schema` holds the marts.

    `parameters` are the settings of a Spark session; other engines have none.
    """

    name: str
    type: str
    schema: str
    parameters: Mapping[str, str]

    @property
    def is_local(self) -> bool:
        """Whether Spark and its metastore are of this machine; else they are a cluster's."""
        return self.parameters.get("spark.master", "").startswith("local")


def engine_of(settings: Settings) -> str | None:
    """Return the engine of the target, None where profiles.yml does not tell: dbt will say why.

    It takes milliseconds, since nothing of dbt is imported.
    """
    path = profiles_dir(settings) / "profiles.yml"
    try:
        profiles = yaml.load(path.read_text(encoding="utf-8"), Loader=YAML_LOADER)  # noqa: S506
        outputs = [profile.get("outputs", {}) for profile in profiles.values()]
        (found,) = (one[settings.target] for one in outputs if settings.target in one)
        return str(found["type"])
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError):
        return None


def load_target(settings: Settings) -> Target:
    """Return the dbt target that `settings` names.

    Raises SettingsError when profiles.yml lacks it or cannot be read.
    """
    profile = _read_profile(settings)
    credentials = profile.credentials
    return Target(
        name=profile.target_name,
        type=credentials.type,
        schema=credentials.schema,
        parameters=dict(getattr(credentials, "server_side_parameters", {})),
    )


def load_credentials(settings: Settings) -> Any:
    """Return what the adapter of the dbt target connects with, secrets included: dbt's own class.

    Raises SettingsError as `load_target`.
    """
    return _read_profile(settings).credentials


def _read_profile(settings: Settings) -> Any:
    from dbt.config.runtime import load_profile
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    arguments = Namespace(PROJECT_DIR=str(settings.root), PROFILES_DIR=str(profiles_dir(settings)))
    try:
        with dbt_environment(settings):
            set_invocation_context(os.environ)
            set_from_args(arguments, None)
            return load_profile(str(settings.root), {}, target_override=settings.target)
    except DbtBaseException as error:
        raise SettingsError(
            f"dbt cannot read target {settings.target} in {profiles_dir(settings)}:"
            f" {_reason(error)}"
        ) from error


def _reason(error: BaseException) -> str:
    """Return what dbt says; of a value that is not valid its name only, it may be a password."""
    invalid = error.__cause__
    if path := list(getattr(invalid, "absolute_path", ())):
        return f"the value of {'.'.join(map(str, path))} is not valid"
    return str(error)


def profiles_dir(settings: Settings) -> Path:
    """Return the folder that holds profiles.yml."""
    return Path(os.environ.get("DBT_PROFILES_DIR") or settings.root / "profiles")


@contextmanager
def dbt_environment(settings: Settings) -> Iterator[None]:
    """Let profiles.yml see the settings of this run, as env_var() reads them."""
    wanted = {
        "CLICKSTREAM_DATA": str(settings.data),
        "CLICKSTREAM_LAKE": settings.lake,
        "CLICKSTREAM_TARGET": settings.target,
        "DBT_PROFILES_DIR": str(profiles_dir(settings)),
        "VIRTUAL_ENV": sys.prefix,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
