"""How kernels are compiled: the one decorator, the target, and where machine code is kept.

A kernel is a function of numbers and numpy arrays that numba compiles when its module is imported,
or loads from `__pycache__`. Import kernels where lines are parsed only: a first import takes
seconds. Positions are unsigned, since numba tests each signed index for being negative; a number
that meets an unsigned one has to be unsigned too, or both become floats.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ingest.errors import ClickstreamError

# Before numba is imported. The code of one machine then runs on all others of its architecture;
# it is hardly slower.
os.environ.setdefault("NUMBA_CPU_NAME", "generic")

try:
    import numba
    from numba.core import caching, errors, types
except (ImportError, OSError) as error:  # OSError: a library of llvmlite
    raise ClickstreamError(f"numba, which compiles the parser, is missing ({error})") from error

Function = TypeVar("Function", bound=Callable[..., Any])
_FOLDER = Path(__file__).parent

BOOL, INT, WORD = types.boolean, types.int64, types.uint64
BYTES = types.Array(types.uint8, 1, "C", readonly=True)
FLAGS = types.Array(types.uint8, 1, "C")
POSITIONS = types.Array(types.uint32, 1, "C")
TABLE = types.Array(types.uint32, 2, "C")
OFFSETS = types.Array(types.int64, 1, "C", readonly=True)
NUMBERS = types.Array(types.int64, 1, "C")
CODES = types.Array(types.int32, 1, "C")
WORDS = types.Array(types.uint64, 2, "C")
LAYOUTS = types.Array(types.uint64, 3, "C")
KINDS = types.Array(types.uint64, 1, "C")
NUMBER_TABLE = types.Array(types.int64, 2, "C")


class _Locator(caching.InTreeCacheLocator):
    """Finds the machine code in `machine_code_folder`, also where nobody may write.

    numba's own locators pass over such a folder, and know a kernel by its own module: but it holds
    the code of the helpers that it calls.
    """

    def get_cache_path(self) -> str:
        return str(machine_code_folder())

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator | None:
        return cls(py_func, py_file) if Path(py_file).parent == _FOLDER else None


@lru_cache(maxsize=1)
def _source_stamp() -> str:
    sources = hashlib.sha256()
    for path in sorted(_FOLDER.glob("*.py")):
        sources.update(path.read_bytes())
    return sources.hexdigest()


def machine_code_folder() -> Path:
    """Return where the machine code of these sources is kept, or would be."""
    return _FOLDER / "__pycache__" / f"machine-code-{_source_stamp()[:16]}"


caching.CacheImpl._locator_classes.insert(0, _Locator)


class _Decorator(Protocol):
    def __call__(self, function: Function, /) -> Function: ...


def kernel(*arguments: Any, returns: Any = types.void) -> _Decorator:
    """Return the decorator of a function of these types, which is compiled at once.

    Machine code that checks bounds (NUMBA_BOUNDSCHECK) is never kept: it has no name of its own.
    """

    def compiled(function: Function) -> Function:
        signature = returns(*arguments)
        for _ in () if os.environ.get("NUMBA_BOUNDSCHECK") else range(2):
            try:
                return _njit(function, signature, cache=True)
            except OSError:  # nothing fits in `__pycache__`, and it cannot be written
                break
            except errors.NumbaError:
                raise
            except Exception:  # noqa: BLE001  unpickling damaged code may raise anything
                shutil.rmtree(machine_code_folder(), ignore_errors=True)
        return _njit(function, signature, cache=False)

    return compiled


def helper(function: Function) -> Function:
    """Return `function` for use in kernels, which take in its code."""
    return _njit(function, cache=False)


def inlined(function: Function) -> Function:
    """Return a helper that a kernel calls for each field, with several arrays; it makes none.

    LLVM would not take in one that is long, and numba counts the references to each array. Without
    both, such a kernel takes a fifth of the time.
    """
    return _njit(function, cache=False, forceinline=True, _nrt=False)


def _njit(function: Function, *signature: Any, **options: Any) -> Function:
    decorator: Any = numba.njit
    compiled: Function = decorator(*signature, nogil=True, **options)(function)
    return compiled
