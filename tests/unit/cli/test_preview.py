"""`clickstream parse` and `clickstream formats`."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fixtures.outcome import CSV_HEADER, LINE, SETTINGS

from ingest import cli
from ingest.cli.preview import explain, formats, json_lines
from ingest.errors import ClickstreamError, ObjectUnreadable, SettingsError
from ingest.settings import ParseSettings


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


def shown(path: Path, **changes: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in json_lines(path, SETTINGS, **changes)]


def test_one_object_a_line_in_input_order(log: Path) -> None:
    log.write_text(f"# c\n{LINE}\nbroken\n\n{LINE[:-1]}\n", encoding="utf-8")
    rows = shown(log)
    details = [row.pop("detail") for row in rows]
    place = "expected a [time] in front of the request at character 7"
    assert details == [None, None, place, None, None]
    assert [{k: v for k, v in row.items() if k != "event"} for row in rows] == [
        {"offset": 0, "status": "skip", "warnings": [], "reason": "comment"},
        {"offset": 4, "status": "ok", "warnings": [], "reason": None},
        {"offset": 5 + len(LINE), "status": "reject", "warnings": [], "reason": "no_match"},
        {"offset": 12 + len(LINE), "status": "skip", "warnings": [], "reason": "blank"},
        {
            "offset": 13 + len(LINE),
            "status": "warn",
            "warnings": ["unterminated_quote"],
            "reason": None,
        },
    ]
    assert [row["event"] is None for row in rows] == [True, False, True, True, False]


def test_event(log: Path) -> None:
    log.write_text(LINE.replace("GET /", "GET http://a:8080/"), encoding="utf-8")
    ingest_time = datetime(2024, 6, 1, 12, 30, tzinfo=UTC)
    (row,) = shown(log, ingest_time=ingest_time)
    # SHA-256 of `a.log` begins with these 20 digits (sha256sum).
    assert row["event"].pop("event_id") == "e4355b8df831d65d391e" + "0" * 12
    assert row["event"] == {
        "batch_id": "parse",
        "event_time": "2024-03-03T07:08:09.000000Z",
        "event_date": "2024-03-03",
        "ingest_time": "2024-06-01T12:30:00.000000Z",
        "source_format": "access",
        "source_file": "a.log",
        "source_offset": 0,
        "source_line": 1,
        "parse_status": "ok",
        "event_type": "request",
        "client_ip": "192.0.2.1",
        "client_address": "192.0.2.1",
        "http_method": "GET",
        "http_version": "1.1",
        "url_original": "http://a:8080/",
        "url_scheme": "http",
        "url_domain": "a",
        "url_path": "/",
        "status_code": 200,
        "response_bytes": 5,
        "bytes_scope": "body",
        "user_agent": "agent",
        "extra": {"url_port": 8080},
    }


def test_ingest_time_is_that_of_the_file_by_default(log: Path) -> None:
    log.write_text(LINE, encoding="utf-8")
    os.utime(log, (1_714_979_289, 1_714_979_289))
    (row,) = shown(log)
    assert row["event"]["ingest_time"] == "2024-05-06T07:08:09.000000Z"


@pytest.mark.parametrize("seconds", [-99_999_999_999, -2_000_000_000, 99_999_999_999_999])
def test_a_time_of_the_file_that_cannot_be(log: Path, seconds: int) -> None:
    log.write_text(LINE, encoding="utf-8")
    os.utime(log, (seconds, seconds))  # some file systems store the nearest time they know
    (row,) = shown(log)
    year = int(row["event"]["ingest_time"][:4])
    assert year == 1970 if seconds < 0 else 2000 < year < 3000


def test_the_year_1_is_written_with_four_digits(log: Path) -> None:
    log.write_text(LINE.replace("2024", "0001"), encoding="utf-8")
    (row,) = shown(log)
    assert row["event"]["event_time"] == "0001-03-03T07:08:09.000000Z"


def test_no_line_break_but_the_last_is_written(log: Path) -> None:
    log.write_text(LINE.replace("agent", "a\x85\u2028\u2029\x0bé"), encoding="utf-8")
    (line,) = json_lines(log, SETTINGS)
    assert line.splitlines() == [line]
    assert json.loads(line)["event"]["user_agent"] == "a\x85\u2028\u2029\x0bé"


def test_csv_records_and_rejects_keep_their_order(log: Path) -> None:
    log.write_text(f'{CSV_HEADER}\nx\n"a\n{CSV_HEADER}\nView{"," * 20}\n', encoding="utf-8")
    assert [(row["status"], row["reason"]) for row in shown(log)] == [
        ("skip", "header"),
        ("reject", "wrong_field_count"),
        ("reject", "bad_csv"),
        ("skip", "header"),
        ("warn", None),
    ]


def test_refused_file(log: Path) -> None:
    log.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ClickstreamError) as caught:
        shown(log)
    assert caught.value.exit_code == 1
    assert str(caught.value).startswith(
        f"{log} is refused as a whole (unknown_format): no format is recognised in its content: "
    )
    assert "explain --guess FILE" in str(caught.value)


def test_corrupt_file_shows_what_could_be_read(log: Path) -> None:
    log.write_bytes(gzip.compress(f"{LINE}\n".encode())[:-4])
    lines = json_lines(log, SETTINGS)
    assert json.loads(next(lines))["status"] == "ok"
    with pytest.raises(
        ClickstreamError, match=r"so none of it would be loaded: .* and 1 line could be read"
    ):
        next(lines)


def test_odd_files_are_named_and_read(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    log.write_bytes(gzip.compress(LINE.encode()))
    assert len(shown(log)) == 1
    assert caplog.messages == [f"{log}: misnamed (gzip without .gz in its name)"]


def test_empty_file(log: Path) -> None:
    log.touch()
    assert shown(log) == []


def test_missing_file_and_folder(log: Path) -> None:
    with pytest.raises(ObjectUnreadable, match=r"a\.log cannot be read: No such file"):
        shown(log)
    with pytest.raises(ObjectUnreadable, match="is not a regular file"):
        shown(log.parent)


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\xff.log")
    path.write_text(LINE, encoding="utf-8")
    assert shown(path)[0]["event"]["source_file"] == "a\\xff.log"


def test_formats() -> None:
    names = [name for name, _ in formats()]
    assert names[:2] == ["auto", "access"]
    assert {"combined", "schematic-csv", "splunk_tutorial"} <= set(names)
    for name, description in formats():
        assert description
        assert explain(name)


def test_formats_that_are_not_supported(log: Path) -> None:
    log.touch()
    with pytest.raises(SettingsError, match="'nope' is unknown"):
        explain("nope")
    with pytest.raises(SettingsError, match="'nope' is unknown"):
        list(json_lines(log, ParseSettings(format="nope")))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--log-format", "%h"], "log_format needs a format that reads it; `combined` does not"),
        (["--mapping", "url=a.b"], "mapping needs a format that reads it; `combined` does not"),
        (["--fields", "asn"], "fields needs a format that reads it; `combined` does not"),
        (["--mapping", "url"], "'url' does not have the form COLUMN=PATH"),
    ],
)
def test_options_that_the_format_does_not_read(
    log: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.write_text(LINE, encoding="utf-8")
    assert cli.run(["parse", str(log), "--format", "combined", *arguments]) == 2
    streams = capsys.readouterr()
    assert told in streams.err
    assert streams.out == ""


def test_options_reach_the_parser(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[ParseSettings] = []

    def keep(_path: Path, settings: ParseSettings, *, called: str) -> list[str]:
        assert called == str(log)
        given.append(settings)
        return []

    monkeypatch.setattr("ingest.cli.preview.json_lines", keep)
    mapping = ["--mapping", "url=page.url", "--mapping", "event_name=a=b"]
    columns = ["--fields", "c-ip  asn", "--delimiter", "|", "--time-unit", "ms"]
    options = ["--timezone", "+01:00", "--log-format", "%h", *mapping, *columns]
    assert cli.run(["parse", str(log), *options]) == 0
    assert given == [
        ParseSettings(
            timezone="+01:00",
            log_format="%h",
            mapping=(("event_name", "a=b"), ("url", "page.url")),
            fields=("c-ip", "asn"),
            delimiter="|",
            time_unit="ms",
        )
    ]


def test_explain_a_string_and_try_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    string = '%h %t "%r" %>s %{X-Trace}i'
    assert cli.run(["formats", "explain", string]) == 0
    assert capsys.readouterr().out.splitlines() == [
        string,
        "",
        "%h           client_ip, client_address, extra.client_port",
        "%t           event_time",
        "%r           http_method, url_*, http_version; extra.request_line when it is not a"
        " request",
        "%>s          status_code",
        "%{X-Trace}i  extra.header_x_trace",
        "(the rest)   extra.tail",
    ]
    line = '192.0.2.1 [03/Mar/2024:07:08:09 +0000] "GET / HTTP/1.1" 2x0 t'
    *_, verdict, expected, shown, caret = explain(string, line).splitlines()
    assert json.loads(verdict)["reason"] == "no_match"
    assert expected == "no_match: expected a value of `%>s` at character 57"
    assert shown.strip() == line
    assert shown[caret.index("^") :] == "2x0 t"
    *_, verdict = explain(string, line.replace("x", "0")).splitlines()
    assert json.loads(verdict)["event"]["status_code"] == 200


def test_explain_points_safely_at_a_place_in_a_long_line() -> None:
    line = "\x1b[31m" + "a" * 100_000 + "\x07" + "|2x0|" + "b" * 100_000
    *_, shown, caret = explain("$name|$status|", line).splitlines()
    assert shown.startswith("  ...aaa")
    assert shown.endswith("bbb...")
    assert shown[caret.index("^") :].startswith("2x0|")
    assert "\x07" not in shown
    assert len(shown) < 200


@pytest.mark.parametrize(
    ("name", "line", "detail"),
    [
        ("alb", "https 2024-05-06T07:08:09Z a", "wrong_field_count: 3 of at least 20 fields"),
        ("access", LINE.replace("03/Mar", "31/Feb"), "bad_timestamp: 31/Feb/2024:07:08:09 +0000"),
        ("waf", '{"a\u202e', "bad_json: unterminated string"),
        ("snowplow", "a\tb", "2 columns, not 131"),
    ],
)
def test_explain_gives_the_detail_of_a_reject(name: str, line: str, detail: str) -> None:
    verdict, *more = explain(name, line).rpartition("\n\n")[2].splitlines()
    assert json.loads(verdict)["status"] == "reject"
    assert detail in more[0]
    assert all(map(str.isprintable, more))


def test_explain_named_formats_and_bad_strings(capsys: pytest.CaptureFixture[str]) -> None:
    assert "$req_id" in explain("ingress_nginx")
    assert "%>s" in explain("combined")
    assert "Read by the grammar of `access`" in explain("combined")
    assert json.loads(explain("access", LINE).splitlines()[-1])["status"] == "ok"
    assert cli.run(["formats", "explain", "%h %Z"]) == 2
    assert capsys.readouterr().err == (
        "error: log_format: unknown directive `%Z`\n  %h %Z\n     ^\n"
    )
