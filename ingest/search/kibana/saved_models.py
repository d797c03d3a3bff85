"""What a saved object may contain; an unknown key or another type is refused.

Written from public saved objects, and kept apart from the code that renders: what that gets wrong
is seen here. Names are those in Kibana.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Json

from ingest.search.kibana.api_models import Cells, Strict
from ingest.search.kibana.spec import Bars

_Axes = dict[Literal["x", "yLeft", "yRight"], bool]
_One = Field(min_length=1, max_length=1)
_Some = Field(min_length=1)


class Reference(Strict):
    """A data view that an object needs, under the name by which the object refers to it."""

    type: Literal["index-pattern"]
    id: str
    name: str


class _OrderBy(Strict):
    type: Literal["column"]
    columnId: str


class _TermsParams(Strict):
    size: int
    orderBy: _OrderBy
    orderDirection: Literal["desc"]
    otherBucket: Literal[False]
    missingBucket: Literal[False]
    parentFormat: dict[Literal["id"], Literal["terms"]]
    include: list[str]
    exclude: list[str]
    includeIsRegex: bool
    excludeIsRegex: bool


class _DateParams(Strict):
    interval: Literal["auto"]
    includeEmptyRows: bool
    dropPartials: bool


class _MetricParams(Strict):
    emptyAsNull: Literal[True]


class _Column(Strict):
    sourceField: str
    label: str
    customLabel: Literal[True]


class TermsColumn(_Column):
    """The values of a field, ranked by another column."""

    operationType: Literal["terms"]
    dataType: Literal["string", "ip", "number"]
    isBucketed: Literal[True]
    scale: Literal["ordinal"]
    params: _TermsParams


class _DateColumn(_Column):
    operationType: Literal["date_histogram"]
    dataType: Literal["date"]
    isBucketed: Literal[True]
    scale: Literal["interval"]
    params: _DateParams


class _MetricColumn(_Column):
    operationType: Literal["count", "sum", "unique_count"]
    dataType: Literal["number"]
    isBucketed: Literal[False]
    scale: Literal["ratio"]
    params: _MetricParams


class _Layer(Strict):
    columnOrder: list[str]
    columns: dict[
        str,
        Annotated[TermsColumn | _DateColumn | _MetricColumn, Field(discriminator="operationType")],
    ]
    incompleteColumns: dict[str, Any]
    sampling: Literal[1]
    ignoreGlobalFilters: Literal[False]


class _FormBased(Strict):
    layers: dict[str, _Layer]


class _NoLayers(Strict):
    layers: Annotated[dict[str, Any], Field(max_length=0)]


class _DatasourceStates(Strict):
    formBased: _FormBased
    indexpattern: _NoLayers
    textBased: _NoLayers


class _LayerOf(Strict):
    layerId: str
    layerType: Literal["data"]


class _LensNumber(_LayerOf):
    metricAccessor: str


class _LensTable(_LayerOf):
    columns: list[dict[Literal["columnId"], str]]


class _LensSlices(_LayerOf):
    primaryGroups: Annotated[list[str], _Some]
    metrics: Annotated[list[str], _One]
    numberDisplay: Literal["percent"]
    categoryDisplay: Literal["default"]
    legendDisplay: Literal["default"]


class _LensPie(Strict):
    shape: Literal["pie"]
    layers: Annotated[list[_LensSlices], _One]


class _LensBars(_LayerOf):
    seriesType: Bars
    xAccessor: str
    splitAccessor: str | None = None
    accessors: Annotated[list[str], _Some]


class _Legend(Strict):
    isVisible: bool
    position: Literal["right"]


class _LensBarChart(Strict):
    preferredSeriesType: Bars
    legend: _Legend
    valueLabels: Literal["hide"]
    fittingFunction: Literal["None"]
    axisTitlesVisibilitySettings: _Axes
    tickLabelsVisibilitySettings: _Axes
    gridlinesVisibilitySettings: _Axes
    labelsOrientation: dict[Literal["x", "yLeft", "yRight"], int]
    layers: Annotated[list[_LensBars], _One]


class _Query(Strict):
    language: Literal["kuery"]
    query: Literal[""]


class _LensState(Strict):
    query: _Query
    filters: Annotated[list[Any], Field(max_length=0)]
    adHocDataViews: Annotated[dict[str, Any], Field(max_length=0)]
    internalReferences: Annotated[list[Any], Field(max_length=0)]
    datasourceStates: _DatasourceStates
    visualization: _LensBarChart | _LensTable | _LensPie | _LensNumber


class Lens(Strict):
    """A visualisation by value."""

    title: Literal[""]
    type: Literal["lens"]
    visualizationType: Literal["lnsXY", "lnsDatatable", "lnsPie", "lnsMetric"]
    references: list[Reference]
    state: _LensState


class _EmbeddableConfig(Strict):
    enhancements: Annotated[dict[str, Any], Field(max_length=0)]
    hidePanelTitles: bool
    attributes: Lens


class _GridData(Cells):
    i: str


class SavedPanel(Strict):
    """A panel of a saved dashboard."""

    type: Literal["lens"]
    version: Literal["8.9.0"]
    panelIndex: str
    gridData: _GridData
    title: str
    embeddableConfig: _EmbeddableConfig


class _Options(Strict):
    hidePanelTitles: bool
    syncColors: bool
    syncCursor: bool
    syncTooltips: bool
    useMargins: bool


class _SearchSource(Strict):
    filter: Annotated[list[Any], Field(max_length=0)]
    query: _Query


class _SearchSourceMeta(Strict):
    searchSourceJSON: Json[_SearchSource]


class _DashboardAttributes(Strict):
    title: str
    description: str
    panelsJSON: Json[list[SavedPanel]]
    optionsJSON: Json[_Options]
    kibanaSavedObjectMeta: _SearchSourceMeta
    timeRestore: bool
    timeFrom: str | None = None
    timeTo: str | None = None


class SavedDashboard(Strict):
    """A dashboard as a saved object."""

    type: Literal["dashboard"]
    id: str
    attributes: _DashboardAttributes
    references: list[Reference]
    coreMigrationVersion: Literal["8.8.0"]
    typeMigrationVersion: Literal["8.9.0"]


class _DataViewAttributes(Strict):
    title: str
    name: str
    timeFieldName: str | None = None


class SavedDataView(Strict):
    """A data view as a saved object."""

    type: Literal["index-pattern"]
    id: str
    attributes: _DataViewAttributes
    references: Annotated[list[Any], Field(max_length=0)]
    coreMigrationVersion: Literal["8.8.0"]
    typeMigrationVersion: Literal["8.0.0"]


SavedObject = Annotated[SavedDashboard | SavedDataView, Field(discriminator="type")]
