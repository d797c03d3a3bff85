"""RFC 4180 records, with Python's own csv module as the oracle where the two must agree."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.parse.fields.csv_records import MAX_LINE_BREAKS, Physical, RecordReader, split_record


def physical(data: bytes) -> list[Physical]:
    """Return the lines of `data` (each ended by LF or CRLF), as the cutter gives them."""
    lines, offset = [], 0
    for raw in data.split(b"\n")[:-1]:
        lines.append(Physical(offset, raw.removesuffix(b"\r")))
        offset += len(raw) + 1
    return lines


def records(data: bytes, *, max_bytes: int = 1000) -> list[tuple[int, bytes, bool]]:
    found = RecordReader(max_bytes=max_bytes).read(physical(data), final=True)
    return [(record.offset, record.raw, record.is_closed) for record in found]


def test_quoted_line_breaks() -> None:
    assert records(b'a,"b\r\nc",d\ne\n') == [(0, b'a,"b\r\nc",d', True), (11, b"e", True)]


def test_line_breaks_are_stored_as_lf() -> None:
    (record,) = RecordReader(max_bytes=99).read(physical(b'"a\r\nb\nc"\n'), final=True)
    assert record.content == b'"a\nb\nc"'


def test_a_quote_inside_an_unquoted_field_opens_nothing() -> None:
    assert records(b'a"b,c"\nd\n') == [(0, b'a"b,c"', True), (7, b"d", True)]


def test_a_field_may_close_and_another_open_on_one_line() -> None:
    assert records(b'"a\nb","c\nd"\n') == [(0, b'"a\nb","c\nd"', True)]


def test_after_an_open_quote_reading_resumes_at_the_next_line() -> None:
    assert records(b'"a\nb\n"c"\n') == [(0, b'"a\nb\n"c"', True)]
    assert records(b'x,"a\nb\n') == [(0, b'x,"a', False), (5, b"b", True)]


def test_up_to_100_line_breaks() -> None:
    assert MAX_LINE_BREAKS == 100
    fits = b'"' + b"\n" * 100 + b'"\n'
    assert records(fits) == [(0, fits[:-1], True)]
    over = records(b'"' + b"\n" * 101 + b'"\n')
    assert over[0] == (0, b'"', False)
    # The second quote, too, is never closed.
    assert over[-1] == (102, b'"', False)
    assert len(over) == 102


def test_a_quote_may_not_stay_open_beyond_the_limit_of_a_line() -> None:
    data = b'"' + b"a" * 40 + b"\n" + b"b" * 40 + b'"\n'
    assert len(records(data, max_bytes=82)) == 1
    assert [closed for _, _, closed in records(data, max_bytes=81)] == [False, True]


def test_lines_wait_for_the_rest_of_their_record() -> None:
    reader = RecordReader(max_bytes=99)
    lines = physical(b'a\n"b\nc\nd"\ne\n')
    found = [record.raw for line in lines for record in reader.read([line])]
    assert found == [b"a", b'"b\nc\nd"', b"e"]


def test_split() -> None:
    codes: set[str] = set()
    assert split_record('a,"b,""c""",,"",d"e"', codes) == ["a", 'b,"c"', "", "", 'd"e"']
    assert split_record('"a",', codes) == ["a", ""]
    assert split_record("", codes) == [""]
    assert codes == set()
    assert split_record('"a"b"",c', codes) == ['ab""', "c"]
    assert codes == {"unterminated_quote"}


FIELDS = st.text(st.sampled_from('ab,"\n é'), max_size=8)


@settings(deadline=None)
@given(st.lists(st.lists(FIELDS, min_size=2, max_size=4), min_size=1, max_size=6))
def test_what_csv_writes_is_read_back(rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    found = RecordReader(max_bytes=10_000).read(physical(out.getvalue().encode()), final=True)
    assert [split_record(record.content.decode(), set()) for record in found] == rows


@settings(deadline=None)
@given(st.text(st.sampled_from('a",\n'), max_size=40))
def test_a_closed_record_is_split_as_csv_does(text: str) -> None:
    for record in RecordReader(max_bytes=1000).read(physical(text.encode() + b"\n"), final=True):
        if record.is_closed:
            content = record.content.decode()
            expected = next(csv.reader(io.StringIO(content, newline="")), [])
            assert split_record(content, set()) == (expected or [""])
