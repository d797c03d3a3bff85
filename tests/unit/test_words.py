"""Words that the glossary or plain English replaced stay out of code, messages and docs."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
# These name the banned words in order to ban them.
LEFT_OUT = {"docs/glossary.md", "tests/unit/test_words.py"}


class Banned(NamedTuple):
    """A pattern of whole words, a text that it finds, and what to write instead.

    Case is ignored except inside `(?-i:...)`. A space is any white space or underscores, and a word
    ends at an underscore too, so that names are found as well.
    """

    pattern: str
    example: str
    better: str


COUNTED = "batches|lines|documents|events|files|rows|objects|records|retries|rejects"
BANNED = (
    # Concepts.
    Banned(r"obvious", "the obvious parser", "reference parser, or no adjective"),
    Banned(r"plain (parser|path)", "the plain path", "fast path"),
    Banned(r"(local|search) engines?", "test_the_local_engine_starts", "search server"),
    Banned(r"heirs?", "the heir of a batch", "successor"),
    Banned(r"bury|buries|buried|burying", "def bury(self)", "keep as a dead letter"),
    Banned(r"held batch(es)?|batch(es)? (is|are|was|were) held", "_held_batches", "quarantined"),
    Banned(r"(?-i:class Few|Few(?=[\[(]))", "Few(codes, values)", "DictionaryColumn"),
    Banned(r"(?<!source[\s_])(?<!source\",\s\")freshness(?!:)", "freshness.py", "build marker"),
    Banned(r"(?-i:AGAIN|NEWER|FAULT)", "Outcome.NEWER", "RETRY, VERSION_CONFLICT, ..."),
    Banned(r"plan rows?", "one plan row", "task"),
    # Messages.
    Banned(r"lie in one another", "a and b lie in one another", "overlap"),
    Banned(r"get the right to", "get the right to it", "check its permissions"),
    Banned(r"have it writable", "have it writable", "make it writable"),
    Banned(r"speaks? of", "the metastore speaks of it", "refers to"),
    Banned(r"own words", "its own words are in LOG", "see LOG for details"),
    Banned(r"held; take", "batch 2 is held; take it with", "accept it with"),
    Banned(rf"(?<![.,])(?<!\+\s)1 ({COUNTED})", "1 lines", "count_of"),
    Banned(r"the first that will do", "8.9 is the first that will do", "or later"),
    Banned(r"is no file", "X is no file", "is not a regular file"),
    Banned(r"says no format", "says no format of a lake", "has no valid format field"),
    Banned(r"mend it with", "mend it with", "regenerate it with"),
    Banned(r"(?-i:BUT)", "1,000 BUT 999", "1,000 != 999"),
    Banned(r"(stands?|stood) in", "a fake stands in for it", "is in, replaces"),
    Banned(r"anew", "built anew", "again"),
    Banned(r"the compressing", "leave the compressing out", "turn compression off"),
    Banned(r"as they stand", "the books as they stand", "what the ledgers record"),
    Banned(r"what is no", "test_what_is_no_record", "what is not a"),
    Banned(r"talk with", "a talk with the JVM", "call"),
    # Names.
    Banned(r"\b_told\b", "_told(error)", "describe"),
    Banned(r"(?<!as[\s_])nobody(?=\()", "nobody(size)", "null_column"),
    Banned(r"import (some|end)", "import some", "first_few, exit_with"),
    Banned(r"blame", "summary.blame(error)", "add_problem"),
    Banned(r"\brows_of\b", "rows_of(session)", "run_query"),
    Banned(r"\bsettings_of\b", "settings_of(context)", "load_settings_for"),
    Banned(r"edge\.py", "cli/edge.py", "common.py"),
)
# One search for all of them: the begin of a word comes first, since few places are one.
ANY = "|".join(f"(?P<n{number}>{banned.pattern})" for number, banned in enumerate(BANNED))
BEGIN, END = r"(?<![^\W_])(?=\w)", r"(?![^\W_])"
PATTERN = re.compile(f"{BEGIN}(?:{ANY}){END}".replace(" ", r"[\s_]+"), re.IGNORECASE)
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
    assert not found, "\n" + "\n".join(found)


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
        text = f"{name}\n{content.decode()}"
    except UnicodeDecodeError:
        return []
    return sorted(
        {
            f"{name}:{text.count(chr(10), 0, hit.start())}: {hit[0]} -> {_better(hit)}"
            for hit in PATTERN.finditer(text)
        }
    )


def _better(hit: re.Match[str]) -> str:
    assert hit.lastgroup is not None
    return BANNED[int(hit.lastgroup.removeprefix("n"))].better


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
