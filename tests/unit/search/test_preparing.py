"""An index that is tuned while it is filled, where the server stops answering."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from elasticsearch import ConnectionTimeout

from ingest.search.client import Elasticsearch
from ingest.search.index import Index
from ingest.search.preparing import prepared
from ingest.search.template import Marks
from ingest.settings import ELASTICSEARCH, SearchSettings


class SilentClient:
    """A client whose server answers until it is `silent`; `options` are those it was given."""

    def __init__(self, **options: Any) -> None:
        self.options_given = options
        self.indices = SimpleNamespace(get_mapping=self._mappings)
        self.asked: list[dict[str, Any]] = []

    def options(self, **options: Any) -> SilentClient:
        brief = SilentClient(**options)
        brief.asked = self.asked
        return brief

    def _mappings(self, **_given: Any) -> dict[str, Any]:
        self.asked.append(self.options_given)
        if self.options_given:
            raise ConnectionTimeout("silent")
        return {}


def test_an_interrupted_export_does_not_wait_for_a_silent_server() -> None:
    client = SilentClient()
    index = Index(
        client=cast(Elasticsearch, client),
        search=SearchSettings(layout="monthly"),
        marks=Marks(lake="a lake"),
        product=ELASTICSEARCH,
    )
    with pytest.raises(KeyboardInterrupt), prepared(index, "a run"):
        raise KeyboardInterrupt
    assert client.asked[-1] == {"request_timeout": 2, "max_retries": 0}
