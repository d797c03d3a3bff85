"""`clickstream clean` and what `status` says of it, after an ingest that was killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.memory_lake import Site, log_of, pages, paths_in

from ingest import cli
from ingest.storage import open_storage


def test_the_command_removes_what_a_killed_ingest_left(
    folder_site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, key = folder_site, "events/batch_id=b1/part=00000-old/events.parquet"
    site.put("a.log", 3)
    site.ingest()
    lake = open_storage(site.settings.lake)
    lake.put(key, b"xyz")
    os.utime(Path(site.settings.lake) / key, (0, 0))
    monkeypatch.setattr("ingest.cli.books.load_settings_for", lambda _target: site.settings)
    assert cli.run(["status"]) == 0
    assert "1 file (3 bytes) that no batch names in the lake" in capsys.readouterr().out
    assert cli.run(["clean", "--dry-run"]) == 0
    assert capsys.readouterr().out == "would remove 1 file (3 bytes) that no batch names\n"
    assert key in {one.key for one in lake.list()}
    assert cli.run(["clean"]) == 0
    assert capsys.readouterr().out == "removed 1 file (3 bytes) that no batch names\n"
    assert key not in {one.key for one in lake.list()}
    assert cli.run(["status"]) == 0
    assert "no batch names" not in capsys.readouterr().out
    assert len(log_of(site.settings)) == 1
    assert paths_in(site.settings) == pages("a.log", 0, 3)
