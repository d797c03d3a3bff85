"""The time field that hides no document, asked of a real index."""

from __future__ import annotations

from contextlib import closing

import pytest
from elasticsearch import Elasticsearch

from ingest.errors import SettingsError
from ingest.render import elasticsearch_mappings
from ingest.search.kibana.assets import Assets
from ingest.search.kibana.client import Kibana
from ingest.search.kibana.install import install
from ingest.search.kibana.spec import Period
from ingest.search.kibana.time_field import TimeChoice, choose

pytestmark = pytest.mark.integration


def test_a_search_server_is_not_taken_for_a_kibana(search_server: str) -> None:
    with (
        closing(Kibana(search_server)) as client,
        pytest.raises(SettingsError, match="is a search server, not Kibana"),
    ):
        install(client, Assets(index="events", time_field=None))


def test_the_documents_decide_on_the_time_field(elastic: Elasticsearch, index_name: str) -> None:
    with pytest.raises(SettingsError, match=f"there is no index {index_name}"):
        choose(elastic, index_name)

    elastic.indices.create(index=index_name, mappings=elasticsearch_mappings())
    notice = f"index {index_name} holds no document yet"
    assert choose(elastic, index_name) == TimeChoice(time_field=None, notice=notice)

    for time in ("2026-01-02T22:58:03.648008Z", "2026-01-05T00:00:00.000000Z"):
        elastic.index(index=index_name, document={"@timestamp": time}, refresh=True)
    assert choose(elastic, index_name) == TimeChoice(
        time_field="@timestamp", period=Period("2026-01-02", "2026-01-05")
    )

    elastic.index(index=index_name, document={"event": {"action": "view"}}, refresh=True)
    choice = choose(elastic, index_name)
    assert (choice.time_field, choice.period) == (None, None)
    assert str(choice.notice).startswith("1 document of 3 without @timestamp")
