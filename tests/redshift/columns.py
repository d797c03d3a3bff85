"""The columns of a table, as COPY from Parquet has to know them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

_ARROW = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ns"),  # as pyarrow shows INT96
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "text": pa.string(),
}
# PostgreSQL's modifier of a text or a numeric counts this header too.
_HEADER = 4
# Of Redshift's VARCHAR and TEXT without a width, in bytes.
_DEFAULT_WIDTH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """A column of the table: `type` and `modifier` as in PostgreSQL's catalog."""

    name: str
    type: str
    modifier: int
    not_null: bool

    @property
    def width(self) -> int | None:
        """Bytes that a text may have; None for other types."""
        if self.arrow != pa.string():
            return None
        return self.modifier - _HEADER if self.modifier >= 0 else _DEFAULT_WIDTH

    @property
    def arrow(self) -> pa.DataType | None:
        """The type that the column of a file must have; None when COPY has none for it."""
        if self.type == "numeric" and self.modifier >= 0:
            precision, scale = divmod(self.modifier - _HEADER, 1 << 16)
            return pa.decimal128(precision, scale)
        return _ARROW.get(self.type)
