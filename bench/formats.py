"""Formats that kernels read, each against pyarrow, and against its own reference parser."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import median

from bench import columns, layouts, objects
from bench.contenders import Contender, arrow_csv, arrow_json, clickstream, emptied
from bench.lines import Visit, write_lines
from bench.single import IDENTITY, lines_of
from ingest.parse.registry import lookup
from ingest.settings import ParseSettings

_KERNEL_LINES, _REFERENCE_LINES = 200_000, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one format: bytes a line, CPU ns a line on one core, share of lines by kernels, ratios."""

    line_bytes: float
    reference: float
    kernels: float
    by_kernels: float
    ratios: Sequence[float]


def _elb(visit: Visit, name: str) -> str:
    mixed = visit.mixed
    at = visit.at + timedelta(microseconds=mixed % 1_000_000)
    target = f"10.0.{mixed % 4}.{mixed % 200 + 1}:80"
    return (
        f"{at:%Y-%m-%dT%H:%M:%S.%fZ} {name} {visit.client}:{mixed % 60_000 + 1024} {target} "
        f"0.00{mixed % 10} 0.{mixed % 1000:03} 0.000 {visit.status} {visit.status} "
        f'{mixed % 900 + 100} {visit.size} "GET https://shop.example:443{visit.target} HTTP/1.1" '
        f'"{visit.agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2'
    )


def alb(visit: Visit) -> str:
    """Return the line of `visit` at an application load balancer, of 30 fields."""
    mixed = visit.mixed
    target, status = f"10.0.{mixed % 4}.{mixed % 200 + 1}:80", visit.status
    return (
        f"https {_elb(visit, 'app/shop/50dc6c495c0c9188')} "
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop/73e2d6bc24d8a067 "
        f'"Root=1-{mixed:08x}-{visit.number:024x}" "shop.example" '
        '"arn:aws:acm:eu-west-1:111122223333:certificate/12345678-1234-1234-1234-123456789012" '
        f'{mixed % 5} {visit.at:%Y-%m-%dT%H:%M:%S}.{mixed % 1_000_000:06}Z "forward" "-" "-" '
        f'"{target}" "{status}" "-" "-" TID_{mixed:08x}{visit.number:024x}\n'
    )


def clb(visit: Visit) -> str:
    """Return the line of `visit` at a classic load balancer."""
    return f"{_elb(visit, 'shop')}\n"


def s3(visit: Visit) -> str:
    """Return the line of `visit` at a bucket, of 27 fields."""
    mixed = visit.mixed
    agent = visit.agent.replace('\\"', "")
    path = visit.target.partition("?")[0]
    return (
        "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be shop-media "
        f"[{visit.at:%d/%b/%Y:%H:%M:%S} +0000] {visit.client} - {mixed:08X}{visit.number:08X} "
        f'WEBSITE.GET.OBJECT {path[1:]} "GET {visit.target} HTTP/1.1" {visit.status} - '
        f'{visit.size} {visit.size} {mixed % 300} {mixed % 90} "{visit.referrer}" "{agent}" - '
        f"{mixed:08x}{visit.number:024x}{mixed:08x}= - ECDHE-RSA-AES128-GCM-SHA256 - "
        "shop-media.s3-website.example TLSv1.2 - - eu-west-1\n"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How a visit is written, and of how many columns pyarrow.csv sees it, `delimiter` between two.

    Without columns it is an object, for pyarrow.json. `head` is before the visits. A format that is
    not read in ranges we get as two objects. Without `settings` its name is that of its format.
    """

    written: Callable[[Visit], str]
    columns: int = 0
    delimiter: str = " "
    head: str = ""
    settings: ParseSettings | None = None


FORMATS: Mapping[str, Log] = {
    "alb": Log(written=alb, columns=30),
    "clb": Log(written=clb, columns=15),
    "s3": Log(written=s3, columns=28),
    "schematic-csv": Log(
        written=columns.schematic_csv, columns=21, delimiter=",", head=columns.CSV_HEAD
    ),
    "cloudfront": Log(written=columns.cloudfront, columns=33, delimiter="\t", head=columns.V1_HEAD),
    "cloudfront_v2": Log(
        written=columns.cloudfront_v2, columns=32, delimiter="\t", head=columns.V2_HEAD
    ),
    "log_format": Log(
        written=layouts.own,
        columns=12,
        settings=ParseSettings(format="log_format", log_format=layouts.OWN),
    ),
    "combined_time_us": Log(written=layouts.combined_time_us, columns=11),
    "ingress_nginx": Log(written=layouts.ingress_nginx, columns=19),
    "apigw_clf": Log(written=layouts.apigw_clf, columns=9),
    "cloudfront_rt": Log(
        written=columns.cloudfront_rt,
        columns=len(columns.RT_FIELDS),
        delimiter="\t",
        settings=ParseSettings(format="cloudfront_rt", fields=columns.RT_FIELDS),
    ),
    "v2 as JSON": Log(
        written=columns.cloudfront_v2_json, settings=ParseSettings(format="cloudfront_v2")
    ),
    "w3c": Log(written=columns.iis, columns=15, head=columns.IIS_HEAD),
    "nginx_json": Log(written=objects.nginx_json),
    "traefik_json": Log(written=objects.traefik_json),
    "caddy_json": Log(written=objects.caddy_json),
    "docker_json": Log(written=objects.docker_json),
    "apigw_json": Log(written=objects.apigw_json),
    "waf": Log(written=objects.waf),
    "ga4": Log(written=objects.ga4),
    "segment": Log(written=objects.segment),
}


def measure(name: str, folder: Path, *, lines: int, rounds: int) -> Figures:
    """Return the figures of the format `name` for a log of so many lines, in `folder`."""
    log = FORMATS[name]
    path = folder / f"{name}.log"
    write_lines(path, lines=lines, written=log.written, head=log.head)
    settings = log.settings or ParseSettings(format=name)
    slow = replace(settings, fast=False)
    reference, _ = _cpu(path, slow, lines=_REFERENCE_LINES)
    kernels, by_kernels = min(_cpu(path, settings, lines=_KERNEL_LINES) for _ in range(5))
    return Figures(
        line_bytes=path.stat().st_size / lines,
        reference=reference,
        kernels=kernels,
        by_kernels=by_kernels,
        ratios=_ratios(path, settings, log, lines=lines, rounds=rounds),
    )


def _cpu(path: Path, settings: ParseSettings, *, lines: int) -> tuple[float, float]:
    """Return the CPU ns a line, and the share of lines that kernels took."""
    with path.open("rb") as file:
        some = lines_of([line.rstrip(b"\n") for line in islice(file, lines)])
    parser = lookup(settings.format).open(IDENTITY, settings)
    started = time.process_time()
    parsed = parser.parse(some)
    seconds = time.process_time() - started
    return seconds / some.starts.size * 1e9, parsed.table.num_rows / some.starts.size


def _ratios(
    path: Path, settings: ParseSettings, log: Log, *, lines: int, rounds: int
) -> list[float]:
    """Return our wall time over that of pyarrow, both to Parquet on two cores, per round."""
    in_ranges = lookup(settings.format).splittable
    with ExitStack() as stack:
        ours = stack.enter_context(clickstream(settings, in_ranges=in_ranges))
        theirs = stack.enter_context(_arrow(log))
        out = path.parent / "out"
        where = path if in_ranges else _in_objects(path, log.head)
        for warmed, of in ((ours, where), (theirs, path)):
            warmed(of, emptied(out))
        return [
            _seconds(ours, where, out, lines) / _seconds(theirs, path, out, lines)
            for _ in range(rounds)
        ]


def _arrow(log: Log) -> AbstractContextManager[Contender]:
    if not log.columns:
        return arrow_json()
    names = [f"field_{number}" for number in range(log.columns)]
    return arrow_csv(names, all_text=True, delimiter=log.delimiter, skip=log.head.count("\n"))


def _in_objects(path: Path, head: str) -> Path:
    """Return a folder with the log `path` in two objects, both below `head`."""
    folder = emptied(path.parent / "objects")
    data = path.read_bytes()
    middle = data.index(b"\n", len(data) // 2) + 1
    (folder / "1").write_bytes(data[:middle])
    (folder / "2").write_bytes(head.encode() + data[middle:])
    return folder


def _seconds(contender: Contender, path: Path, out: Path, lines: int) -> float:
    emptied(out)
    started = time.perf_counter()
    rows = contender(path, out)
    assert rows == lines
    return time.perf_counter() - started


def described(name: str, figures: Figures) -> str:
    """Return `figures` as a line of a table."""
    return (
        f"{name:17}{figures.line_bytes:8.0f}{figures.reference:12,.0f}{figures.kernels:10,.0f}"
        f"{figures.by_kernels:10.4f}{median(figures.ratios):9.2f}"
        f"{min(figures.ratios):7.2f}{max(figures.ratios):7.2f}"
    )


HEADING = (
    f"{'format':17}{'bytes':>8}{'reference':>12}{'kernels':>10}{'share':>10}"
    f"{'/ arrow':>9}{'min':>7}{'max':>7}   ns of CPU a line and core; wall time, median"
)
