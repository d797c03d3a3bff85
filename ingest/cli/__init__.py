"""The command line: parse options, call one function, print counts, return an exit code.

Results go to stdout (`--json`: one JSON object), everything else to stderr. Commands import what
they need when they are called, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
import warnings

import click

from ingest import __version__
from ingest.cli.books import clean, docs, query, report, status, verify
from ingest.cli.completion import completion
from ingest.cli.contract import contract
from ingest.cli.emr import emr
from ingest.cli.hops import dbt, export, ingest, load, replay, run_all
from ingest.cli.kibana import kibana
from ingest.cli.raw import formats, parse, sample
from ingest.cli.search import search
from ingest.errors import ClickstreamError, described, remedy_for
from ingest.terminal import interrupts
from ingest.terminal.text import PrintableFormatter, StderrHandler, json_text, printable_lines

INTERRUPTED = 130
_INTERRUPTED = "interrupted; nothing is lost: run the command again"


def main() -> None:
    """Run the command line and exit with the code of what happened."""
    # A service manager stops us with SIGTERM, which is treated like Ctrl-C: clean up, exit 130.
    interrupts.heed(signal.SIGINT, signal.SIGTERM)
    code = run()
    if code == INTERRUPTED and sum(not thread.daemon for thread in threading.enumerate()) > 1:
        # Python would wait for the other threads, whose server may be silent for a minute.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; only SystemExit escapes.

    An error is one line on stderr and, with --json, one object on stdout.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    interrupts.forget()
    try:
        # Commands return None; click returns the code of the Exit that `exit_with` raises.
        code = cli.main(args=arguments, prog_name="clickstream", standalone_mode=False)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(printable_lines(shown.getvalue()), err=True, nl=False)
        message, exit_code = error.format_message(), error.exit_code
    except KeyboardInterrupt:
        message, exit_code = _INTERRUPTED, INTERRUPTED
        _say(message)
    except Exception as error:
        logging.getLogger(__name__).debug("what was raised:", exc_info=True)
        message, exit_code = _describe(error)
        _say(message)
    else:
        if not interrupts.interrupted():
            return int(code or 0)
        _say(_INTERRUPTED)  # its result was printed all the same
        return INTERRUPTED
    if "--json" in arguments:
        click.echo(json_text({"error": message, "exit_code": exit_code}))
    return exit_code


def _describe(error: Exception) -> tuple[str, int]:
    """Return the message for `error`, and the exit code.

    After an interruption any error is a consequence of it, such as a JVM that is gone.
    """
    if interrupts.interrupted() or isinstance(error, click.Abort):
        return _INTERRUPTED, INTERRUPTED
    if isinstance(error, ClickstreamError):
        return described(error), error.exit_code
    return _unexpected(error), 1


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and (remedy := remedy_for(error.errno)):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}: {remedy}"
    kind = type(error).__name__
    return f"unexpected {kind} (a bug; `clickstream -v ...` shows the traceback): {error}"


def _say(message: str) -> None:
    click.echo(f"error: {printable_lines(message)}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("-v", "--verbose", is_flag=True, help="Show debug output and tracebacks on stderr.")
def cli(verbose: bool) -> None:
    """From raw web logs to answers: nothing lost, nothing counted twice.

    \b
    First steps:
      clickstream sample data   generate logs with known answers
      clickstream run           from raw logs to tables, index and report
      clickstream query         ask the tables
      clickstream status        what the books record

    Exit codes: 0 done, 1 failed, 2 usage or settings, 3 too many rejects, 4 the books do not
    balance, 130 interrupted.
    """
    handler = StderrHandler()
    handler.setFormatter(PrintableFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("ingest").setLevel(logging.DEBUG if verbose else logging.INFO)
    # On a full disk dbt's log would fail line by line, each with a stack trace on stderr.
    logging.raiseExceptions = verbose
    # They log each retry; an error that remains is raised, and shown once.
    for noisy in ("boto3", "botocore", "elastic_transport", "jgo", "s3transfer", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    # py4j logs a Ctrl-C with its stack, through the root logger, which nothing else uses.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(lambda record: verbose or record.name != "root")
    # Warnings are for developers: tests turn them into errors, users do not see them.
    if not verbose and not sys.warnoptions:
        warnings.simplefilter("ignore")


for _command in (
    sample, parse, formats,
    ingest, replay, load, dbt, export, run_all,
    status, verify, query, report, docs,
    clean, search, kibana, emr, contract, completion,
):  # fmt: skip
    cli.add_command(_command)
