"""Log format strings that are refused, so that neither compiling nor reading takes long."""

from __future__ import annotations

import time

import pytest
from fixtures.outcome import read

from ingest.errors import SettingsError
from ingest.parse.layout.compiled import compile_layout
from ingest.parse.registry import check_settings
from ingest.settings import ParseSettings


def problem(string: str) -> tuple[str, str]:
    """Return why the string is refused, and the text behind the caret."""
    with pytest.raises(SettingsError) as caught:
        check_settings(ParseSettings(log_format=string))
    first, shown, caret = str(caught.value).split("\n")
    return first.removeprefix("log_format: "), shown[len(caret) - 1 :]


@pytest.mark.parametrize("code", ["%s", "%e", "%d", "%H", "%z"])
def test_a_part_of_a_time_is_there_once(code: str) -> None:
    found = problem(f"x %{{{code} {code}%d %H %m %Y}}t")
    assert found == (
        f"a time has what {code} stands for only once",
        f"%{{{code} {code}%d %H %m %Y}}t",
    )


@pytest.mark.parametrize(
    ("string", "text", "second"),
    [
        ("%{sec}t %{usec}t", "1709449689 1709449680000000", "1709449680000000"),
        ("[%{%F %T %z}t %{%H}t]", "[2024-03-03 07:08:09 +0000 08]", "08"),
    ],
)
def test_neighbours_that_share_a_part_are_two_times(string: str, text: str, second: str) -> None:
    (row,) = read(text.encode(), settings=ParseSettings(log_format=string)).events
    assert row["event_time"].isoformat() == "2024-03-03T07:08:09+00:00"
    assert f'"{second}"' in row["extra"]


def test_a_long_string_is_refused() -> None:
    assert problem("%h " + "x" * 16_381 + "yz")[0] == "is longer than 16,384 characters"
    assert problem('{"a":"$host", "b":"' + "x" * 16_384)[0] == "is longer than 16,384 characters"
    assert compile_layout("%h " + "x" * 16_381)


def test_a_string_of_many_values_is_refused() -> None:
    assert problem("$a " * 256 + "$b") == ("has more than 256 values", "$b")
    assert len(compile_layout("$a " * 256).directives) == 256


@pytest.mark.parametrize("string", ["%{" * 8_000, "%h " + "[" * 16_000 + "]", "$a[" * 5_000])
def test_a_string_is_refused_at_once(string: str) -> None:
    before = time.process_time()
    problem(string)
    assert time.process_time() - before < 0.5


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_objects_that_are_nested_too_deeply(opening: str, closing: str) -> None:
    string = '{"b":' + opening * 2_000 + '"$host"' + closing * 2_000 + "}"
    assert problem(string)[0] == "objects are nested too deeply"
