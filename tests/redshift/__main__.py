"""Run the stand-in until Ctrl-C, to try the product on it: `PYTHONPATH=tests python -m redshift`.

Prints what has to be exported for it. Without AWS_ENDPOINT_URL_S3 an S3 server is started too.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import click

from redshift.server import HOST, run_redshift

_DATABASE = "clickstream"
_S3_ACCESS = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "Not-a-secret-2",
    "AWS_DEFAULT_REGION": "eu-central-1",
}
_BUCKET = "clickstream-try"


@click.command()
@click.option("--port", default=5439, show_default=True, help="Port of Redshift; 0 for a free one.")
def main(port: int) -> None:
    """Run the stand-in until Ctrl-C or SIGTERM. All that was loaded is gone then."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with _s3() as environ, run_redshift(boto3.client("s3"), port=port) as running:
        running.create_database(_DATABASE)
        environ |= {"CLICKSTREAM_TARGET": "redshift", **running.environ(_DATABASE)}
        for name, value in environ.items():
            click.echo(f"export {name}={value}")
        click.echo(f"# Ctrl-C or kill {os.getpid()} ends it and deletes what was loaded.")
        over.wait()


@contextmanager
def _s3() -> Iterator[dict[str, str]]:
    """Yield what has to be exported for S3: nothing where it is there already."""
    if os.environ.get("AWS_ENDPOINT_URL_S3"):
        yield {}
        return
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request otherwise
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    environ = {**_S3_ACCESS, "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{port}"}
    os.environ.update(environ)
    region = {"LocationConstraint": _S3_ACCESS["AWS_DEFAULT_REGION"]}
    boto3.client("s3").create_bucket(Bucket=_BUCKET, CreateBucketConfiguration=region)
    try:
        yield {**environ, "CLICKSTREAM_LAKE": f"s3://{_BUCKET}/lake"}
    finally:
        server.stop()


if __name__ == "__main__":
    main()
