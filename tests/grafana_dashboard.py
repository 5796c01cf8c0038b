"""A dashboard as Grafana 9.4 reads it, as far as ours use it: what is not named here is a mistake.

Written from Grafana's own kinds (kinds/dashboard, public/app/plugins/panel/*/panelcfg) for schema version 37.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Uid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
Text = Annotated[str, Field(min_length=1)]
# What an override may set; Grafana ignores any other without a word.
PropertyName = Literal[
    "color",
    "decimals",
    "displayName",
    "links",
    "mappings",
    "max",
    "min",
    "noValue",
    "thresholds",
    "unit",
    "custom.align",
    "custom.axisPlacement",
    "custom.displayMode",
    "custom.drawStyle",
    "custom.fillOpacity",
    "custom.hidden",
    "custom.hideFrom",
    "custom.lineStyle",
    "custom.lineWidth",
    "custom.minWidth",
    "custom.stacking",
    "custom.width",
]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Datasource(Part):
    type: Literal["postgres"]
    uid: Text


class Target(Part):
    datasource: Datasource
    editorMode: Literal["code"]
    format: Literal["table", "time_series"]
    rawQuery: Literal[True]
    rawSql: Text
    refId: Annotated[str, Field(pattern="^[A-Z]$")]


class Place(Part):
    x: Annotated[int, Field(ge=0, lt=24)]
    y: Annotated[int, Field(ge=0)]
    w: Annotated[int, Field(ge=1, le=24)]
    h: Annotated[int, Field(ge=3, le=40)]


class Matcher(Part):
    id: Literal["byName", "byRegexp", "byType"]
    options: Text


class DataLink(Part):
    title: Text
    url: Text
    targetBlank: bool


class Property(Part):
    id: PropertyName
    value: Any

    @model_validator(mode="after")
    def links_are_links(self) -> Property:
        if self.id == "links":
            TypeAdapter(list[DataLink]).validate_python(self.value)
        return self


class Override(Part):
    matcher: Matcher
    properties: Annotated[list[Property], Field(min_length=1)]


class Fields(Part):
    defaults: dict[str, Any]
    overrides: list[Override]


class Scale(Part):
    """A number, or one from a field between two ends."""

    fixed: float
    min: float
    max: float
    field: str | None = None
    mode: Literal["mod"] | None = None


class Colour(Part):
    fixed: str
    field: str | None = None


class Symbol(Part):
    fixed: str
    mode: Literal["fixed"]


class Caption(Part):
    fontSize: int
    offsetX: int
    offsetY: int
    textAlign: Literal["left", "center", "right"]
    textBaseline: Literal["top", "middle", "bottom"]


class Style(Part):
    color: Colour
    opacity: float
    rotation: Scale
    size: Scale
    symbol: Symbol
    textConfig: Caption


class Markers(Part):
    showLegend: bool
    style: Style


class Heat(Part):
    blur: int
    radius: int
    weight: Scale


class Outline(Part):
    color: Colour
    lineWidth: int
    opacity: float


class Countries(Part):
    rules: list[Any]
    src: Text
    style: Outline


class Tiles(Part):
    attribution: str
    url: Text


class Default(Part):
    pass


# The schemas that Grafana publishes say nothing about what is in a layer's configuration.
LAYERS: dict[str, type[Part]] = {
    "default": Default,
    "geojson": Countries,
    "heatmap": Heat,
    "markers": Markers,
    "xyz": Tiles,
}


class States(Part):
    error: bool
    firing: bool
    noData: bool
    normal: bool
    pending: bool


class AlertList(Part):
    """The options of unified alerting's list (public/app/plugins/panel/alertlist/types.ts)."""

    alertInstanceLabelFilter: Annotated[str, Field(pattern=r"^\{.+\}$")]
    alertName: str
    dashboardAlerts: bool
    groupBy: list[str]
    groupMode: Literal["default", "custom"]
    maxItems: Annotated[int, Field(ge=1)]
    sortOrder: Literal[1, 2, 3, 4, 5]
    stateFilter: States
    viewMode: Literal["list", "stat"]


class Panel(Part):
    id: Annotated[int, Field(ge=1)]
    type: Literal["stat", "timeseries", "table", "logs", "geomap", "alertlist"]
    title: Text
    description: Annotated[str, Field(pattern=r"\.$")]
    datasource: Datasource | None = None
    gridPos: Place
    fieldConfig: Fields
    options: dict[str, Any]
    targets: Annotated[list[Target], Field(max_length=1)] = []
    interval: str | None = None
    maxDataPoints: int | None = None

    @model_validator(mode="after")
    def asks_where_it_has_to(self) -> Panel:
        if self.type == "alertlist":
            AlertList.model_validate(self.options)
        elif not (self.datasource and self.targets):
            raise ValueError(f"{self.title}: no query")
        return self

    @model_validator(mode="after")
    def layers_are_layers(self) -> Panel:
        if self.type == "geomap":
            for layer in (self.options["basemap"], *self.options["layers"]):
                LAYERS[layer["type"]].model_validate(layer["config"])
        return self


class Option(Part):
    selected: bool
    text: str
    value: str


class Variable(Part):
    name: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    label: Text
    type: Literal["textbox", "custom", "query"]
    hide: Literal[0, 1, 2]
    skipUrlSync: Literal[False]
    current: dict[str, Any]
    options: list[Option]
    query: str
    description: str = ""
    # Choices
    multi: bool = False
    includeAll: bool = False
    allValue: str | None = None
    # Queries
    datasource: Datasource | None = None
    definition: str = ""
    refresh: Literal[1, 2] | None = None
    regex: Literal[""] = ""
    sort: Literal[0] = 0


class Link(Part):
    asDropdown: bool
    icon: str
    includeVars: Literal[True]
    keepTime: Literal[True]
    tags: list[str]
    targetBlank: bool
    title: Text
    tooltip: str
    type: Literal["dashboards"]
    url: str


class Templating(Part):
    list: list[Variable]


class TimeRange(Part):
    from_: Annotated[str, Field(alias="from", pattern=r"^now-\d+[smhdwMy]$")]
    to: Literal["now"]


class Dashboard(Part):
    uid: Uid
    title: Text
    description: Annotated[str, Field(pattern=r"\.$")]
    tags: list[str]
    editable: Literal[False]
    schemaVersion: Literal[37]  # newer versions migrate it up; 9.4 can't migrate down
    refresh: str
    time: TimeRange
    timepicker: dict[str, Any]
    timezone: Literal["", "utc"]
    weekStart: str
    fiscalYearStartMonth: int
    graphTooltip: Literal[0, 1, 2]
    liveNow: bool
    annotations: dict[str, list[Any]]
    templating: Templating
    links: list[Link]
    panels: Annotated[list[Panel], Field(min_length=1)]
