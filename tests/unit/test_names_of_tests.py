"""Names that must be there, or must be there once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from ingest.parse.registry import names

ROOT = Path(__file__).resolve().parents[2]


def test_no_two_test_modules_have_one_name() -> None:
    """pytest refuses the second, in any folder."""
    found = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in found.items() if times > 1] == []


def test_the_readme_lists_each_format_once() -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Formats\n")[2].partition("\n## ")[0]
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    listed = re.findall(r"`([^`]+)`", " ".join(first_cells))
    assert sorted(listed) == sorted(set(names()) - {"auto"})
