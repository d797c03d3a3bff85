"""Raw bytes of a line to text: repair, the escapes of the CLF family, null values, widths.

Rules: sections 3.2 (encoding), 3.3 (length), 3.4 (null) and 3.9 (escapes) of the format
specification.
"""

from __future__ import annotations

import re

from ingest.parse.fields.hexadecimal import MANY, undone
from ingest.parse.fields.possessive import P

# TAB (09) and LF (0A) are not control characters here: the one is text, the other ends lines.
_CONTROL = bytes((*range(0x01, 0x09), *range(0x0B, 0x20), 0x7F))
# Httpd's ap_escape_logitem and nginx's escape=default. The pairs come first, so that one pass
# from left to right never reads the second half of `\\` as the start of another escape.
_ESCAPE = re.compile(rf'\\(?:(["\\](?:\\["\\])*{P})|x([2-6][0-9A-Fa-f]|7[0-9A-Ea-e]))')
BLANKS = b" \t"


def is_blank(raw: bytes) -> bool:
    """Return whether the line holds nothing but spaces and TABs."""
    return not raw.strip(BLANKS)


def repair(raw: bytes, warnings: set[str]) -> str:
    """Return the text of `raw`; what had to be replaced or looks odd is added to `warnings`.

    Invalid bytes become U+FFFD, one per maximal invalid part; so does NUL. Other control
    characters are kept.
    """
    if len(raw.translate(None, _CONTROL)) < len(raw):
        warnings.add("control_char")
    return decode(raw, warnings)


def decode(raw: bytes, warnings: set[str], *, code: str = "invalid_utf8") -> str:
    """Return the text of `raw` as `repair` does, without a look at control characters.

    `code` is the warning when it is not UTF-8.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        warnings.add(code)
        text = raw.decode(errors="replace")
    if "\0" in text:
        warnings.add("nul_byte")
        text = text.replace("\0", "\ufffd")
    return text


def unescape(text: str) -> str:
    r"""Return `text` with `\"`, `\\` and `\xHH` (20 to 7E only) undone; the rest stays as it is."""
    if "\\" not in text:
        return text
    if text.count("\\") <= MANY or "\0" in text:
        return _ESCAPE.sub(_unescaped, text)
    # Where pairs are something else, each backslash begins an escape.
    alone = text.replace("\\\\", "\0").replace('\\"', '"').encode()
    return undone(alone, b"\\x", first=0x20, last=0x7E).decode().replace("\0", "\\")


def _unescaped(match: re.Match[str]) -> str:
    pairs = match[1]
    return pairs[::2] if pairs else chr(int(match[2], 16))


def value(text: str | None) -> str | None:
    """Return `text`, or None when it says that there is nothing: empty, or `-`."""
    return None if text in (None, "", "-") else text


def logged(raw: str | None) -> str | None:
    """Return the unescaped text of the field `raw`, None when it is a way to write nothing."""
    text = value(raw)
    return None if text is None else unescape(text)


def cut(text: str, width: int) -> str:
    """Return the longest prefix of `text` of at most `width` UTF-8 bytes."""
    return text.encode()[:width].decode(errors="ignore")


def is_wider(text: str, width: int) -> bool:
    """Return whether `text` takes more than `width` UTF-8 bytes."""
    # Four bytes are the most that a code point takes: short texts need no encoding.
    return len(text) * 4 > width and len(text.encode()) > width
