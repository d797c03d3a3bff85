"""Pages for people: where they are, and a browser that shows them."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from ingest.cli.common import show

open_option = click.option("--open", "opened", is_flag=True, help="Open the page in your browser.")


def show_page(name: str, path: Path, *, opened: bool, as_json: bool) -> None:
    """Print where the page is and, if wanted, open it. A missing browser is not an error."""
    show({name: str(path)}, str(path), as_json)
    if opened and not webbrowser.open(path.as_uri()):
        click.echo("note: no browser was found; open that file yourself", err=True)
