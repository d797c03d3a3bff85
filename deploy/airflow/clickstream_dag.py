"""All hops as an Airflow DAG: ingest -> load -> dbt -> report -> export -> quarantine.

A failed ingest, be it for one object that cannot be read, keeps the rest back. A quarantined batch
does not: all other batches go through, and then the run fails.

The workers need a clone with its .venv (`make setup`) in CLICKSTREAM_HOME, and the settings that
every command reads, in the environment of Airflow, and the rights of runner-policy.json and
submitter-policy.json in deploy/iam. Needs apache-airflow-providers-standard, which Airflow 3 brings
and Airflow 2.9 and later can install. Airflow itself never ran it, nor did a real AWS account.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

HOME = os.environ.get("CLICKSTREAM_HOME", "/srv/clickstream")
# Each try gets its own job: the token of a failed one would only find that job again.
SUBMISSION = "{{ run_id | replace(':', '') | replace('+', '') }}-{{ ti.try_number }}"
COMMANDS = {
    "ingest": f'deploy/ingest-on-emr "{SUBMISSION}"',
    # Ends with 3 while a batch is quarantined, when all others are loaded.
    "load": "clickstream load || [ $? -eq 3 ]",
    "dbt": "dbt build",
    "report": "clickstream report",
    # Ends with 3 for a quarantined batch as well, so nothing but the last task comes after it.
    "export": "clickstream export",
    # There is nothing to load by now: this says whether a batch is quarantined, search on or off.
    "quarantine": "clickstream load",
}

with DAG(
    dag_id="clickstream",
    description="Raw web logs to lake, marts, index and report",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    # A run reads whatever is new, so there is nothing to catch up with.
    catchup=False,
    # dbt must not run twice at once on one schema.
    max_active_runs=1,
    # Each command may run again at any time; a second try is the remedy for most failures.
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
) as dag:
    before = None
    for name, command in COMMANDS.items():
        task = BashOperator(
            task_id=name,
            bash_command=f'cd {HOME} && export PATH="$PWD/.venv/bin:$PATH" && {command}',
        )
        if before is not None:
            before >> task
        before = task
