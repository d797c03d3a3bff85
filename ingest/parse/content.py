"""What content cannot be text of any format: section 3.1 (opening) of the format specification."""

from __future__ import annotations

import re

BOM = b"\xef\xbb\xbf"

_BINARY_MAGICS = (
    b"\xfd7zXZ\x00",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"Obj\x01",  # Avro
)
# Damaged bzip2, Parquet (also encrypted), ORC: a host name can begin like these.
_TEXT_MAGICS = re.compile(rb"BZh[1-9]|PAR[1E]|ORC")
_TEXT_LINE = re.compile(rb"[!-~]+ [\t -~]*(?:\r?\n|\Z)")
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_NUL_TEST_BYTES = 4096
# What copytruncate leaves of a log under a writer that keeps its offset.
_HOLES = re.compile(rb"^\x00+", re.MULTILINE)
# What to do about content that cannot be text of any format: file_reason -> remedy.
REMEDIES = {
    "nested_gzip": "unpack it: at most two layers of compression are read",
    "expansion_limit": (
        "it unpacks to more than 64 MiB and more than max_expansion_ratio times its size; if it"
        " really is a log, unpack it or raise that setting for its source"
    ),
    "not_utf8": "convert it to UTF-8",
    "unsupported_content": "unpack or convert it: only text, gzip, bzip2 and zstd are read",
}


def refusal(head: bytes) -> str | None:
    """Return why content that begins with `head` is not text at all, None when it may be text."""
    if head.startswith(_BINARY_MAGICS) or (_TEXT_MAGICS.match(head) and not _TEXT_LINE.match(head)):
        return "unsupported_content"
    if head.startswith(_UTF16_OR_32) or _is_wide(_HOLES.sub(b"", head[:_NUL_TEST_BYTES])):
        return "not_utf8"
    return None


def _is_wide(start: bytes) -> bool:
    """Return whether a quarter of the pairs of bytes are a NUL beside another byte.

    That is how UTF-16 and UTF-32 write ASCII; a run of NULs alone is none of both.
    """
    if 0 not in start:
        return False
    mixed = sum((a == 0) != (b == 0) for a, b in zip(start[::2], start[1::2], strict=False))
    return mixed > 0 and mixed * 4 >= len(start) // 2
