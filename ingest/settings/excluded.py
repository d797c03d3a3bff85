"""The names in `search.exclude`: columns that documents may leave out."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ingest.contract import ALWAYS_SHOWN, EVENTS

_PAGE = "docs/reference/index-fields.md"
# Who knows the index rather than the lake writes the name of the field.
_COLUMN_OF = {
    name: column.name
    for column in EVENTS.columns
    if column.search and column.name not in ALWAYS_SHOWN
    for name in (column.name, column.search.field)
}
_CAN_BE_EXCLUDED = frozenset(_COLUMN_OF.values())


def wrong_names(names: Sequence[str]) -> str | None:
    """Return what is wrong with `names`, and what was probably meant; None when nothing is."""
    wrong = [name for name in dict.fromkeys(names) if name not in _CAN_BE_EXCLUDED]
    if not wrong:
        return None
    are = "is not a column" if len(wrong) == 1 else "are not columns"
    listed = ", ".join(repr(name) + _meant(name) for name in wrong)
    return f"{listed} {are} that can be left out; {_PAGE} lists those that can"


def _meant(name: str) -> str:
    """Return the columns that an unknown `name` may mean, as a question; "" without any."""
    if name in EVENTS.names:
        return ""
    near = get_close_matches(name.lower(), _COLUMN_OF)
    columns = dict.fromkeys(_COLUMN_OF[one] for one in near)
    return f" ({' or '.join(columns)}?)" if columns else ""
