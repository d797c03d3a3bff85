"""Settings: the environment wins over the file, and one error lists all that is wrong."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import SettingsError
from ingest.job.plan import hash_settings
from ingest.search.template import Marks
from ingest.settings import (
    BY_FORMAT,
    ParseSettings,
    Settings,
    Source,
    check_timezone,
    load_settings,
)

ROOT = Path(__file__).resolve().parents[2]


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


def test_data_that_is_a_file_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "d").touch()
    with pytest.raises(SettingsError, match=r"CLICKSTREAM_DATA: .*/d is not a folder"):
        load(tmp_path, CLICKSTREAM_DATA=str(tmp_path / "d"))


def test_the_file_that_is_delivered_shows_the_defaults(tmp_path: Path) -> None:
    shown = (ROOT / "clickstream.toml").read_text(encoding="utf-8")
    toml = "\n".join(re.findall(r"^# (\[.+|[a-z_]+ = .+)$", shown, re.MULTILINE))
    settings, usual = load(tmp_path, toml), load(tmp_path)
    assert (settings.lake, settings.range_bytes) == (usual.lake, usual.range_bytes)
    url, writers = "http://127.0.0.1:9200", settings.search.writers
    assert settings.search == replace(
        usual.search, url=url, writers=writers, pseudonymise="client_ip"
    )
    (source,) = settings.sources
    assert all(getattr(source.parse, name) for name in BY_FORMAT)
    assert source.refused_limit
    assert (settings.emr.arch, settings.emr.timeout_minutes) == (usual.emr.arch, 720)
    assert settings.emr.prices
    nothing: dict[str, Any] = dict.fromkeys(BY_FORMAT)
    parse = replace(source.parse, **nothing)
    assert (replace(source, parse=parse, refused_limit=None),) == usual.sources


def test_raw_replaces_all_sources(tmp_path: Path) -> None:
    toml = '[[sources]]\nname = "web"\nuri = "logs"\n'
    settings = load(tmp_path, toml, CLICKSTREAM_RAW="/x/y", CLICKSTREAM_FORMAT="access")
    assert settings.sources == (
        Source(name="raw", uri="/x/y", parse=ParseSettings(format="access")),
    )


def test_the_format_and_time_zone_of_the_raw_source(tmp_path: Path) -> None:
    settings = load(tmp_path, CLICKSTREAM_RAW="/x", CLICKSTREAM_TIMEZONE="Europe/Berlin")
    parse = ParseSettings(timezone="Europe/Berlin")
    assert settings.sources == (Source(name="raw", uri="/x", parse=parse),)
    with pytest.raises(SettingsError, match="CLICKSTREAM_TIMEZONE = 'Mars': must be an IANA name"):
        load(tmp_path, CLICKSTREAM_RAW="/x", CLICKSTREAM_TIMEZONE="Mars")


def test_a_place_that_no_system_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"toml: sources\[0\].uri = .*: must be"):
        load(tmp_path, '[[sources]]\nname = "web"\nuri = "a\\u0000"\n')
    home = '[[sources]]\nname = "web"\nuri = "~nobody-of-this-name/logs"\n'
    assert load(tmp_path, home).source("web").uri.endswith("/~nobody-of-this-name/logs")


@pytest.mark.parametrize("name", ["CLICKSTREAM_FORMAT", "CLICKSTREAM_TIMEZONE"])
def test_what_describes_a_raw_source_needs_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} needs CLICKSTREAM_RAW"):
        load(tmp_path, **{name: "access" if name.endswith("FORMAT") else "UTC"})
    assert load(tmp_path, **{name: " "}).sources[0].parse == ParseSettings()


def test_a_mistake_in_a_source_that_the_environment_replaces_is_not_ignored(
    tmp_path: Path,
) -> None:
    toml = '[[sources]]\nname = "web"\nuri = "logs"\nformt = "access"\n'
    with pytest.raises(SettingsError, match=r"unknown key sources\[0\]\.formt"):
        load(tmp_path, toml, CLICKSTREAM_RAW="/x")


def test_search_names_that_existing_users_know(tmp_path: Path) -> None:
    toml = '[search]\nurl = "http://one:9200"\nindex = "one"\n'
    settings = load(tmp_path, toml, ES_URL="http://two:9200", ES_INDEX="two")
    assert (settings.search.url, settings.search.index) == ("http://two:9200", "two")
    assert load(tmp_path, toml).search.index == "one"


@pytest.mark.parametrize(
    ("line", "must"),
    [
        ('pseudonymise = "user_id"', "pseudonymise = 'user_id': must be 'client_ip'"),
        ('pseudonym_method = "md5"', "pseudonym_method = 'md5': must be hash or truncate"),
    ],
)
def test_what_cannot_be_hidden_is_refused(tmp_path: Path, line: str, must: str) -> None:
    with pytest.raises(SettingsError, match=must):
        load(tmp_path, f"[search]\n{line}\n")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            'exclude = ["brand", "colour", "usr_agent", "Source.IP", "colour"]',
            r"exclude: 'colour', 'usr_agent' \(user_agent.*\?\), 'Source\.IP' \(client_ip.*\?\) are"
            r" not columns that can be left out; docs/reference/index-fields\.md lists those",
        ),
        ('exclude = ["cookie"]', "exclude: 'cookie' is not a column that can be left out"),
        *(
            (f'exclude = ["{name}"]', f"exclude: '{name}' is not a column that can be left out")
            for name in ("event_id", "batch_id", "source_file", "source_offset", "event_date")
        ),
        ('exclude = "brand"', "exclude = 'brand': must be a list of non-empty strings"),
        ('private_keys = ["auth token"]', "private_keys: 'auth token' must be printable ASCII"),
        ('private_keys = ["caf\\u00e9"]', "private_keys: 'café' must be printable ASCII"),
        ('private_keys = [""]', "private_keys = .*: must be a list of non-empty strings"),
    ],
)
def test_what_cannot_be_left_out_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=rf"search\.{problem}"):
        load(tmp_path, f"[search]\n{line}\n")


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://search.example/es/", True),
        ("http://u:p%23w@[::1]:9200", True),
        ("http://h:9200/?pretty", False),
        ("http://h:9200?pretty", False),
        ("http://h:9200/es#top", False),
        ("http://u:p#w@h:9200", False),
        ("h:9200", False),
        ("http://u:p@[::1", False),
        ("http://a..b:9200", False),
        ("http://h:0", False),
        ("http://h:99999", False),
        ("http://:9200", False),
    ],
)
def test_the_address_of_the_search_server(tmp_path: Path, url: str, fine: bool) -> None:
    if fine:
        assert load(tmp_path, "", ES_URL=url).search.url == url
        return
    with pytest.raises(SettingsError, match=r"ES_URL .* no query or fragment") as raised:
        load(tmp_path, "", ES_URL=url)
    assert url not in str(raised.value)


def test_the_order_of_what_is_left_out_does_not_matter(tmp_path: Path) -> None:
    def marked(exclude: str, keys: str) -> dict[str, list[str]]:
        toml = f"[search]\nexclude = [{exclude}]\nprivate_keys = [{keys}]\n"
        search = load(tmp_path, toml).search
        return Marks(lake="a", exclude=search.exclude, private_keys=search.private_keys).left_out()

    assert marked('"user_agent", "brand"', '"x-id", "Token"') == {
        "exclude": ["brand", "user_agent"],
        "private_keys": ["token", "x_id"],
    }
    assert marked('"brand", "user_agent"', '"token", "x_id"') == marked(
        '"user_agent", "brand", "user_agent"', '"X-Id", "x_id", "Token"'
    )
    assert marked("", "") == {"exclude": [], "private_keys": []}


def test_all_problems_in_one_error(tmp_path: Path) -> None:
    toml = """
[ingest]
range_mib = 12
[search]
bodymib = 5
max_dead = -1
[[sources]]
name = "a b"
reject_limit_ratio = 5
[[sources]]
name = "web"
uri = "x"
timezone = "Mars/Olympus"
refused_limit = -1
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
        "sources[0].uri is missing: must be a folder",
        "sources[1].refused_limit = -1: must be a whole number from 0",
        "sources[1].timezone = 'Mars/Olympus'",
        "unknown section what",
    ):
        assert part in text
    assert caught.value.exit_code == 2


def test_replicas_and_compression(tmp_path: Path) -> None:
    assert (load(tmp_path).search.replicas, load(tmp_path).search.compress) == (None, False)
    search = load(tmp_path, "[search]\nreplicas = 0\ncompress = true\n").search
    assert (search.replicas, search.compress) == (0, True)
    for wrong in ("6", "-1", "true", '"one"'):
        with pytest.raises(
            SettingsError, match=r"replicas = .*: must be auto or a whole number fr"
        ):
            load(tmp_path, f"[search]\nreplicas = {wrong}\n")


def test_months_are_deleted_only_where_there_are_months(tmp_path: Path) -> None:
    monthly = load(tmp_path, '[search]\nlayout = "monthly"\nkeep_months = 13\n').search
    assert (monthly.layout, monthly.keep_months) == ("monthly", 13)
    with pytest.raises(SettingsError, match=r'keep_months needs search\.layout = "monthly"'):
        load(tmp_path, "[search]\nkeep_months = 13\n")


@pytest.mark.parametrize(("line", "limit"), [("", None), ("refused_limit = 0", 0)])
def test_any_number_of_objects_may_be_refused_by_default(
    tmp_path: Path, line: str, limit: int | None
) -> None:
    (source,) = load(tmp_path, f'[[sources]]\nname = "web"\nuri = "x"\n{line}\n').sources
    assert source.refused_limit == limit


def test_a_section_that_is_not_a_table(tmp_path: Path) -> None:
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
def test_index_names_that_the_search_server_refuses(tmp_path: Path, index: str) -> None:
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
def test_unknown_time_zones(zone: str) -> None:
    with pytest.raises(SettingsError, match="unknown time zone"):
        check_timezone(zone)


def test_unknown_source_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'nope'.*has: raw"):
        load(tmp_path).source("nope")


SOURCE = '[[sources]]\nname = "web"\nuri = "x"\n'
# Each setting as the file has it and as the parser gets it, none with its default.
PARSE: dict[str, tuple[str, Any]] = {
    "format": ('format = "access"', "access"),
    "timezone": ('timezone = "+01:00"', "+01:00"),
    "max_line_bytes": ("max_line_bytes = 4096", 4096),
    "max_expansion_ratio": ("max_expansion_ratio = 99", 99),
    "future_limit": ("future_limit_hours = 0", timedelta(0)),
    "min_event_time": (
        "min_event_time = 2001-01-01T01:00:00+01:00",
        datetime(2001, 1, 1, tzinfo=UTC),
    ),
    "client_from": ('client_from = "forwarded_for"', "forwarded_for"),
    "keep_cookie": ("keep_cookie = false", False),
    "fast": ("fast = false", False),
    "action_parameter": ('action_parameter = "do"', "do"),
    "item_parameter": ('item_parameter = "sku"', "sku"),
    "product_parameter": ('product_parameter = "p"', "p"),
    "category_parameter": ('category_parameter = "c"', "c"),
    "session_parameter": ('session_parameter = "sid"', "sid"),
    "log_format": ("log_format = '%h \"%r\"'", '%h "%r"'),
    "mapping": (
        'mapping = { url = "page.url", event_name = "name" }',
        (("event_name", "name"), ("url", "page.url")),
    ),
    "fields": ('fields = ["c-ip", "time"]', ("c-ip", "time")),
    "delimiter": ('delimiter = "\\t"', "\t"),
    "time_unit": ('time_unit = "ms"', "ms"),
}


def test_every_parse_setting_is_tested() -> None:
    assert PARSE.keys() == {field.name for field in fields(ParseSettings)}


@pytest.mark.parametrize("name", PARSE)
def test_every_parse_setting_is_reachable_and_hashed_if_events_differ(
    tmp_path: Path, name: str
) -> None:
    text, value = PARSE[name]
    usual = ParseSettings()
    assert getattr(usual, name) != value
    parse = load(tmp_path, SOURCE + text).source("web").parse
    assert parse == replace(usual, **{name: value})
    assert (hash_settings(parse) == hash_settings(usual)) == (name == "fast")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("format = 1", "format = 1: must be a name that `clickstream formats` lists"),
        ("timezone = 1", "timezone = 1: must be an IANA name such as Europe/Berlin, or an offset"),
        ("max_line_bytes = 1023", "max_line_bytes = 1023: must be a whole number from 1024 to"),
        (
            "max_expansion_ratio = 1033",
            "max_expansion_ratio = 1033: must be a whole number from 1 to",
        ),
        ("future_limit_hours = -1", "future_limit_hours = -1: must be a whole number from 0 to"),
        ("future_limit_hours = true", "future_limit_hours = True: must be a whole number"),
        ('min_event_time = "1995"', "min_event_time = '1995': must be a time with an offset"),
        (
            "min_event_time = 1995-01-01T00:00:00",
            "min_event_time = 1995-01-01T00:00:00: must be a time with an offset",
        ),
        ("min_event_time = 0001-01-01T00:00:00+01:00", "must be a time with an offset"),
        ('client_from = "peer"', "client_from = 'peer': must be host or forwarded_for"),
        ('keep_cookie = "no"', "keep_cookie = 'no': must be true or false"),
        ('item_parameter = " "', "item_parameter = ' ': must be a non-empty string"),
        ("log_format = []", "log_format = []: must be a non-empty string"),
        ("mapping = {}", "mapping = {}: must be a table of non-empty strings"),
        ("mapping = { a = 1 }", "mapping = {'a': 1}: must be a table of non-empty strings"),
        ('fields = "a"', "fields = 'a': must be a list of non-empty strings"),
        ('fields = ["a", ""]', "fields = ['a', '']: must be a list of non-empty strings"),
        ('delimiter = ""', "delimiter = '': must be a non-empty string"),
        ('time_unit = "h"', "time_unit = 'h': must be auto, s, ms or us"),
        ('future_limit = "1 h"', "unknown key sources[0].future_limit; known: "),
    ],
)
def test_each_wrong_parse_setting_is_one_problem(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, SOURCE + text)
    title, *problems = str(caught.value).splitlines()
    assert title == "invalid settings:"
    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize("text", ["", "name = 5", 'name = "a b"'])
def test_a_source_without_a_good_name_is_one_problem(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f'[[sources]]\nuri = "x"\n{text}\n')
    problems = str(caught.value).splitlines()[1:]
    assert len(problems) == 1
    assert "must be 1 to 64 letters, digits, - or _" in problems[0]
