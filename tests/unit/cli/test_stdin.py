"""Logs from standard input: read in `parse -`, kept as an object for `run --raw -`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from fixtures.packs import PACKS, Pack

from ingest import cli
from ingest.cli.common import load_settings_for
from ingest.errors import SettingsError

LINE = b'192.0.2.1 - - [03/Mar/2024:07:08:09 +0000] "GET /a HTTP/1.1" 200 5 "-" "x"\n'


class _Stdin(io.TextIOWrapper):
    def __init__(self, content: bytes, *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content))
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize("pack", [bytes, *PACKS.values()], ids=["plain", *PACKS])
def test_parse_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    pack: Pack,
) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(pack(LINE * 2)))
    assert cli.run(["parse", "-"]) == 0
    streams = capfdbinary.readouterr()
    assert [json.loads(row)["offset"] for row in streams.out.splitlines()] == [0, len(LINE)]
    assert streams.err == b""


def test_errors_of_standard_input_do_not_name_the_file_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(b"\x00\x01\x02 no log\n"))
    assert cli.run(["parse", "-"]) == 1
    assert capfd.readouterr().err.startswith("error: standard input is refused as a whole (")


def test_the_same_input_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    packed = {kind: pack(LINE) for kind, pack in PACKS.items()}
    for content in (LINE, LINE, LINE * 2, *packed.values(), b""):
        monkeypatch.setattr(sys, "stdin", _Stdin(content))
        (source,) = load_settings_for(None, "-").sources
        assert (source.name, source.uri) == ("raw", str(tmp_path / "stdin"))
    kept = {path.read_bytes(): path.suffix for path in (tmp_path / "stdin").iterdir()}
    assert set(kept) == {LINE, LINE * 2, *packed.values(), b""}
    assert kept[LINE] == ".log"
    suffixes = {kind: kept[content] for kind, content in packed.items()}
    assert suffixes == {"gzip": ".gz", "bzip2": ".bz2", "zstd": ".zst"}
    assert [path.name for path in tmp_path.iterdir()] == ["stdin"]


def test_a_place_replaces_the_sources(tmp_path: Path) -> None:
    (source,) = load_settings_for(None, str(tmp_path)).sources
    assert source.uri == str(tmp_path)


def test_an_input_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setenv("CLICKSTREAM_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Broken()))
    with pytest.raises(KeyboardInterrupt):
        load_settings_for(None, "-")
    assert list(tmp_path.rglob("*stdin*")) == [tmp_path / "stdin"]


def test_a_place_without_a_name_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["run", "--raw", " "]) == 2
    assert "name a folder, a file or a pattern, or -" in capsys.readouterr().err


def test_a_terminal_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(b"", is_terminal=True))
    with pytest.raises(SettingsError, match="pipe a log into it"):
        load_settings_for(None, "-")
    assert cli.run(["parse", "-"]) == 2


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete"), ("zsh", "compdef"), ("fish", "--command clickstream")]
)
def test_each_shell_gets_its_completion(
    shell: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert word in text
    assert "_CLICKSTREAM_COMPLETE" in text
