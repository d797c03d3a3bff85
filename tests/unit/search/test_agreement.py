"""Which settings an index that is there agrees with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ingest.errors import SettingsError
from ingest.search import template
from ingest.search.agreement import check
from ingest.search.template import Marks
from ingest.settings import ELASTICSEARCH, SearchSettings

SEARCH = SearchSettings(index="events")
MARKS = Marks(lake="a", exclude=("brand", "user_agent"), private_keys=("token",))


def checked(marks: Marks) -> None:
    """Check `marks` with an index that was filled by those above."""
    check(SEARCH, marks, ELASTICSEARCH, {"events": template.mappings(MARKS, ELASTICSEARCH)})


def test_the_same_left_out_in_other_words_is_accepted() -> None:
    checked(replace(MARKS, exclude=("user_agent", "brand", "brand"), private_keys=("Token",)))


@pytest.mark.parametrize(
    "change",
    [
        {"exclude": ("brand",)},
        {"exclude": ()},
        {"exclude": (*MARKS.exclude, "referrer")},
        {"private_keys": ()},
        {"private_keys": ("token", "email")},
    ],
)
def test_something_else_left_out_is_refused(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(SettingsError, match=rf"with search\.{name} = .*--recreate"):
        checked(replace(MARKS, **change))
