"""Whether the indices behind our name are ours, and as settings and contract want them.

`found` is the mapping of each of them, by its name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ingest.errors import SettingsError
from ingest.pseudonyms import KEY_VARIABLE
from ingest.search import template
from ingest.search.months import is_month
from ingest.search.template import Marks
from ingest.settings import SearchSettings

RECREATE = "run `clickstream export --recreate`"
_ANOTHER = "choose another ES_INDEX"

_Mappings = Mapping[str, Mapping[str, Any]]


def check(search: SearchSettings, marks: Marks, product: str, found: _Mappings) -> None:
    """Raise SettingsError when an index cannot take the documents that `marks` describe.

    It is not ours, another lake's, of another layout, shows something else, or has a mapping that
    cannot be brought in line.
    """
    _check_owner(search.index, found, _ANOTHER)
    for name, mapping in found.items():
        ours = template.owner(mapping) or {}
        if ours.get("lake") != marks.lake:
            raise SettingsError(f"index {name} belongs to another lake: {_ANOTHER}, or {RECREATE}")
        _check_hidden(name, marks, ours)
    _check_layout(search, found)
    for name, mapping in found.items():
        if changed := template.compare(mapping, product).changed:
            raise SettingsError(
                f"index {name} differs from the contract:\n"
                + "".join(f"- {line}\n" for line in changed)
                + f"types cannot be changed in place: {RECREATE}"
            )


def check_deletable(index: str, found: _Mappings) -> None:
    """Raise SettingsError when an index is not ours, of whatever lake."""
    _check_owner(index, found, f"it is not deleted: {_ANOTHER}")


def _check_owner(index: str, found: _Mappings, remedy: str) -> None:
    """Raise SettingsError when there is an index that we did not make."""
    foreign = [name for name in found if name != index and not is_month(name, index)]
    if foreign:
        raise SettingsError(f"{index} is an alias of {', '.join(foreign)}: {_ANOTHER}")
    for name, mapping in found.items():
        if template.owner(mapping) is None:
            raise SettingsError(f"index {name} was not created by clickstream: {remedy}")


def _check_hidden(name: str, marks: Marks, ours: Mapping[str, Any]) -> None:
    """Documents that show something are never mixed with those that hide it."""
    if ours.get("pseudonyms") != marks.pseudonyms:
        raise SettingsError(
            f"index {name} holds {_clients(ours.get('pseudonyms'))} of clients, but the settings"
            f" ask for {_clients(marks.pseudonyms)}, and the two are never mixed: change"
            f" search.pseudonymise, search.pseudonym_method or {KEY_VARIABLE} back, or {RECREATE}"
        )
    for setting, wanted in marks.left_out().items():
        if (there := ours.get(setting, [])) != wanted:
            raise SettingsError(
                f"index {name} was filled with search.{setting} = {there}, but the settings say"
                f" {wanted}, and the two are never mixed: change it back, or {RECREATE}"
            )


def _clients(mark: str | None) -> str:
    """Return what documents with this mark show, for a sentence."""
    return "the addresses" if mark is None else f"pseudonyms ({mark})"


def _check_layout(search: SearchSettings, found: Collection[str]) -> None:
    there = "single" if search.index in found else "monthly"
    if found and there != search.layout:
        raise SettingsError(
            f"{search.index} has the layout {there}, but search.layout is {search.layout}: an index"
            f" and an alias cannot have one name, so set it back, or {RECREATE}"
        )
