"""`clickstream kibana`: the dashboards, as files or in a running Kibana."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.cli.common import json_option, load_settings_for, show

if TYPE_CHECKING:
    from ingest.search.kibana.assets import Assets
    from ingest.search.kibana.time_field import TimeChoice
    from ingest.settings import Settings

_TIME_FIELD = "@timestamp"


@click.group()
def kibana() -> None:
    """Render the Kibana dashboards, or install them.

    Two dashboards on the index of `clickstream export`: the four known analyses (sessions,
    clients, brands, responses), and how well the lines were understood.

    \b
    First steps:
      clickstream kibana render --out .    a file to import by hand
      clickstream kibana install           into the Kibana of KIBANA_URL
    """


@kibana.command()
@click.option(
    "--form",
    type=click.Choice(["ndjson", "api"]),
    default="ndjson",
    show_default=True,
    help="ndjson: a file that Kibana 8.9 and later import. api: bodies of the data views and "
    "dashboards API of Kibana 9.5 and later.",
)
@click.option(
    "--time-field",
    type=click.Choice(["none", _TIME_FIELD]),
    default="none",
    show_default=True,
    help="none: the dashboards show all events. @timestamp: those of the time picker; events "
    "without a time are hidden.",
)
@click.option("--out", metavar="DIR", help="Write a file there instead of to stdout.")
@json_option
def render(form: str, time_field: str, out: str | None, as_json: bool) -> None:
    """Print the data views and dashboards; no Kibana is asked.

    \b
    Import the file in Kibana: Stack Management, Saved Objects, Import
      clickstream kibana render --out .
    or with a client:
      curl -H 'kbn-xsrf: true' -H "Authorization: ApiKey $KIBANA_API_KEY" \\
        -F file=@clickstream.ndjson \\
        "$KIBANA_URL/api/saved_objects/_import?overwrite=true"
    """
    from ingest.search.kibana.assets import ndjson, pretty
    from ingest.search.kibana.time_field import TimeChoice

    choice = TimeChoice(time_field=None if time_field == "none" else time_field)
    assets = _assets(load_settings_for(None), choice)
    text = ndjson(assets.saved()) if form == "ndjson" else pretty(assets.as_api())
    if out is not None:
        path = Path(out) / f"clickstream.{'ndjson' if form == 'ndjson' else 'json'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        show({"form": form, "file": str(path)}, str(path), as_json)
    elif as_json:
        show({"objects": assets.saved()} if form == "ndjson" else assets.as_api(), "", as_json)
    else:
        click.echo(text, nl=False)


@kibana.command()
@click.option("--url", metavar="URL", help="Address of Kibana. [default: KIBANA_URL]")
@click.option("--space", metavar="ID", help="Install into this space instead of the default one.")
@click.option(
    "--time-field",
    type=click.Choice(["auto", "none", _TIME_FIELD]),
    default="auto",
    show_default=True,
    help="auto: @timestamp when every document has one, else none; this asks Elasticsearch.",
)
@json_option
def install(url: str | None, space: str | None, time_field: str, as_json: bool) -> None:
    """Create or replace the data views and dashboards.

    KIBANA_API_KEY is the key, which needs the right to write dashboards and data views. Kibana 9.5
    and later get them through the dashboards API, 8.9 to 9.4 as saved objects. Then they are read
    back. Doing it again changes nothing; what you changed in these dashboards is replaced.
    """
    from ingest.errors import SettingsError
    from ingest.search.kibana.client import API_KEY, Kibana
    from ingest.search.kibana.install import install as put
    from ingest.settings import OPENSEARCH

    url = url or os.environ.get("KIBANA_URL", "").strip()
    if not url:
        raise SettingsError("which Kibana? Set KIBANA_URL, or pass --url")
    settings = load_settings_for(None)
    if settings.search.product == OPENSEARCH:
        raise SettingsError(
            "search.product is opensearch, and the dashboards are for Kibana with Elasticsearch: "
            "OpenSearch Dashboards is not supported"
        )
    with Kibana(url, space=space, api_key=os.environ.get(API_KEY, "").strip() or None) as found:
        done = put(found, _assets(settings, _choice(settings, time_field)))
    pages = "\n".join(done.dashboards.values())
    show(done, f"Kibana {done.version} ({done.form}):\n{pages}", as_json)


def _assets(settings: Settings, choice: TimeChoice) -> Assets:
    """Return the assets for the index of `settings`; tells what they leave out, and why."""
    from ingest.errors import SettingsError
    from ingest.search.kibana.assets import Assets
    from ingest.search.kibana.fields import COLUMN_OF

    search = settings.search
    if choice.time_field and COLUMN_OF[choice.time_field] in search.exclude:
        raise SettingsError(
            f"search.exclude leaves {COLUMN_OF[choice.time_field]} out, so no document has"
            f" {choice.time_field}: pass --time-field none"
        )
    assets = Assets(
        index=search.index,
        time_field=choice.time_field,
        period=choice.period,
        exclude=search.exclude,
    )
    for notice in filter(None, (choice.notice, assets.notice)):
        click.echo(f"note: {notice}", err=True)
    return assets


def _choice(settings: Settings, time_field: str) -> TimeChoice:
    """Return the time field of the dashboards; the documents decide where that is left to us."""
    from ingest.search.client import connect
    from ingest.search.kibana.time_field import TimeChoice, choose
    from ingest.search.refusal import explained

    if time_field != "auto":
        return TimeChoice(time_field=None if time_field == "none" else time_field)
    url = _search_url(settings)
    with explained(url), connect(url, product=settings.search.product) as client:
        return choose(client, settings.search.index)


def _search_url(settings: Settings) -> str:
    """Return the address of the running search server; it is not started for this."""
    from ingest.errors import SettingsError
    from ingest.local_search.control import status
    from ingest.settings import OFF

    url = settings.search.url
    if url is not None and url != OFF:
        return url
    state = status(settings) if url is None else None
    if state is None:
        raise SettingsError(
            "no search server says which events have a time: set ES_URL, run `clickstream search "
            "up`, or pass --time-field"
        )
    return state.server.url
