"""What the dashboards API takes; an unknown key or another type is refused.

Written from the public description of Kibana's API, and kept apart from the code that renders:
what that gets wrong is seen here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest.search.kibana.spec import Bars

_One = Field(min_length=1, max_length=1)
_Some = Field(min_length=1)


class Strict(BaseModel):
    """A JSON object with exactly these members."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Cells(Strict):
    """A place in the grid."""

    x: Annotated[int, Field(ge=0)]
    y: Annotated[int, Field(ge=0)]
    w: Annotated[int, Field(ge=1)]
    h: Annotated[int, Field(ge=1)]


class _ViewReference(Strict):
    type: Literal["data_view_reference"]
    ref_id: str


class _Count(Strict):
    operation: Literal["count"]
    label: str | None = None


class _FieldMetric(Strict):
    operation: Literal["sum", "unique_count"]
    field: str
    label: str | None = None


class _PrimaryCount(_Count):
    type: Literal["primary"]


class _PrimaryFieldMetric(_FieldMetric):
    type: Literal["primary"]


class _RankBy(Strict):
    type: Literal["metric"]
    metric_index: int
    direction: Literal["desc"]


class _TopValues(Strict):
    operation: Literal["terms"]
    fields: Annotated[list[str], _One]
    limit: int
    rank_by: _RankBy
    label: str | None = None


class _Intervals(Strict):
    operation: Literal["date_histogram"]
    field: str
    label: str | None = None


_Measure = _Count | _FieldMetric
_Bucket = _TopValues | _Intervals


class _BarLayer(Strict):
    type: Bars
    data_source: _ViewReference
    x: _Bucket
    y: Annotated[list[_Measure], _One]
    breakdown_by: _TopValues | None = None


class _BarChart(Strict):
    type: Literal["xy"]
    title: str
    layers: Annotated[list[_BarLayer], _One]


class _Table(Strict):
    type: Literal["data_table"]
    title: str
    data_source: _ViewReference
    metrics: Annotated[list[_Measure], _Some]
    rows: Annotated[list[_Bucket], _Some]


class _Number(Strict):
    type: Literal["metric"]
    data_source: _ViewReference
    metrics: Annotated[list[_PrimaryCount | _PrimaryFieldMetric], _One]


class _Pie(Strict):
    type: Literal["pie"]
    title: str
    data_source: _ViewReference
    metrics: Annotated[list[_Measure], _One]
    group_by: Annotated[list[_Bucket], _Some]


class _ApiPanel(Strict):
    type: Literal["vis"]
    id: str
    grid: Cells
    config: Annotated[_BarChart | _Table | _Number | _Pie, Field(discriminator="type")]


class _TimeRange(Strict):
    from_: str = Field(alias="from")
    to: str


class ApiDashboard(Strict):
    """The body that replaces a dashboard."""

    title: str
    description: str
    panels: list[_ApiPanel]
    time_range: _TimeRange | None = None
