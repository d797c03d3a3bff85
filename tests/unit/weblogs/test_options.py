"""Options of the data source: what a source in clickstream.toml may say, as texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.contract import EVENTS, REJECTS
from ingest.errors import SettingsError
from ingest.settings import ParseSettings
from ingest.weblogs.options import read_options

MIB = 1 << 20


def problems(**given: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        read_options({"path": "/logs", **given})
    return str(raised.value).split("\n")


def test_a_path_is_enough() -> None:
    options = read_options({"path": "/logs"})
    assert (options.paths, options.name, options.range_bytes) == (("/logs",), None, 64 * MIB)
    assert options.parse == ParseSettings()
    assert options.table is EVENTS
    assert (options.fail_fast, options.ignore_corrupt) == (False, False)


def test_all_options() -> None:
    options = read_options(
        {
            "path": "s3://logs/web",
            "name": "shop",
            "format": "combined",
            "timezone": "+01:00",
            "max_line_bytes": "4096",
            "future_limit_hours": "1",
            "min_event_time": "2020-01-01T00:00:00+01:00",
            "keep_cookie": "false",
            "session_parameter": "123",
            "range_mib": "8",
            "rejects": "true",
            "mode": "failFast",
            "ignorecorruptfiles": "true",
        }
    )
    assert (options.paths, options.name, options.range_bytes) == (
        ("s3://logs/web",),
        "shop",
        8 * MIB,
    )
    assert options.parse == ParseSettings(
        format="combined",
        timezone="+01:00",
        max_line_bytes=4096,
        future_limit=timedelta(hours=1),
        min_event_time=datetime(2019, 12, 31, 23, tzinfo=UTC),
        keep_cookie=False,
        session_parameter="123",
    )
    assert options.table is REJECTS
    assert (options.fail_fast, options.ignore_corrupt) == (True, True)


def test_several_paths_relative_ones_too() -> None:
    paths = read_options({"paths": '["/logs/a", "b", "s3://logs"]'}).paths
    assert paths == ("/logs/a", str(Path("b").absolute()), "s3://logs")


@pytest.mark.parametrize("given", [{}, {"path": " "}, {"paths": '["/logs", ""]'}])
def test_no_path(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"^no path is given: call load with a folder, "):
        read_options(given)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("timezone", "Mars", "an IANA name such as Europe/Berlin, or an offset such as +01:00"),
        ("max_line_bytes", "many", "a whole number from 1024 to 67108864"),
        ("keep_cookie", "yes", "true or false"),
        ("range_mib", "9", "a multiple of 8"),
        ("name", "a/b", "1 to 64 letters, digits, - or _"),
        ("mode", "PERMISSIVE", "DROPMALFORMED or FAILFAST"),
        ("fields", "a b", "a list of non-empty strings"),
        ("mapping", '["a"]', "a table of non-empty strings"),
    ],
)
def test_a_wrong_value_is_refused_as_in_the_file(name: str, value: str, wanted: str) -> None:
    assert problems(**{name: value}) == [f"option {name} = {value!r}: must be {wanted}"]


def test_all_problems_are_told_at_once() -> None:
    told = problems(rejects="maybe", formt="combined", timezone="")
    assert [line.split(";")[0] for line in told] == [
        "option timezone = '': must be an IANA name such as Europe/Berlin, or an offset such as"
        " +01:00",
        "option rejects = 'maybe': must be true or false",
        "unknown option formt",
    ]
    assert "known: path, name, format, timezone, " in told[2]


def test_an_unknown_format_and_a_setting_that_it_does_not_read() -> None:
    (unknown,) = problems(format="combned")
    assert unknown.startswith("format 'combned' is unknown; supported: auto, access, ")
    given = {"fields": '["a", "b"]', "mapping": '{client_ip = "ip"}', "log_format": "%h"}
    found = problems(format="combined", **given)
    assert [text.partition(" (")[0] for text in found] == [
        f"{name} needs a format that reads it; `combined` does not"
        for name in ("log_format", "mapping", "fields")
    ]


def test_a_name_is_for_one_path() -> None:
    with pytest.raises(SettingsError, match=r"^option name needs a single path"):
        read_options({"paths": '["/a", "/b"]', "name": "web"})
