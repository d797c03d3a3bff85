"""A stored object as a seekable binary file: each read is one range request, nothing is kept."""

from __future__ import annotations

import io
import os

from ingest.storage.protocol import Storage


class ObjectReader(io.RawIOBase):
    """Reads one version of the object `key`: the one that is there when the reader is made.

    Raises ObjectUnreadable when it is denied or gone, ObjectChanged when another version has taken
    its place.
    """

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage = storage
        self._object = storage.stat(key)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._object.size}
        self._position = base[whence] + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next `size` bytes, fewer at the end; negative or None = all the rest."""
        end = self._object.size
        if size is not None and size >= 0:
            end = min(end, self._position + size)
        if end <= self._position:
            return b""
        data = self._storage.read(self._object.key, self._position, end, etag=self._object.etag)
        self._position = end
        return data
