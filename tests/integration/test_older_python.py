"""The parser gives the same verdicts on the oldest Python 3.11 at hand, as of Debian 12."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from support.older_python import older_python

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("older_python_here")
def test_the_parser_passes_its_tests_there() -> None:
    """In a process of that Python, with the packages of this one: both are built for 3.11."""
    python = older_python()
    assert python is not None
    packages = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/parse"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert " passed" in done.stdout
