"""What a job on EMR runs: `main.py NAME=VALUE ... COMMAND`."""

from __future__ import annotations

import os
import sys

from ingest import cli
from ingest.emr.inputs import ON_REDSHIFT, needs_tables
from ingest.spark import is_submitted


def main() -> None:
    """Run the command line of this process and exit with its code.

    Arguments before the command are variables, as with `env`: unlike a string of Spark's
    parameters, a list of arguments needs no quoting.
    """
    while sys.argv[1:] and "=" in sys.argv[1]:
        name, _, value = sys.argv.pop(1).partition("=")
        os.environ[name] = value
    _start_spark()
    cli.main()


def _start_spark() -> None:
    """Start Spark at once where the command does it late, or never.

    To YARN, a job without a Spark context after 100 s (spark.yarn.am.waitTime) or at its end has
    failed. Tables on Spark need settings of their own, with which their command starts it at once.
    """
    on_redshift = os.environ.get("CLICKSTREAM_TARGET") == ON_REDSHIFT
    if is_submitted() and (on_redshift or not needs_tables(sys.argv[1:])):
        from ingest.spark.session import given_session

        given_session()
