"""`ok` means that every byte was placed: each word of such a line is found again in its event."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fixtures.outcome import ACCESS
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parse.formats.access import parse_line
from ingest.parse.verdict import Event

TIME = "[03/Mar/2024:07:08:09 +0000]"
# No word is part of another, so that each that is lost is missed.
BEFORE = (
    "192.0.2.11", "2001:db8::12", "gw.first.example", "www.second.example:8013", "third", "-",
    "(10.0.0.14)", "[10.0.0.15]", "10.0.0.16,", "->", "nginx[17]:", '"10.0.0.18, 10.0.0.19"',
    "Mar  3 07:08:21 relay", "access.log:", "shop |", "[03/Mar/2024:07:08:22 +0000]",
)  # fmt: skip
BETWEEN = ("0.31", "rt=0.32", 'uct="0.33, 0.34"', "fourth.example", "HIT", '"sixth.example"', "-")
FIELDS = (
    '"-"', '"https://seventh.example/x"', '"eighth.example"', '"Mozilla/5.41 (X42)"', '"agent43"',
    '"10.0.0.44"', '"a45=b46; c47=d48"', '"ninth"', "10.0.0.49, 10.0.0.50", "0.51", "52",
    'X-Forwarded-For="10.0.0.53"', '"cut54',
)  # fmt: skip


def words(options: Sequence[str], least: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(options), min_size=least, max_size=5).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(words(BEFORE, 1), words(BETWEEN, 0), words(FIELDS, 0))
def test_no_word_is_lost(before: str, between: str, fields: str) -> None:
    around = f"{before} {between} {fields}"
    line = f'{before} {TIME} "GET /page HTTP/1.1" 200 5 {between} {fields}'
    verdict = parse_line(line.encode(), ACCESS)
    if not isinstance(verdict, Event):
        return
    note("ok" if not verdict.warnings else "warn")
    # What was read of a line that breaks off is kept, not what follows a quote within its text.
    if "unterminated_quote" in verdict.warnings and "cut54" in fields[:-5]:
        return
    told = " ".join(map(str, [*verdict.values.values(), *verdict.extra.values()]))
    told += " " + " ".join(verdict.extra)
    sent = re.findall(r"[0-9A-Za-z.]{2,}", around.replace("X-Forwarded-For", ""))
    assert [word for word in sent if word.strip(".") not in told] == []
