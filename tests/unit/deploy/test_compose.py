"""What the compose file promises; Docker itself was never asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ingest.local_search.fetch import ELASTICSEARCH

ROOT = Path(__file__).resolve().parents[3]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]


def test_all_images_are_official_ones_of_the_tested_version() -> None:
    images = {service["image"] for service in SERVICES.values()}
    version = ELASTICSEARCH.version
    assert images == {f"elasticsearch:{version}", f"kibana:{version}"}


def test_security_is_on_and_passwords_are_given() -> None:
    environ = SERVICES["elasticsearch"]["environment"]
    assert environ["xpack.security.enabled"] == "true"
    assert environ["ELASTIC_PASSWORD"].startswith("${ELASTIC_PASSWORD:?")
    assert SERVICES["kibana"]["environment"]["ELASTICSEARCH_USERNAME"] == "kibana_system"
    passwords = [
        value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if "PASSWORD" in name
    ]
    assert all(value.startswith("${") for value in passwords)


def test_only_this_machine_reaches_them() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_each_waits_for_what_it_needs() -> None:
    assert SERVICES["kibana-password"]["depends_on"]["elasticsearch"] == {
        "condition": "service_healthy"
    }
    assert SERVICES["kibana"]["depends_on"]["kibana-password"] == {
        "condition": "service_completed_successfully"
    }
