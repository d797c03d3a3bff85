"""The package of a job: what is in it, when it is uploaded, and what must not be sent."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.emr.machine_code import _compiled, machine_code
from ingest.emr.package import (
    MAIN,
    Package,
    describe_package,
    fetch_wheels,
    is_uploaded,
    pip_command,
    upload_package,
)
from ingest.errors import ClickstreamError, SettingsError
from ingest.settings import Settings


class Wheels:
    """Makes one small wheel instead of fetching any, and keeps what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, lock: str, arch: str, folder: Path) -> None:
        self.asked.append((lock, arch))
        with zipfile.ZipFile(folder / "small-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr("small.py", "x = 1\n")


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    """Settings whose staging is a folder: the storage is the same to a package."""
    return replace(settings, emr=replace(settings.emr, staging=str(tmp_path / "staging")))


def test_it_is_uploaded_once_per_content(here: Settings) -> None:
    wheels = Wheels()
    first = upload_package(here, fetch=wheels)
    assert (first.uploaded, first.bytes) == (True, Path(first.archive).stat().st_size)
    assert Path(first.program).read_text() == MAIN
    assert first.uri == f"{here.emr.staging}/code/{first.sha}"
    assert re.fullmatch(r"[0-9a-f]{64}", first.sha)

    again = upload_package(here, fetch=wheels)
    assert again == replace(first, uploaded=False, bytes=None) == describe_package(here)
    assert len(wheels.asked) == 1

    (here.root / "clickstream.toml").write_text("[ingest]\nrange_mib = 8\n")
    other = upload_package(here, fetch=wheels)
    assert (other.uploaded, other.sha != first.sha) == (True, True)
    assert Path(first.archive).exists()


def test_what_is_in_it(here: Settings) -> None:
    project = (
        "clickstream.toml", "dbt_project.yml", "profiles/profiles.yml", "models/marts/a.sql",
        "macros/a.sql", "seeds/a.csv", "tests/dbt/generic/a.sql",
    )  # fmt: skip
    others = (
        ".env",
        "models/.user.yml",
        "models/.ipynb_checkpoints/a.sql",
        "tests/unit/test_a.py",
        "data/raw/a.log",
        "target/a",
    )
    for name in (*project, *others):
        path = here.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    package = upload_package(here, fetch=Wheels())
    with tarfile.open(package.archive) as archive:
        names = set(archive.getnames())
    assert {"small.py", "ingest/cli/job.py", "ingest/report/page.html.j2", *project} <= names
    assert not names & {*others}
    cached = {name for name in names if "__pycache__" in name}
    assert {name.rpartition(".")[2] for name in cached} == {"nbi", "nbc"}


def test_machine_code_is_that_of_the_cluster(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    package = upload_package(here, fetch=Wheels())
    with tarfile.open(package.archive) as archive:
        assert not [name for name in archive.getnames() if "__pycache__" in name]


def test_kernels_that_do_not_compile_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    _compiled.cache_clear()
    with pytest.raises(ClickstreamError, match=r"the parser does not compile .*: run make setup"):
        machine_code(platform.machine())


@pytest.mark.parametrize("name", ["dbt_project.yml", "models/a.sql", "profiles/profiles.yml"])
def test_an_edit_of_the_dbt_project_is_another_package(here: Settings, name: str) -> None:
    path = here.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("a")
    first = describe_package(here).sha
    path.write_text("b")
    assert describe_package(here).sha != first


def test_without_its_program_it_is_not_complete(here: Settings) -> None:
    package = upload_package(here, fetch=Wheels())
    assert is_uploaded(package)
    Path(package.program).unlink()
    assert not is_uploaded(package)
    assert upload_package(here, fetch=Wheels()).uploaded


def test_each_architecture_has_its_own(here: Settings) -> None:
    arm = replace(here, emr=replace(here.emr, arch="aarch64"))
    wheels = Wheels()
    assert upload_package(here, fetch=wheels).sha != upload_package(arm, fetch=wheels).sha
    assert [arch for _, arch in wheels.asked] == ["x86_64", "aarch64"]
    assert wheels.asked[0][0] == "".join(
        f"{name}==1.0 \\\n    --hash=sha256:{name}\n" for name in ("boto3", "dbt-spark")
    )


def test_the_sha_is_one_of_every_input(here: Settings) -> None:
    first = describe_package(here).sha
    lock = here.root / "requirements.lock"
    lock.write_text(lock.read_text().replace("sha256:boto3", "sha256:other"))
    assert describe_package(here).sha != first


def test_a_password_is_not_sent(here: Settings) -> None:
    secret = '[search]\nurl = "https://me:hunter2@search.example:9200"\n'
    (here.root / "clickstream.toml").write_text(secret)
    with pytest.raises(SettingsError, match=r"search\.url holds a user name") as caught:
        upload_package(here, fetch=Wheels())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["password: hunter2", "{type: redshift, password: 'hunter2'}", '"token": "hunter2"']
)
def test_a_profile_with_a_password_is_not_sent(here: Settings, line: str) -> None:
    (here.root / "profiles").mkdir()
    profiles = here.root / "profiles" / "profiles.yml"
    profiles.write_text(f"      {line}\n")
    with pytest.raises(SettingsError, match=r"profiles\.yml holds a password") as caught:
        describe_package(here)
    assert "hunter2" not in str(caught.value)
    profiles.write_text(line.replace("hunter2", "{{ env_var('REDSHIFT_PASSWORD') }}"))
    assert describe_package(here)


def test_what_is_missing_is_named(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="EMR_STAGING"):
        describe_package(replace(settings, emr=replace(settings.emr, staging=None)))
    for name in ("pyproject.toml", "requirements.lock"):
        (settings.root / name).unlink()
        with pytest.raises(SettingsError, match=rf"{name} cannot be read .* work in a clone"):
            describe_package(settings)


def test_pip_is_asked_for_wheels_of_the_other_machine() -> None:
    command = pip_command("aarch64", Path("job.lock"), Path("wheels"))
    assert command[1:4] == ["-m", "pip", "download"]
    for option in (
        "--require-hashes",
        "--only-binary=:all:",
        "--platform=manylinux_2_28_aarch64",
        "--platform=manylinux2014_aarch64",
    ):
        assert option in command
    assert not [part for part in command if "index" in part or "://" in part]


def test_a_refusal_of_pip_is_told_without_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "ERROR: no match at https://me:hunter2@registry.example/simple"
    program = f"import sys; sys.exit({text!r})"
    monkeypatch.setattr(
        "ingest.emr.package.pip_command", lambda *_: [sys.executable, "-c", program]
    )
    with pytest.raises(ClickstreamError, match=r"for x86_64: ERROR: .*https://registry") as caught:
        fetch_wheels("", "x86_64", tmp_path)
    assert "hunter2" not in str(caught.value)


def test_the_program_imports_what_is_in_the_archive(tmp_path: Path) -> None:
    cli = tmp_path / "deps" / "ingest" / "cli"
    cli.mkdir(parents=True)
    for folder in (cli.parent, cli):
        (folder / "__init__.py").touch()
    (cli / "job.py").write_text("import sys\ndef main():\n    print(sys.argv[1:])\n")
    (tmp_path / "main.py").write_text(MAIN)
    command = [sys.executable, "main.py", "A=b", "ingest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['A=b', 'ingest']\n"


def test_a_package_names_its_objects() -> None:
    package = Package(sha="1", uri="s3://b/code/1", arch="x86_64")
    assert package.archive == "s3://b/code/1/deps.tar.gz"
    assert package.program == "s3://b/code/1/main.py"
