"""`python -m ingest.parse.kernels` compiles all kernels, unless they are, and prints the folder."""

from __future__ import annotations

import importlib
import pkgutil
import shutil

from ingest.parse import kernels
from ingest.parse.kernels.compiled import machine_code_folder


def main() -> None:
    """Import each kernel, which compiles it, and remove the machine code of earlier sources."""
    for found in pkgutil.iter_modules(kernels.__path__, f"{kernels.__name__}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    folder = machine_code_folder()
    for other in folder.parent.glob("machine-code-*"):
        if other != folder:
            shutil.rmtree(other)
    print(folder)  # noqa: T201


if __name__ == "__main__":
    main()
