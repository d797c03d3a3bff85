"""What mends a rejected line: tried where it can be, and commands that a shell reads as meant.

Reasons are those of section 1.3 of the format specification.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from fixtures.outcome import LINE
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import cli
from ingest.books.remedies import Rejected, Remedy, mend_line, mend_object
from ingest.settings import MAX_LINE_BYTES, ParseSettings, Source

SHAPES = ("bad_json", "trailing_data", "not_an_object", "bad_csv")


def mended(
    raw: bytes,
    reason: str = "no_match",
    *,
    is_cut: bool = False,
    has_changed: bool = True,
    longest: int = 0,
    file: Path | None = None,
    source_format: str = "access",
    log_format: str | None = None,
    max_line_bytes: int = 1 << 20,
    **more: Any,
) -> Remedy:
    """Return what mends the line `raw` of the source `web`."""
    parse = ParseSettings(
        format=source_format, log_format=log_format, max_line_bytes=max_line_bytes, **more
    )
    line = Rejected(
        reason=reason, source_format=source_format, raw=raw, is_cut=is_cut, longest=longest,
        has_changed=has_changed, key="a b.log", file=file,
    )  # fmt: skip
    return mend_line(line, Source(name="web", uri="/logs", parse=parse))


def test_a_line_that_is_read_now_needs_only_the_replay() -> None:
    remedy = mended(LINE.encode())
    assert "read now" in remedy.advice
    assert remedy.commands == ("clickstream replay web --rejects",)


def test_a_line_that_is_read_alone_although_nothing_changed_needs_more() -> None:
    """What rejected it is not in the line, such as a header: a replay would reject it again."""
    assert "read now" not in mended(LINE.encode(), has_changed=False).advice


def test_a_line_of_another_format_names_it() -> None:
    remedy = mended(LINE.encode(), "missing_header", source_format="schematic-csv")
    assert 'set format = "access" for source web' in remedy.advice


def test_a_line_that_is_cut_is_not_tried() -> None:
    remedy = mended(LINE.encode(), is_cut=True)
    assert "read now" not in remedy.advice
    assert remedy.commands == (
        "clickstream formats explain access",
        "clickstream replay web --rejects",
    )


@pytest.mark.parametrize("text", ['it\'s "$HOME" `id` $(id) !! \\n', "-x --line", "täst ✓ 語"])
def test_a_shell_gives_the_program_exactly_the_line(text: str) -> None:
    explain = mended(text.encode()).commands[0]
    assert shlex.split(explain) == ["clickstream", "formats", "explain", "access", "--line", text]


@pytest.mark.parametrize("raw", [b"a\x1b[31m", b"a\tb", b"\xff", b"a" * 401, "a\u202eb".encode()])
def test_a_line_that_a_shell_would_not_give_exactly_is_left_out(raw: bytes) -> None:
    assert mended(raw).commands[0] == "clickstream formats explain access"


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@settings(max_examples=50, deadline=None)
def test_every_line_has_a_remedy_and_commands_for_a_shell(raw: bytes) -> None:
    remedy = mended(raw)
    assert remedy.advice
    for command in remedy.commands:
        program, *arguments = shlex.split(command)
        assert program == "clickstream"
        assert "--line" not in arguments or arguments[-1].encode() == raw


def test_an_own_log_format_is_explained_and_used(tmp_path: Path) -> None:
    """The string is quoted: dollar signs and quotes are its own."""
    own = "$remote_addr '$request'"
    explain, parse, again = mended(b"x y", log_format=own, file=tmp_path / "a b.log").commands
    assert shlex.split(explain)[3:] == [own, "--line", "x y"]
    assert shlex.split(parse) == [
        "clickstream", "parse", f"{tmp_path}/a b.log", "--format", "access", "--log-format", own,
    ]  # fmt: skip
    assert again == "clickstream replay web --rejects"


@pytest.mark.parametrize(
    ("source_format", "more", "named"),
    [
        ("cloudfront_rt", {"fields": ("timestamp", "c-ip")}, "`format` or `fields`"),
        (
            "json_mapping",
            {"mapping": (("event_time", "at"), ("extra.x", "it's")), "time_unit": "ms"},
            "`format` or `mapping` or `time_unit`",
        ),
        ("cloudfront_v2", {"fields": ("date", "time"), "delimiter": ";"}, "`fields`"),
        ("access", {"timezone": "Europe/Berlin"}, "`format` or `log_format`"),
    ],
)
def test_commands_have_the_settings_without_which_no_line_is_read(
    source_format: str,
    more: dict[str, Any],
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "a.log"
    file.write_text('{"at": "never"}\n')
    remedy = mended(b'{"at": "never"}', source_format=source_format, file=file, **more)
    assert named in remedy.advice
    for command in remedy.commands[:-1]:
        assert cli.run(shlex.split(command)[1:]) == 0
        assert '"status"' in capsys.readouterr().out


def test_another_format_is_proposed_without_the_settings_that_it_does_not_read() -> None:
    remedy = mended(LINE.encode(), source_format="shop", log_format="$remote_addr x")
    assert 'set format = "access" without `log_format` for source web' in remedy.advice
    assert remedy.commands[0].startswith("clickstream formats explain '$remote_addr x' --line ")


def test_json_of_an_own_kind_leads_to_a_mapping() -> None:
    assert "`mapping`" in mended(b'{"a": 1}', source_format="jsonl").advice


@pytest.mark.parametrize("reason", SHAPES)
def test_a_damaged_line_is_repaired_in_its_file(reason: str) -> None:
    remedy = mended(b"{", reason)
    assert "repair the file" in remedy.advice
    assert remedy.commands == ("clickstream replay web --key 'a b.log'",)


def test_a_record_of_a_sibling_log_needs_a_source() -> None:
    assert "a source of its own" in mended(b"x", "wrong_log_type").advice


def test_a_long_line_needs_a_higher_limit() -> None:
    remedy = mended(b"x" * 9, "line_too_long", is_cut=True, longest=70_000, max_line_bytes=1024)
    assert remedy.advice == "set max_line_bytes = 70000 or more for source web"
    assert remedy.commands == ("clickstream replay web --rejects",)


def test_a_line_beyond_every_limit_has_no_command() -> None:
    remedy = mended(b"x", "line_too_long", is_cut=True, longest=MAX_LINE_BYTES + 1)
    assert "no source may allow more than 67,108,864" in remedy.advice
    assert remedy.commands == ()


def test_settings_that_no_run_would_take_do_not_stop_it() -> None:
    assert mended(b"x", source_format="no-such-format").commands


def test_an_object_without_a_format_leads_to_a_guess() -> None:
    source = Source(name="web", uri="/logs")
    here = mend_object("unknown_format", Path("/logs/a b.log"), source)
    assert here.advice.startswith("no format is recognised")
    assert here.commands == (
        "clickstream formats explain --guess '/logs/a b.log'",
        "clickstream parse '/logs/a b.log' --format auto",
        "clickstream replay web --rejects",
    )
    assert mend_object("unknown_format", None, source).commands == here.commands[2:]
    assert "upload it again" in mend_object("corrupt_gzip", None, source).advice
    assert "no longer in clickstream.toml" in mend_object("corrupt_gzip", None, None).advice
