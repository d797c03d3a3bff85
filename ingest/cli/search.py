"""`clickstream search`: the local search server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingest.cli.common import exit_with, json_option, load_settings_for, plain, show
from ingest.terminal.text import count_of

if TYPE_CHECKING:
    from ingest.settings import Settings


@click.group()
def search() -> None:
    """Start, stop and inspect the local search server.

    It is an Elasticsearch of your own, on this machine.
    """


@search.command()
@json_option
def up(as_json: bool) -> None:
    """Start the local search server unless it is already running."""
    from ingest.local_search.control import up as start

    settings = load_settings_for(None)
    server = start(settings)
    text = f"Elasticsearch {server.version} at {server.url} (pid {server.pid})"
    show(server, _with_note(settings, text), as_json)


@search.command()
@click.option("--delete-data", is_flag=True, help="Also delete its documents.")
@json_option
def down(delete_data: bool, as_json: bool) -> None:
    """Stop the local search server."""
    from ingest.local_search.control import down as stop

    stopped = stop(load_settings_for(None), delete_data=delete_data)
    show({"stopped": stopped}, "stopped" if stopped else "was not running", as_json)


@search.command("status")
@json_option
def search_status(as_json: bool) -> None:
    """Show whether the local search server is running.

    Exits with 0 if it is, with 1 if not.
    """
    from ingest.cli.given import how_to_stop_search
    from ingest.local_search.control import status as look

    settings = load_settings_for(None)
    state = look(settings)
    if state is None:
        text = "not running; start it with: clickstream search up"
        show({"running": False}, _with_note(settings, text), as_json)
        exit_with(1)
    else:
        server, count = state.server, state.documents
        documents = "no index yet" if count is None else count_of(count, "document")
        text = (
            f"{state.line()}\n{documents}; running since {server.started_at} in {server.folder}\n"
            f"  stop     {how_to_stop_search(settings)}"
        )
        show({"running": True, **plain(state)}, _with_note(settings, text), as_json)


def _with_note(settings: Settings, text: str) -> str:
    """Return `text`, and what an export uses in place of the local search server, if it does."""
    from ingest.cli.given import search_elsewhere

    note = search_elsewhere(settings)
    return f"{text}\nnote: {note}" if note else text
