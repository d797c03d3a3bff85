"""`python -m ingest.cli`: the same as `clickstream`."""

from ingest.cli import main

main()
