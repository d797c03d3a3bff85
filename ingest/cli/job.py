"""What a job on EMR runs: `main.py NAME=VALUE ... COMMAND`."""

from __future__ import annotations

import os
import sys

from ingest import cli


def main() -> None:
    """Run the command line of this process and exit with its code.

    Arguments before the command are variables, as with `env`: unlike a string of Spark's
    parameters, a list of arguments needs no quoting.
    """
    while sys.argv[1:] and "=" in sys.argv[1]:
        name, _, value = sys.argv.pop(1).partition("=")
        os.environ[name] = value
    cli.main()
