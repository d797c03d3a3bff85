"""The kernels as plain Python, without numba's compiler: which of their lines mutated logs reach.

`make soak-bounds` runs it with NUMBA_DISABLE_JIT=1; pytest does not collect it by itself. Two
milliseconds a line of a log are the price.
"""

from __future__ import annotations

import os
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest
from support.laid_out import random_seeds
from support.mutated import NAMES, TURNS, check_kernels, reading, replaced, seeds_of_all

LINES = int(os.environ.get("FUZZ_LINES", "4000"))
LAYOUTS, LINES_OF_LAYOUT = 30, 40
FOLDER = Path(__file__).resolve().parents[2] / "ingest/parse/kernels"
LEAST = 0.94
# How machine code is kept; without a compiler there is none.
NOT_KERNELS = {"__main__.py", "compiled.py"}
Missing = dict[str, set[int]]


def test_mutated_lines_reach_the_kernels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert os.environ.get("NUMBA_DISABLE_JIT") == "1", "run make soak-bounds, which sets it"
    chance = random.Random(13)  # noqa: S311 - not for secrets
    seeds = seeds_of_all(tmp_path)
    # Numbers of numpy warn where those of numba wrap around.
    with np.errstate(over="ignore"), traced() as missing:
        for name in NAMES:
            # What has no kernels takes no part.
            if not reading(b"".join(seeds[name].lines), seeds[name].settings).by_kernels:
                continue
            for turn in TURNS:
                content = seeds[name].content(LINES // len(NAMES) // len(TURNS), chance)
                check_kernels(content, replaced(seeds[name].settings, turn))
        for _ in range(LAYOUTS):
            of_layout = random_seeds(chance, LINES_OF_LAYOUT)
            check_kernels(b"".join(of_layout.lines), of_layout.settings)
    total = sum(len(lines) for lines in executable().values())
    share = 1 - sum(map(len, missing.values())) / total
    with capsys.disabled():
        print(f"\n{share:.1%} of the {total:,} lines of kernels were run")  # noqa: T201
        for name, lines in sorted(missing.items()):
            print(f"  {name}: not {', '.join(map(str, sorted(lines)))}")  # noqa: T201
    assert share >= LEAST


@contextmanager
def traced() -> Iterator[Missing]:
    """Yield the lines of kernels that were not run, by module, known when the block ends."""
    left: defaultdict[str, set[int]] = defaultdict(set)
    left.update(executable())

    def enter(frame: FrameType, _event: str, _value: Any) -> Callable[..., Any] | None:
        path = Path(frame.f_code.co_filename)
        return visit if path.parent == FOLDER and left[path.name] else None

    def visit(frame: FrameType, event: str, _value: Any) -> Callable[..., Any]:
        if event == "line":
            left[Path(frame.f_code.co_filename).name].discard(frame.f_lineno)
        return visit

    found: Missing = {}
    sys.settrace(enter)
    try:
        yield found
    finally:
        sys.settrace(None)
        found.update({name: lines for name, lines in left.items() if lines})


def executable() -> Missing:
    """Return the lines of the bodies of all functions, by module."""
    return {
        path.name: set(_lines(compile(path.read_text(encoding="utf-8"), path, "exec")))
        for path in FOLDER.glob("*.py")
        if path.name not in NOT_KERNELS
    }


def _lines(module: CodeType) -> Iterator[int]:
    for code in module.co_consts:
        if isinstance(code, CodeType):
            # Bodies of classes run when they are imported, before anything is traced.
            is_function = bool(code.co_flags & 2)
            own = (line for *_, line in code.co_lines() if line and line > code.co_firstlineno)
            yield from chain(own if is_function else (), _lines(code))
