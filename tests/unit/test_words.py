"""Words that the glossary or plain English replaced stay out of code, messages and docs."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
# These name the banned words in order to ban them.
LEFT_OUT = {"docs/glossary.md", "tests/unit/test_words.py"}


class Banned(NamedTuple):
    """A pattern, a text that it finds, and what to write instead.

    Case is ignored, but inside `(?-i:...)`. Each line is searched as it is, and once more with
    blanks for underscores, so that names are found too.
    """

    pattern: str
    example: str
    better: str


COUNTED = "batches|lines|documents|events|files|rows|objects|records|retries|rejects"
BANNED = (
    # Concepts.
    Banned(r"\bobvious\b", "the obvious parser", "reference parser, or no adjective"),
    Banned(r"\bplain (parser|path)\b", "the plain path", "fast path"),
    Banned(r"\b(local|search) engine\b", "test_the_local_engine_starts", "search server"),
    Banned(r"\bheirs?\b", "the heir of a batch", "successor"),
    Banned(r"\b(bury|buries|buried|burying)\b", "def bury(self)", "keep as a dead letter"),
    Banned(r"\bheld batch|\bbatch(es)? (is|are|was|were) held\b", "_held_batches", "quarantined"),
    Banned(r"(?-i:class Few\b|\bFew[(\[])", "Few(codes, values)", "DictionaryColumn"),
    Banned(r"(?<!source )\bfreshness\b", "freshness.py", "build marker"),
    Banned(r"(?-i:\b(AGAIN|NEWER|FAULT)\b)", "Verdict.NEWER", "RETRY, VERSION_CONFLICT, ..."),
    Banned(r"\bplan rows?\b", "one plan row", "task"),
    # Messages.
    Banned(r"\blie in one another\b", "a and b lie in one another", "overlap"),
    Banned(r"\bget the right to\b", "get the right to it", "check its permissions"),
    Banned(r"\bhave it writable\b", "have it writable", "make it writable"),
    Banned(r"\bspeaks? of\b", "the metastore speaks of it", "refers to"),
    Banned(r"\bown words\b", "its own words are in LOG", "see LOG for details"),
    Banned(r"\bheld; take\b", "batch 2 is held; take it with", "accept it with"),
    Banned(rf"(?<![\d.,])(?<!\+ )1 ({COUNTED})\b", "1 lines", "count_of"),
    Banned(r"\bthe first that will do\b", "8.9 is the first that will do", "or later"),
    Banned(r"\bis no file\b", "X is no file", "is not a regular file"),
    Banned(r"\bsays no format\b", "says no format of a lake", "has no valid format field"),
    Banned(r"\bmend it with\b", "mend it with", "regenerate it with"),
    Banned(r"(?-i:\bBUT\b)", "1,000 BUT 999", "1,000 != 999"),
    Banned(r"\b(stands?|stood) in\b", "a fake stands in for it", "is in, replaces"),
    Banned(r"\banew\b", "built anew", "again"),
    Banned(r"\bthe compressing\b", "leave the compressing out", "turn compression off"),
    Banned(r"\bas they stand\b", "the books as they stand", "what the ledgers record"),
    Banned(r"\bwhat is no\b", "test_what_is_no_record", "what is not a"),
    Banned(r"\btalk with\b", "a talk with the JVM", "call"),
    # Names.
    Banned(r"\b_told\b", "_told(error)", "describe"),
    Banned(r"(?<!as )\bnobody\(", "nobody(size)", "null_column"),
    Banned(r"\b(def|import) (some|end)\b", "import some", "first_few, exit_with"),
    Banned(r"\bblame\b", "summary.blame(error)", "add_problem"),
    Banned(r"\brows_of\b", "rows_of(session)", "run_query"),
    Banned(r"\bsettings_of\b", "settings_of(context)", "load_settings_for"),
    Banned(r"\bedge\.py\b", "cli/edge.py", "common.py"),
)
PATTERNS = {re.compile(banned.pattern, re.IGNORECASE): banned.better for banned in BANNED}
# What an error may begin with besides a lower-case word: a program or a setting.
NAME = re.compile(r"(Elasticsearch|Spark) |[A-Z0-9]+_[A-Z0-9_]+\b")


def test_banned_phrases_are_nowhere() -> None:
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    found = [
        hit
        for name in names
        if name and name not in LEFT_OUT and (ROOT / name).is_file()
        for hit in _hits_in(name, (ROOT / name).read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize("banned", BANNED, ids=lambda banned: banned.pattern)
def test_a_banned_phrase_is_found(banned: Banned) -> None:
    text = f"fine\nalso fine: {banned.example}.\n"
    assert any(
        hit.startswith("a.py:2: ") and hit.endswith(f" -> {banned.better}")
        for hit in _hits_in("a.py", text.encode())
    )
    assert _hits_in(f"docs/{banned.example}", b"fine")


def test_good_text_and_binary_files_have_no_hits() -> None:
    text = "1 line, 11 lines, 2 + 1 lines; but it stands for a search server: _as_nobody(held)\n"
    assert _hits_in("a.py", text.encode()) == []
    assert _hits_in("a.gz", b"anew \xff") == []


def test_errors_are_sentences_without_a_final_stop() -> None:
    paths = sorted((ROOT / "ingest").rglob("*.py"))
    assert [hit for path in paths for hit in _bad_errors(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("'no lake at a: run ingest first'", 0),
        ("f'{path}: gone'", 0),
        ("'Elasticsearch does not start'", 0),
        ("'ES_URL is not an address'", 0),
        ("f'Cannot read {path}'", 1),
        ("f'{path} is gone.'", 1),
        ("'Read it. ' f'Then {what}.'", 2),
    ],
)
def test_a_bad_error_is_found(text: str, hits: int) -> None:
    assert len(_bad_errors(f"def run():\n    raise StorageError({text}) from None\n")) == hits


def _hits_in(name: str, content: bytes) -> list[str]:
    """Return each hit as `name:line: phrase -> better`; line 0 is the name itself."""
    try:
        lines = [name, *content.decode().splitlines()]
    except UnicodeDecodeError:
        return []
    return [
        f"{name}:{number}: {phrase} -> {better}"
        for number, line in enumerate(lines)
        for phrase, better in _phrases(line)
    ]


def _phrases(line: str) -> Iterator[tuple[str, str]]:
    for pattern, better in PATTERNS.items():
        if match := pattern.search(line) or pattern.search(line.replace("_", " ")):
            yield match[0], better


def _bad_errors(source: str) -> list[str]:
    """Return what is wrong at the begin or the end of the messages that `source` raises."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            message = node.exc.args[0]
            parts = message.values if isinstance(message, ast.JoinedStr) else [message]
            first, last = (_literal(part) for part in (parts[0], parts[-1]))
            if first[:1].isupper() and not NAME.match(first):
                found.append(first)
            if last.endswith("."):
                found.append(last)
    return found


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""
