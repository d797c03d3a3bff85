"""Puts data views and dashboards into a Kibana, and reads them back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ingest.errors import KibanaError, SettingsError
from ingest.search.kibana.assets import Assets, data_view_body, ndjson
from ingest.search.kibana.client import API_KEY, Kibana
from ingest.search.kibana.spec import DataView
from ingest.terminal.text import count_of

_OLDEST = (8, 9)
_FIRST_WITH_API = (9, 5)
_API_VERSION = {"Elastic-Api-Version": "2023-10-31"}
_VIEWS = "/api/data_views/data_view"
_FILE = "clickstream.ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What Kibana holds now. `form` is api or ndjson, `dashboards` are addresses by id."""

    version: str
    form: str
    data_views: tuple[str, ...]
    dashboards: dict[str, str]


def install(kibana: Kibana, assets: Assets) -> Installed:
    """Create or replace what `assets` describe; doing it again changes nothing.

    Raises SettingsError for a Kibana before 8.9, a missing space or a missing privilege,
    KibanaError when Kibana refuses a part or does not hold it afterwards.
    """
    version = _version(kibana)
    _check_space(kibana)
    for view in assets.views:
        _put_view(kibana, view)
    if _parts(version) >= _FIRST_WITH_API:
        form = "api"
        _put_dashboards(kibana, assets.api_bodies())
    else:
        form = "ndjson"
        _import_dashboards(kibana, assets)
    return Installed(
        version=version,
        form=form,
        data_views=tuple(view.id for view in assets.views),
        dashboards={
            page.id: kibana.address(f"/app/dashboards#/view/{page.id}")
            for page in assets.dashboards
        },
    )


def _version(kibana: Kibana) -> str:
    answer = kibana.ask("GET", "/api/status")
    found = answer.get("version") if isinstance(answer, dict) else None
    if not isinstance(found, dict) or "number" not in found:
        # Kibana tells strangers no more than that it is up.
        raise SettingsError(
            f"{kibana.place} does not tell its version: set {API_KEY}, and check KIBANA_URL"
        )
    version = str(found["number"])
    if _parts(version) < _OLDEST:
        raise SettingsError(
            f"{kibana.place} is Kibana {version}, which is not supported; 8.9 or later is required"
        )
    return version


def _parts(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        raise KibanaError(f"{version} is not a version of Kibana: check KIBANA_URL") from None


def _check_space(kibana: Kibana) -> None:
    """Raise SettingsError when there is no such space: Kibana would take objects for any."""
    if kibana.space is None:
        return
    path = f"/api/spaces/space/{quote(kibana.space, safe='')}"
    if kibana.ask("GET", path, accepting=(HTTPStatus.NOT_FOUND,)) == HTTPStatus.NOT_FOUND:
        raise SettingsError(f"{kibana.place} has no space {kibana.space}: create it first")


def _put_view(kibana: Kibana, view: DataView) -> None:
    found = _view(kibana, view.id)
    if found is None:
        # Kibana may answer 400 although it made the view, such as when the key may not set the
        # default one.
        answer = kibana.ask(
            "POST",
            _VIEWS,
            json=data_view_body(view),
            accepting=(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT),
        )
        found = _view(kibana, view.id)
        if found is None:
            raise KibanaError(
                f"{kibana.place} did not create data view {view.id} ({answer}): another space may "
                "have it, or another data view the same name; delete that, or use its space"
            )
    changes = _changes(found, view)
    if changes:  # Kibana refuses an update without any
        kibana.ask("POST", f"{_VIEWS}/{view.id}", json={"data_view": changes})


def _view(kibana: Kibana, view: str) -> dict[str, Any] | None:
    answer = kibana.ask("GET", f"{_VIEWS}/{view}", accepting=(HTTPStatus.NOT_FOUND,))
    if answer == HTTPStatus.NOT_FOUND:
        return None
    found: dict[str, Any] = answer["data_view"]
    return found


def _changes(found: dict[str, Any], view: DataView) -> dict[str, str]:
    wanted = {"title": view.index, "name": view.name, "timeFieldName": view.time_field or ""}
    return {key: value for key, value in wanted.items() if (found.get(key) or "") != value}


def _put_dashboards(kibana: Kibana, bodies: dict[str, Any]) -> None:
    for name, body in bodies.items():
        path = f"/api/dashboards/{name}"
        kibana.ask("PUT", path, json=body, headers=_API_VERSION)
        answer = kibana.ask("GET", path, headers=_API_VERSION)
        panels, wanted = len(answer["data"]["panels"]), len(body["panels"])
        if panels != wanted:
            raise KibanaError(
                f"{kibana.place} kept {panels} of {count_of(wanted, 'panel')} of dashboard {name}: "
                "import the file of `clickstream kibana render` instead"
            )


def _import_dashboards(kibana: Kibana, assets: Assets) -> None:
    """Import the dashboards alone: data views may hold what people added to them."""
    lines = [line for line in assets.saved() if line["type"] == "dashboard"]
    answer = kibana.ask(
        "POST",
        "/api/saved_objects/_import",
        params={"overwrite": "true"},
        files={"file": (_FILE, ndjson(lines), "application/ndjson")},
    )
    if not answer.get("success"):
        raise KibanaError(f"{kibana.place} did not import {_failures(answer.get('errors', []))}")
    _check_exported(kibana, [line["id"] for line in lines])


def _failures(errors: Iterable[dict[str, Any]]) -> str:
    told = [f"{one.get('id')} ({one.get('error', {}).get('type')})" for one in errors]
    return ", ".join(told) or "the dashboards, and does not say why"


def _check_exported(kibana: Kibana, ids: list[str]) -> None:
    """Read the dashboards back with all they refer to: a lost reference is a blank panel."""
    wanted = [{"type": "dashboard", "id": name} for name in ids]
    body = {"objects": wanted, "includeReferencesDeep": True}
    lines = str(kibana.ask("POST", "/api/saved_objects/_export", json=body)).splitlines()
    found = [json.loads(line) for line in lines if line.strip()]
    missing = sorted(set(ids) - {str(one.get("id")) for one in found})
    lost = [str(one["id"]) for line in found for one in line.get("missingReferences", ())]
    if missing or lost:
        raise KibanaError(
            f"{kibana.place} does not hold {', '.join(missing + lost)} after the import: run the "
            "command again"
        )
