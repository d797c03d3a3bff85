"""Runs that are killed in each hop while logs grow and rotate: each line once, in the end.

`make soak-kill` runs it with 100 kills; pytest does not collect it by itself.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest
from fixtures.product import ROOT, Index, Product
from support.rotation import Compression, Rotation, Server

HOPS = ("ingest", "load", "dbt", "export")
KILLS = int(os.environ.get("SOAK_KILLS", "12"))
LINES = 400
DEADLINE_SECONDS = 300
COUNTS = (
    "select count(*), count(distinct event_id), count(distinct url_path) from landing.events"
    " where batch_id in (select batch_id from landing.batches where state = 'live')"
)
MARTS = "select sum(total_events) from number_of_events_per_http_response"


@pytest.mark.e2e
def test_runs_killed_in_each_hop(tmp_path: Path, search_url: str) -> None:
    seed = random.getrandbits(32)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    raw = tmp_path / "raw"
    raw.mkdir()
    server = Server(raw)
    product = Product(data=tmp_path, environ={"ES_URL": search_url, "ES_INDEX": "killed"})
    written = 0
    for turn in range(KILLS):
        for _ in range(2):
            server.append("access.log", LINES)
            written += LINES
            how, compression = chance.choice(list(Rotation)), chance.choice(list(Compression))
            if how is not Rotation.NOCREATE:
                server.rotate("access.log", how, compression=compression)
        kill_in(HOPS[turn % len(HOPS)], product, after=chance.uniform(0, 2.5))

    run = product.json("run")
    again = product.json("run")

    assert (run["problems"], again["problems"]) == ([], [])
    assert again["ingest"]["sealed"] == []
    (((events, ids, urls),), ((counted,),)) = product.sql(COUNTS, MARTS)
    assert (events, ids, urls, counted) == (written, written, written, written)
    assert Index(url=search_url, name="killed").count() == written


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
