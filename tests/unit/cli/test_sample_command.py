"""`clickstream sample` says what a source needs whose format content does not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest import cli
from ingest.parse.registry import check_settings
from ingest.sample.kinds import KINDS
from ingest.settings import load_settings

NAMED = sorted(name for name, kind in KINDS.items() if kind.found_as is None)


@pytest.mark.parametrize("name", NAMED)
def test_what_a_source_has_to_say_is_its_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert cli.run(["sample", str(tmp_path), "--lines", "500", "--format", name]) == 0
    said = capsys.readouterr().out.partition(f"a source for {name} needs:\n")[2]
    source = f'[[sources]]\nname = "mine"\nuri = "raw"\n{said}'
    (tmp_path / "clickstream.toml").write_text(source, encoding="utf-8")

    (read,) = load_settings({}, root=tmp_path).sources

    check_settings(read.parse)
    expected = {key: getattr(read.parse, key) for key in KINDS[name].settings}
    assert expected == KINDS[name].settings


def test_what_content_shows_needs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sample", str(tmp_path), "--lines", "500", "--format", "alb"]) == 0
    assert "a source for" not in capsys.readouterr().out
