"""Settings: the environment wins over the file, and one error lists all that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import SettingsError
from ingest.settings import ParseSettings, Settings, Source, check_timezone, load_settings


def load(root: Path, toml: str = "", **environ: str) -> Settings:
    (root / "clickstream.toml").write_text(toml, encoding="utf-8")
    return load_settings(environ, root=root)


def test_defaults_need_no_file(tmp_path: Path) -> None:
    settings = load_settings({}, root=tmp_path)
    assert settings.data == tmp_path / "data"
    assert settings.lake == str(tmp_path / "data" / "lake")
    assert settings.sources == (Source(name="raw", uri=str(tmp_path / "data" / "raw")),)
    assert (settings.target, settings.search.url) == ("local", None)
    assert settings.search.index == "clickstream_data"


def test_file_is_relative_to_itself_and_environment_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    toml = '[lake]\nuri = "a/lake"\n[[sources]]\nname = "web"\nuri = "b/logs"\n'
    assert load(tmp_path, toml).lake == str(tmp_path / "a" / "lake")
    assert load(tmp_path, toml).source("web").uri == str(tmp_path / "b" / "logs")
    settings = load(tmp_path, toml, CLICKSTREAM_LAKE="c", CLICKSTREAM_DATA="d")
    assert settings.lake == str(here / "c")
    assert settings.data == here / "d"


def test_raw_replaces_all_sources(tmp_path: Path) -> None:
    toml = '[[sources]]\nname = "web"\nuri = "logs"\n'
    settings = load(tmp_path, toml, CLICKSTREAM_RAW="/x/y", CLICKSTREAM_FORMAT="access")
    assert settings.sources == (
        Source(name="raw", uri="/x/y", parse=ParseSettings(format="access")),
    )


def test_search_names_that_existing_users_know(tmp_path: Path) -> None:
    toml = '[search]\nurl = "http://one:9200"\nindex = "one"\n'
    settings = load(tmp_path, toml, ES_URL="http://two:9200", ES_INDEX="two")
    assert (settings.search.url, settings.search.index) == ("http://two:9200", "two")
    assert load(tmp_path, toml).search.index == "one"


def test_all_problems_in_one_error(tmp_path: Path) -> None:
    toml = """
[ingest]
range_mib = 12
[search]
bodymib = 5
max_dead = -1
[[sources]]
name = "a b"
uri = "x"
reject_limit_ratio = 5
[[sources]]
name = "web"
uri = "x"
timezone = "Mars/Olympus"
[what]
"""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, toml)
    text = str(caught.value)
    for part in (
        "ingest.range_mib = 12: must be a multiple of 8",
        "unknown key search.bodymib",
        "search.max_dead = -1",
        "sources[0].name = 'a b'",
        "sources[0].reject_limit_ratio = 5",
        "sources[1].timezone = 'Mars/Olympus'",
        "unknown section what",
    ):
        assert part in text
    assert caught.value.exit_code == 2


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"lake = 'data/lake': must be written as a \[lake\]"):
        load(tmp_path, 'lake = "data/lake"')


def test_two_sources_of_one_name(tmp_path: Path) -> None:
    toml = '[[sources]]\nname = "a"\nuri = "x"\n[[sources]]\nname = "a"\nuri = "y"\n'
    with pytest.raises(SettingsError, match="two sources are named 'a'"):
        load(tmp_path, toml)


def test_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"clickstream\.toml cannot be read.*line 1"):
        load(tmp_path, "[lake\n")


@pytest.mark.parametrize("index", ["Upper", ".hidden", "logs-web-x", "a b", "-x"])
def test_index_names_that_the_engine_refuses(tmp_path: Path, index: str) -> None:
    with pytest.raises(SettingsError, match="ES_INDEX"):
        load(tmp_path, ES_INDEX=index)


def test_a_wrong_address_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, ES_URL="htp://user:secret@host")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "+01:00", "-0530", "UTC"])
def test_timezones(tmp_path: Path, zone: str) -> None:
    toml = f'[[sources]]\nname = "web"\nuri = "x"\ntimezone = "{zone}"\n'
    assert load(tmp_path, toml).source("web").parse.timezone == zone


@pytest.mark.parametrize("zone", ["+14:01", "+15:00", "01:00", "Berlin"])
def test_timezones_that_are_none(zone: str) -> None:
    with pytest.raises(SettingsError, match="timezone"):
        check_timezone(zone)


def test_unknown_source_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'nope'.*has: raw"):
        load(tmp_path).source("nope")
