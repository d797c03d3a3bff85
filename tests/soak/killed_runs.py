"""Runs that are killed in each hop while logs grow and rotate: each line once, in the end.

What is left equals what one undisturbed run makes of the same lines in a single log.

`make soak-kill` runs it with 100 kills; pytest does not collect it by itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from fixtures.product import ROOT, Product
from support.rotation import Compression, Rotation, Server

from ingest.warehouse.marts import read_marts

HOPS = ("ingest", "load", "dbt", "export")
KILLS = int(os.environ.get("SOAK_KILLS", "12"))
LINES = 400
DEADLINE_SECONDS = 300
EVENTS = (
    "select event_id, url_path from landing.events"
    " where batch_id in (select batch_id from landing.batches where state = 'live')"
)
MARTS = [f"select * from {mart.name}" for mart in read_marts(ROOT)]  # noqa: S608


@pytest.mark.e2e
def test_runs_killed_in_each_hop(tmp_path: Path, search_url: str) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    raw = tmp_path / "raw"
    raw.mkdir()
    server = Server(raw)
    product = Product(data=tmp_path, environ={"ES_URL": search_url, "ES_INDEX": "killed"})
    written: list[bytes] = []
    for turn in range(KILLS):
        for _ in range(2):
            server.append("access.log", LINES)
            written += last_lines(server)
            how, compression = chance.choice(list(Rotation)), chance.choice(list(Compression))
            if how is not Rotation.NOCREATE:
                server.rotate("access.log", how, compression=compression)
        kill_in(HOPS[turn % len(HOPS)], product, after=chance.uniform(0, 2.5))

    run = product.json("run")
    again = product.json("run")

    assert (run["problems"], again["problems"]) == ([], [])
    assert again["ingest"]["sealed"] == []
    events, *marts = product.sql(EVENTS, *MARTS)
    ids, urls = ([row[column] for row in events] for column in (0, 1))
    assert len(events) == len(set(ids)) == len(set(urls)) == len(written)
    assert sorted(ids) == sorted(indexed_ids(search_url, "killed"))
    assert [hashed(rows) for rows in marts] == undisturbed(tmp_path / "undisturbed", written)


def last_lines(server: Server) -> list[bytes]:
    """Return what was just appended, before a rotation takes it away."""
    file = server.written_file("access.log")
    assert file is not None
    return file.content.splitlines(keepends=True)[-LINES:]


def indexed_ids(url: str, index: str) -> list[str]:
    with Elasticsearch(url) as client:
        return [hit["_id"] for hit in scan(client, index=index, _source=False, size=5000)]


def undisturbed(data: Path, lines: list[bytes]) -> list[str]:
    """Return the hashes of the marts that one run makes of one log with `lines`."""
    (data / "raw").mkdir(parents=True)
    (data / "raw" / "access.log").write_bytes(b"".join(lines))
    product = Product(data=data, environ={"ES_URL": "off"})
    assert product.json("run")["problems"] == []
    return [hashed(rows) for rows in product.sql(*MARTS)]


def hashed(rows: list[list[object]]) -> str:
    """Return the hash of a table, whatever the order of its rows."""
    return hashlib.sha256("\n".join(sorted(map(json.dumps, rows))).encode()).hexdigest()


def kill_in(hop: str, product: Product, *, after: float) -> None:
    """Start a run and kill it so many seconds after `hop` began; it may be done by then."""
    command = [sys.executable, "-m", "ingest.cli", "run"]
    environ = {**os.environ, "CLICKSTREAM_DATA": str(product.data), **product.environ}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        reached = threading.Event()
        reader = threading.Thread(target=_watch, args=(process.stderr, f"{hop} ...", reached))
        reader.start()
        assert reached.wait(DEADLINE_SECONDS), f"{hop} was not reached"
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        reader.join()


def _watch(stderr: IO[str], wanted: str, reached: threading.Event) -> None:
    for line in stderr:
        if line.startswith(wanted):
            reached.set()
    reached.set()  # it ended before: nothing was new
