"""The usual answer to a bulk request: every document was indexed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_NO_ERRORS, _END = b'{"errors":false,"items":[', b"]}"
_ITEM_CREATED, _ITEM_UPDATED = b'{"index":{"status":201}}', b'{"index":{"status":200}}'


@dataclass(frozen=True, slots=True)
class AllIndexed:
    """The items of a response, all of which are documents that were created or updated."""

    created: int
    updated: int

    def __len__(self) -> int:
        return self.created + self.updated


def read_all_indexed(raw: bytes) -> dict[str, Any] | None:
    """Return the bulk response `raw` if it says of each document that it was indexed; else None.

    Nearly all do, and counting is thirty times as fast as reading. Nothing else is in it when its
    length is that of these items and what stands around them.
    """
    if not raw.startswith(_NO_ERRORS):
        return None
    found = AllIndexed(created=raw.count(_ITEM_CREATED), updated=raw.count(_ITEM_UPDATED))
    between = max(len(found) - 1, 0) * len(",")
    length = len(_NO_ERRORS) + len(found) * len(_ITEM_CREATED) + between + len(_END)
    is_whole = len(raw) == length and raw.endswith(_END)
    return {"errors": False, "items": found} if is_whole else None
