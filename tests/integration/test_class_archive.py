"""Spark starts from the classes that `make setup` stored."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest


@pytest.mark.usefixtures("spark")
def test_java_uses_the_stored_classes() -> None:
    """Java would say nothing if it ignored them."""
    mapped = {
        os.path.realpath(part.path)
        for java in psutil.Process().children(recursive=True)
        if java.name() == "java"
        for part in java.memory_maps()
    }
    assert os.path.realpath(Path(sys.prefix) / "spark.jsa") in mapped
