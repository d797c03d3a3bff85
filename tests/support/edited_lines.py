"""Usual lines with some bytes replaced, inserted or removed, for property tests of parsers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

_MOST_EDITS = 4
_MOST_REMOVED = 30


@st.composite
def edited_lines(
    draw: st.DrawFn, lines: Mapping[str, bytes], snips: Sequence[bytes]
) -> tuple[str, bytes]:
    """Return a key of `lines` and its line after up to four edits: as it was, or even empty.

    An edit puts one of `snips`, or up to four bytes of any kind, in the place of up to 30 bytes.
    """
    name = draw(st.sampled_from(sorted(lines)))
    line = lines[name]
    for _ in range(draw(st.integers(0, _MOST_EDITS))):
        at = draw(st.integers(0, len(line)))
        new = draw(st.sampled_from(snips) | st.binary(max_size=4))
        line = line[:at] + new + line[at + draw(st.integers(0, _MOST_REMOVED)) :]
    return name, line
