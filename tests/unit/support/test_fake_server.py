"""The fake server does to its folder what its story says."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from support.log_lines import line_time, log_line, split_lines
from support.rotation import START, Compression, Rotation, Server

LOG = "access.log"


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def _folder(server: Server) -> dict[str, list[int]]:
    """Return the numbers of the lines that each file holds, as they lie on the disk."""
    root = server.files.path
    found = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        key = path.relative_to(root).as_posix()
        stored = path.read_bytes()
        content = gzip.decompress(stored) if key.endswith(".gz") else stored
        assert content == server.files[key].content
        assert path.stat().st_mtime == server.files[key].changed_at.timestamp()
        found[key] = [int(line.split(" 200 ")[1].split(" ")[0]) for line in split_lines(content)]
    assert sorted(found) == [*server.files]
    return found


# --- lines


def test_a_line_is_in_the_combined_format() -> None:
    at = START + timedelta(hours=1)
    assert log_line(7, at, pad=2) == (
        '203.0.113.7 - - [01/May/2024:01:00:00 +0000] "GET /n7?p=xx HTTP/1.1" 200 7 "-" "fake/1"'
    )
    assert log_line(7, at, edited=True).count("/e7?") == 1


def test_only_a_whole_line_has_a_time() -> None:
    line = log_line(7, START)
    assert line_time(line) == START
    assert line_time(line[:-1]) is None
    assert line_time(line[1:]) == START  # its client is a text of any length
    assert line_time(line[20:]) is None


# --- the server


def test_lines_are_written_one_a_second(server: Server) -> None:
    server.append(LOG, 2)
    assert server.append(LOG, pad=3) == "01 00:00:03 append lines 3 to 3 to access.log"
    assert _folder(server) == {LOG: [1, 2, 3]}
    lines = server.files[LOG].content.decode().splitlines()
    assert [line_time(line) for line in lines] == [START + timedelta(seconds=n) for n in (1, 2, 3)]


@pytest.mark.parametrize("cut", [0, 11])
def test_a_half_line_gets_its_end_wherever_its_file_is(server: Server, cut: int) -> None:
    server.append(LOG, 2)
    server.append_half(LOG, cut=cut)
    half = split_lines(server.files[LOG].content)[-1]
    assert half.index("[") == len(half) - 1 - cut
    server.rotate(LOG, Rotation.CREATE)
    server.finish_half(LOG)
    server.append(LOG)
    assert _folder(server) == {LOG: [4], f"{LOG}.1": [1, 2, 3]}
    assert not server.has_half(LOG)


def test_numbers_go_up(server: Server) -> None:
    for _ in range(3):
        server.append(LOG)
        server.rotate(LOG, Rotation.NOCREATE)
    assert _folder(server) == {f"{LOG}.1": [3], f"{LOG}.2": [2], f"{LOG}.3": [1]}
    assert server.rotated(LOG) == [f"{LOG}.3", f"{LOG}.2", f"{LOG}.1"]


def test_a_date_names_one_rotation_a_day(server: Server) -> None:
    for day in (1, 2):
        server.append(LOG)
        assert server.can_date(LOG)
        server.rotate(LOG, dated=True, compression=Compression.NOW)
        assert not server.can_date(LOG)
        assert server.story[-1][12:] == (
            f"rotate access.log to access.log-2024050{day} (create; compress)"
        )
        server.wait(24 * 60)
    assert _folder(server) == {
        LOG: [], f"{LOG}-20240501.gz": [1], f"{LOG}-20240502.gz": [2]
    }  # fmt: skip
    assert server.rotated(LOG) == [f"{LOG}-20240501.gz", f"{LOG}-20240502.gz"]


def test_compression_can_wait_for_the_next_rotation(server: Server) -> None:
    for _ in range(3):
        server.append(LOG)
        server.rotate(LOG, compression=Compression.DELAYED)
    assert _folder(server) == {LOG: [], f"{LOG}.1": [3], f"{LOG}.2.gz": [2], f"{LOG}.3.gz": [1]}


def test_compression_keeps_the_time(server: Server) -> None:
    server.append(LOG)
    server.rotate(LOG)
    written_at = server.files[f"{LOG}.1"].changed_at
    server.compress(f"{LOG}.1")
    assert server.files[f"{LOG}.1.gz"].changed_at == written_at < server.now
    assert _folder(server)[f"{LOG}.1.gz"] == [1]


def test_a_writer_that_does_not_reopen_goes_on_in_the_renamed_file(server: Server) -> None:
    server.append(LOG)
    server.rotate(LOG, reopen=False)
    server.append(LOG)
    assert _folder(server) == {LOG: [], f"{LOG}.1": [1, 2]}
    server.reopen(LOG)
    server.append(LOG)
    assert _folder(server) == {LOG: [3], f"{LOG}.1": [1, 2]}


def test_copytruncate_goes_on_in_the_same_file(server: Server) -> None:
    server.append(LOG, 2)
    server.rotate(LOG, Rotation.COPYTRUNCATE)
    server.append(LOG)
    assert _folder(server) == {LOG: [3], f"{LOG}.1": [1, 2]}
    assert b"\0" not in server.files[LOG].content


def test_a_writer_that_keeps_its_offset_leaves_a_hole(server: Server) -> None:
    server.append(LOG, 2)
    size = len(server.files[LOG].content)
    server.rotate(LOG, Rotation.COPYTRUNCATE_HOLE)
    server.truncate(LOG, hole=True)
    server.append(LOG)
    assert _folder(server) == {LOG: [3], f"{LOG}.1": [1, 2]}
    assert server.files[LOG].content.startswith(b"\0" * size + b"203.")


def test_what_an_administrator_does(server: Server) -> None:
    server.append(LOG, 2)
    server.rotate(LOG)
    story = [
        server.copy(f"{LOG}.1"),
        server.copy(f"{LOG}.1", compressed=True),
        server.rename(f"{LOG}.1", f"old/{LOG}.1"),
        server.touch(f"old/{LOG}.1"),
        server.delete(LOG),
    ]
    assert [line[3:] for line in story] == [
        "00:00:04 cp access.log.1 BACKUP/access.log.1",
        "00:00:05 gzip -k access.log.1",
        "00:00:06 mv access.log.1 old/access.log.1",
        "00:00:07 touch old/access.log.1",
        "00:00:08 rm access.log",
    ]
    assert server.story[-5:] == story
    assert _folder(server) == {
        f"BACKUP/{LOG}.1": [1, 2], f"{LOG}.1.gz": [1, 2], f"old/{LOG}.1": [1, 2]
    }  # fmt: skip


def test_an_edit_changes_one_byte_of_one_line(server: Server) -> None:
    server.append(LOG, 3)
    before = server.files[LOG].content
    server.edit(LOG, 1)
    after = server.files[LOG].content
    assert [at for at in range(len(before)) if before[at] != after[at]] == [
        before.index(b"/n2") + 1
    ]
    assert _folder(server) == {LOG: [1, 2, 3]}
    server.restore(LOG)
    assert server.files[LOG].content == before
    assert server.files[LOG].changed_at == server.now


def test_a_replaced_file_is_another_log(server: Server) -> None:
    server.append(LOG, 2)
    log = server.files[LOG].log
    server.replace(LOG, 2, first_at=START)
    server.append(LOG)
    assert _folder(server) == {LOG: [3, 4, 5]}
    assert server.files[LOG].log != log
    assert line_time(split_lines(server.files[LOG].content)[1]) == START + timedelta(seconds=1)
