"""What a Kibana holds after `install`, and what each of its faults means to the user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fixtures.answering_server import AnsweringServer
from support.fake_kibana import KEY, FakeKibana

from ingest import cli
from ingest.errors import ClickstreamError, KibanaError, SettingsError
from ingest.search.kibana.assets import Assets
from ingest.search.kibana.client import Kibana
from ingest.search.kibana.install import Installed, install
from ingest.search.kibana.spec import Period

VIEWS = {"clickstream-events-all", "clickstream-events"}
DASHBOARDS = {"clickstream-overview", "clickstream-quality"}
CREATE = "POST /api/data_views/data_view"
PUT, IMPORT = "PUT /api/dashboards/", "POST /api/saved_objects/_import"


@pytest.fixture
def kibana() -> Iterator[FakeKibana]:
    with FakeKibana().running() as found:
        yield found


@pytest.fixture
def older() -> Iterator[FakeKibana]:
    with FakeKibana("8.19.21").running() as found:
        yield found


def put(
    fake: FakeKibana,
    *,
    space: str | None = None,
    key: str | None = KEY,
    index: str = "events",
    seconds: float = 30,
) -> Installed:
    assets = Assets(index=index, time_field="@timestamp", period=Period("2026-01-02", "2026-01-05"))
    with closing(Kibana(fake.url, space=space, api_key=key, seconds=seconds)) as client:
        return install(client, assets)


def test_a_new_kibana_gets_them_through_its_api(kibana: FakeKibana) -> None:
    done = put(kibana)

    assert (done.form, {*kibana.views}, {*kibana.dashboards}) == ("api", VIEWS, DASHBOARDS)
    assert {view["title"] for view in kibana.views.values()} == {"events"}
    assert kibana.views["clickstream-events"]["timeFieldName"] == "@timestamp"
    overview = kibana.dashboards["clickstream-overview"]
    assert overview["time_range"] == {
        "from": "2026-01-02T00:00:00.000Z",
        "to": "2026-01-05T23:59:59.999Z",
    }
    assert done.dashboards["clickstream-overview"] == (
        f"{kibana.url}/app/dashboards#/view/clickstream-overview"
    )


def test_an_older_kibana_gets_saved_objects(older: FakeKibana) -> None:
    done = put(older)

    assert (done.form, {*older.views}, {*older.dashboards}) == ("ndjson", VIEWS, DASHBOARDS)
    assert older.dashboards["clickstream-quality"]["attributes"]["timeTo"].startswith("2026-01-05")


@pytest.mark.parametrize(
    ("version", "form"), [("9.4.9", "ndjson"), ("9.5.0", "api"), ("10.0.0", "api")]
)
def test_the_version_decides_the_form(kibana: FakeKibana, version: str, form: str) -> None:
    kibana.version = version
    assert put(kibana).form == form


def test_again_creates_nothing_and_updates_nothing(kibana: FakeKibana) -> None:
    put(kibana)
    before = len(kibana.requests)
    put(kibana)
    assert [request for request in kibana.requests[before:] if request.startswith("POST")] == []


def test_another_index_changes_the_data_views(kibana: FakeKibana) -> None:
    put(kibana)
    kibana.views["clickstream-events-all"]["timeFieldName"] = "event.ingested"
    put(kibana, index="others")
    assert [view["title"] for view in kibana.views.values()] == ["others", "others"]
    assert kibana.views["clickstream-events-all"]["timeFieldName"] == ""


def test_all_of_it_goes_into_the_space(kibana: FakeKibana) -> None:
    done = put(kibana, space="shop")
    assert {request.split()[1][:8] for request in kibana.requests} == {"/s/shop/"}
    assert all("/s/shop/app/dashboards" in page for page in done.dashboards.values())
    with pytest.raises(SettingsError, match="has no space stor: create it first"):
        put(kibana, space="stor")


def test_a_view_that_is_made_with_an_error_is_there(kibana: FakeKibana) -> None:
    kibana.faults[CREATE] = "made"
    put(kibana)
    assert kibana.views.keys() == VIEWS


def test_a_view_of_the_same_name_is_reported(kibana: FakeKibana) -> None:
    kibana.views["mine"] = {"id": "mine", "title": "events", "name": "events: by time"}
    with pytest.raises(KibanaError, match="did not create data view clickstream-events"):
        put(kibana)
    assert kibana.dashboards == {}


@pytest.mark.parametrize(
    ("begin", "fault", "kind", "message"),
    [
        ("GET /api/status", 401, SettingsError, "does not accept the key in KIBANA_API_KEY"),
        ("GET /api/status", 503, KibanaError, "is not ready"),
        ("GET /api/status", "html", KibanaError, "is KIBANA_URL the address"),
        ("GET /api/status", "redirect", SettingsError, "redirects GET"),
        (PUT, 403, SettingsError, r"does not allow PUT .* \(fault 403\)"),
        (PUT, 409, KibanaError, "somebody else is changing it"),
        (PUT, 400, KibanaError, r"refuses PUT .*: 400 \(fault 400\)"),
        (CREATE, 409, KibanaError, "did not create data view"),
        (PUT, "slow", KibanaError, r"did not answer in 0\.2 s: run the command again"),
        (PUT, "short", KibanaError, "cut its answer short"),
        (PUT, "closed", KibanaError, "closed the connection"),
    ],
)
def test_faults(
    kibana: FakeKibana, begin: str, fault: int | str, kind: type[ClickstreamError], message: str
) -> None:
    kibana.faults[begin] = fault
    with pytest.raises(kind, match=message) as raised:
        put(kibana, seconds=0.2 if fault == "slow" else 30)
    assert KEY not in str(raised.value)
    kibana.faults.clear()
    kibana.released.set()
    put(kibana)
    assert kibana.dashboards.keys() == DASHBOARDS


def test_an_import_can_fail_with_200(older: FakeKibana) -> None:
    older.import_errors = [{"id": "clickstream-overview", "error": {"type": "missing_references"}}]
    with pytest.raises(
        KibanaError, match=r"not import clickstream-overview \(missing_references\)"
    ):
        put(older)


def test_what_is_lost_after_the_import_is_seen(older: FakeKibana) -> None:
    older.lost_references = [{"type": "index-pattern", "id": "clickstream-events"}]
    with pytest.raises(KibanaError, match="does not hold clickstream-events after the import"):
        put(older)


def test_a_panel_that_is_dropped_is_seen(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = kibana.answer

    def drop(method: str, path: str, body: object) -> tuple[int, object]:
        status, content = answer(method, path, body)
        if method == "GET" and path.startswith("/api/dashboards/"):
            content = {"data": {"panels": content["data"]["panels"][1:]}}
        return status, content

    monkeypatch.setattr(kibana, "answer", drop)
    with pytest.raises(KibanaError, match="kept 12 of 13 panels of dashboard clickstream-overview"):
        put(kibana)


@pytest.mark.parametrize(
    ("version", "message"),
    [("8.8.2", r"is Kibana 8\.8\.2, .* 8\.9 or later is required"), ("new", "is not a version")],
)
def test_a_kibana_that_will_not_do(kibana: FakeKibana, version: str, message: str) -> None:
    kibana.version = version
    with pytest.raises(ClickstreamError, match=message):
        put(kibana)
    assert len(kibana.requests) == 1


@pytest.mark.parametrize(
    ("url", "key", "message"),
    [
        ("kibana:5601", None, "must be http"),
        ("http://elastic:pw@127.0.0.1:5601", None, "holds a user or password"),
        ("http://kibana.example:5601", KEY, "would be sent unencrypted"),
    ],
)
def test_addresses_that_will_not_do(url: str, key: str | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        Kibana(url, api_key=key)
    assert "pw" not in str(raised.value)


@pytest.mark.parametrize(
    ("headers", "status", "content"),
    [
        ({"X-Elastic-Product": "Elasticsearch"}, 405, {"error": "Incorrect HTTP method for uri"}),
        ({"X-Elastic-Product": "Elasticsearch"}, 401, {"error": {"type": "security_exception"}}),
        ({}, 400, {"error": "no handler found for uri [/api/status] and method [GET]"}),
    ],
)
def test_the_address_of_a_search_server_is_not_that_of_a_kibana(
    answering_server: AnsweringServer, headers: dict[str, str], status: int, content: object
) -> None:
    answering_server.headers = headers
    answering_server.answers = {"/api/status": (status, content)}
    with (
        closing(Kibana(answering_server.url, api_key=KEY)) as client,
        pytest.raises(SettingsError, match="is a search server, not Kibana: set KIBANA_URL"),
    ):
        install(client, Assets(index="events", time_field=None))


def test_a_missing_key_is_named(kibana: FakeKibana) -> None:
    with pytest.raises(SettingsError, match="requires an API key: set KIBANA_API_KEY"):
        put(kibana, key=None)


def test_a_password_of_other_programs_is_not_sent(
    kibana: FakeKibana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert put(kibana).version == "9.5.0"


def test_no_kibana_is_named() -> None:
    with (
        closing(Kibana("http://127.0.0.1:1")) as client,
        pytest.raises(KibanaError, match=r"127\.0\.0\.1:1 cannot be reached"),
    ):
        install(client, Assets(index="events", time_field=None))


def test_the_command_prints_where_they_are(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KIBANA_URL", kibana.url)
    monkeypatch.setenv("KIBANA_API_KEY", KEY)
    assert cli.run(["kibana", "install", "--time-field", "none", "--json"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["dashboards"].keys() == DASHBOARDS
    assert KEY not in streams.out + streams.err
    assert len(kibana.dashboards["clickstream-overview"]["panels"]) == 12


def test_the_command_tells_which_panels_it_leaves_out(
    kibana: FakeKibana,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "dbt_project.yml").touch()
    (tmp_path / "clickstream.toml").write_text('[search]\nexclude = ["client_ip"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIBANA_API_KEY", KEY)
    assert cli.run(["kibana", "install", "--url", kibana.url, "--time-field", "none"]) == 0
    assert "Clients (client_ip), Sessions per client (client_ip)" in capsys.readouterr().err
    assert len(kibana.dashboards["clickstream-overview"]["panels"]) == 10


def test_the_dashboards_are_not_for_opensearch(
    kibana: FakeKibana,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "dbt_project.yml").touch()
    (tmp_path / "clickstream.toml").write_text('[search]\nproduct = "opensearch"\n')
    monkeypatch.chdir(tmp_path)
    assert cli.run(["kibana", "install", "--url", kibana.url]) == 2
    assert "OpenSearch Dashboards is not supported" in capsys.readouterr().err
    assert kibana.requests == []


def test_auto_needs_a_search_server(
    kibana: FakeKibana, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ES_URL", "off")
    assert cli.run(["kibana", "install", "--url", kibana.url]) == 2
    assert "set ES_URL" in capsys.readouterr().err
    assert kibana.requests == []
