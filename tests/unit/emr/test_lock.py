"""The lock of a job: what driver and tasks need, hashes kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingest.emr.lock import job_lock, needed_packages
from ingest.errors import SettingsError

ROOT = Path(__file__).resolve().parents[3]
LOCK = """\
app==1.0 \\
    --hash=sha256:a1 \\
    --hash=sha256:a2
    # via clickstream (pyproject.toml)
engine==9.0 \\
    --hash=sha256:e1
    # via clickstream (pyproject.toml)
lib-b==2.0 \\
    --hash=sha256:b1
    # via
    #   engine
    #   app
lib.c==3.0 \\
    --hash=sha256:c1
    # via lib-b
of-engine==4.0 \\
    --hash=sha256:o1
    # via engine
"""


def test_what_is_needed_comes_along_and_nothing_else() -> None:
    assert job_lock(LOCK, ("app",)) == (
        "app==1.0 \\\n    --hash=sha256:a1 \\\n    --hash=sha256:a2\n"
        "lib-b==2.0 \\\n    --hash=sha256:b1\n"
        "lib.c==3.0 \\\n    --hash=sha256:c1\n"
    )


def test_what_the_cluster_has_is_left_out_with_what_only_that_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.emr.lock.PROVIDED", ("engine",))
    assert job_lock(LOCK, ("app", "engine")) == job_lock(LOCK, ("app",))


def test_a_package_that_the_lock_lacks_is_named() -> None:
    with pytest.raises(SettingsError, match=r"has no gone: .*make lock"):
        job_lock(LOCK, ("app", "gone"))


def test_the_lock_of_the_project() -> None:
    needed = needed_packages((ROOT / "pyproject.toml").read_text())
    lock = job_lock((ROOT / "requirements.lock").read_text(), needed)
    entries = re.split(r"^(?=\S+==)", lock, flags=re.MULTILINE)[1:]
    names = {entry.partition("==")[0] for entry in entries}
    assert names >= {"pyarrow", "botocore", "mdurl", "dbt-core", "dbt-adapters", "elasticsearch"}
    assert not names & {"pyspark", "py4j", "moto", "pytest", "flask", "ruff", "uv"}
    assert all("--hash=sha256:" in entry for entry in entries)
