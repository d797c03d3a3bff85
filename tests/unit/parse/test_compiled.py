"""How kernels are compiled and loaded: in tasks only, once, also from where nobody may write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.parse.kernels import compiled
from ingest.parse.kernels.compiled import machine_code_folder
from ingest.parse.kernels.layout import QUOTED, TOKEN, Field, layouts

# Root may write anywhere, so the refusal is made up.
READ_ONLY = """
import os, tempfile
from ingest.parse.kernels import compiled
def refuse(*_, **__):
    raise PermissionError
os.makedirs = tempfile.TemporaryFile = refuse
stamp = compiled._source_stamp()
compiled._source_stamp = lambda: {stamp}
from ingest.parse.kernels.addresses import _find_ipv4 as kernel
print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""
DAMAGED = """
import importlib, pathlib
from ingest.parse.kernels import compiled
folder = pathlib.Path({folder!r})
compiled.machine_code_folder = lambda: folder
from ingest.parse.kernels import addresses
for damage in (True, False):
    for file in folder.glob("*.nb[ci]") if damage else ():
        file.write_bytes(file.read_bytes()[:50])
    stats = importlib.reload(addresses)._find_ipv4.stats
    print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), end=";")
"""
WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
from ingest.errors import ClickstreamError
from ingest.parse.guard import guarded
def parse(_):
    from ingest.parse.kernels import compiled
try:
    guarded(parse, b"", offset=0, line=1)
except ClickstreamError as error:
    print(type(error).__name__, error)
"""
BOUNDS = """
import numpy as np
from ingest.parse.kernels.addresses import _find_ipv4
data, offsets = np.zeros(1, np.uint8), np.array([0, 2], np.int32)
try:
    _find_ipv4(data, offsets, np.zeros(1, np.uint8))
except IndexError:
    print("checked")
"""


def run(code: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def test_commands_do_not_load_numba() -> None:
    code = (
        "import sys, ingest.cli; from ingest.parse.registry import lookup; lookup('access');"
        " print('numba' in sys.modules)"
    )
    assert run(code) == "False"


def test_machine_code_is_loaded_where_nobody_may_write() -> None:
    assert machine_code_folder().is_dir()
    assert run(READ_ONLY.format(stamp="stamp")) == "1 0"


def test_without_machine_code_and_a_folder_for_it_kernels_are_compiled() -> None:
    assert run(READ_ONLY.format(stamp="'other'")) == "0 1"


def test_damaged_machine_code_is_compiled_again(tmp_path: Path) -> None:
    """After a crash, or a copy that was cut off; the next process loads it again."""
    assert run(DAMAGED.format(folder=str(tmp_path / "code"))) == "0 1;1 0;"


def test_a_worker_without_numba_says_so() -> None:
    """It is no fault of each line, to be reported as one."""
    assert run(WITHOUT_NUMBA).startswith("ClickstreamError numba, which compiles the parser, is")


def test_machine_code_is_that_of_all_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "_FOLDER", tmp_path)
    folders = set()
    for helper in ("x = 1", "x = 2"):
        (tmp_path / "words.py").write_text(helper)
        compiled._source_stamp.cache_clear()
        folders.add(compiled.machine_code_folder())
    compiled._source_stamp.cache_clear()
    assert len(folders) == 2


def test_bounds_are_checked_when_a_test_asks_for_it() -> None:
    assert run(BOUNDS, NUMBA_BOUNDSCHECK="1") == "checked"


@pytest.mark.parametrize("behind", [b"", b"123456789"])
def test_a_layout_holds_texts_of_one_word(behind: bytes) -> None:
    assert layouts([Field(0, QUOTED, b"12345678")]).shape == (1, 2, 6)
    with pytest.raises(ValueError, match=r"field 0: \d bytes behind it do not fit a word"):
        layouts([Field(0, TOKEN, behind)])
