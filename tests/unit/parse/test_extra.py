"""The column `extra`: keys, canonical JSON, and what happens when it is too wide."""

from __future__ import annotations

import json

import pytest

from ingest.parse.fields.extra import encode_extra, key_of


@pytest.mark.parametrize(
    ("field", "key"),
    [
        ("sc-content-type", "sc_content_type"),
        ("Number of Records", "number_of_records"),
        ("# Of  Views ", "of_views"),
        ("é", ""),
    ],
)
def test_keys(field: str, key: str) -> None:
    assert key_of(field) == key


def test_json_is_canonical() -> None:
    codes: set[str] = set()
    assert encode_extra({"b": "é", "a": [1, "x"]}, codes) == '{"a":[1,"x"],"b":"é"}'
    assert encode_extra({}, codes) is None
    assert codes == set()


def test_the_biggest_values_are_dropped_first() -> None:
    codes: set[str] = set()
    extra = {"big": "x" * 60_000, "bigger": "y" * 60_001, "small": "z"}
    found = json.loads(encode_extra(extra, codes) or "")
    assert found == {"_dropped": ["bigger"], "big": "x" * 60_000, "small": "z"}
    assert codes == {"truncated_field"}


def test_a_full_column_is_not_touched() -> None:
    codes: set[str] = set()
    fitting = {"k": "x" * (65_535 - len('{"k":""}'))}
    assert len(encode_extra(fitting, codes) or "") == 65_535
    assert codes == set()
    assert encode_extra({"k": fitting["k"] + "x"}, codes) == '{"_dropped":["k"]}'


@pytest.mark.parametrize("letter", ["k", "\x01", "é", '"'])
def test_it_fits_whatever_the_keys(letter: str) -> None:
    codes: set[str] = set()
    extra = {f"{letter * 500}{number}": "v" * 40 for number in range(2000)}
    text = encode_extra(extra, codes) or ""
    found = json.loads(text)
    assert len(text.encode()) <= 65_535
    assert found["_dropped"]
    assert all(extra[key] == value for key, value in found.items() if key != "_dropped")
