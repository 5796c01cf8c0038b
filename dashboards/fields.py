"""Overrides: what differs for one column or series of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboards import colours
from dashboards.options import DashboardOptions

Json = dict[str, Any]
# Names of columns that nobody sees; two, since newer Grafana shows one column twice where two have the same name.
NO_NAME, NO_OTHER_NAME = " ", "\u00a0"


def override(column: str, **properties: Any) -> Json:
    """What differs for one column or series, by name. `__` in a property stands for its dot."""
    return _override({"id": "byName", "options": column}, properties)


def _override(matcher: Json, properties: Json) -> Json:
    values = [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]
    return {"matcher": matcher, "properties": values}


def numbers() -> Json:
    """Numeric columns with separators. The default of a table must be text: with any other unit Grafana shows the
    texts "007" and "1e5" as the numbers 7 and 100000."""
    return _override({"id": "byType", "options": "number"}, {"unit": "locale"})


def every(**properties: Any) -> Json:
    """What differs from the panel's defaults in every field that there is."""
    return _override({"id": "byRegexp", "options": "/.*/"}, properties)


def hidden(*columns: str) -> list[Json]:
    """Columns that only links and colours use. 9.4's table reads `hidden`, newer ones and tooltips `hideFrom`."""
    everywhere = {"legend": True, "tooltip": True, "viz": True}
    return [override(column, custom__hidden=True, custom__hideFrom=everywhere) for column in columns]


def fixed_colour(column: str, colour: str, **properties: Any) -> Json:
    """A column or series in one colour."""
    return override(column, color={"fixedColor": colour, "mode": "fixed"}, **properties)


def slot_series(options: DashboardOptions) -> list[Json]:
    """Colours series by their label `slot`, then names them by their label `action`.

    The order matters: the matcher sees the name with all labels only as long as no other name was given.
    """
    coloured = [
        _override(
            {"id": "byRegexp", "options": f'/[{{ ]slot="{slot}"[,}}]/'},
            {"color": {"fixedColor": colour, "mode": "fixed"}},
        )
        for slot, colour in colours.palette(options).items()
    ]
    named = _override({"id": "byType", "options": "number"}, {"displayName": "${__field.labels.action}"})
    return [*coloured, named]


def slot_dot(options: DashboardOptions) -> Json:
    """The column `slot`: narrow, with a dot in the action's colour."""
    return override(
        "slot",
        displayName=NO_NAME,
        mappings=colours.slot_mappings(options),
        custom__displayMode="color-text",
        custom__width=50,
        custom__align="center",
    )


def outcome_text() -> Json:
    """The column `Outcome`: mark, word and colour."""
    return override(
        "Outcome",
        mappings=colours.outcome_mappings(),
        custom__displayMode="color-text",
        custom__width=92,
    )


def level_text() -> Json:
    """The column `Level`: its word, coloured where it is worth a look."""
    return override(
        "Level",
        mappings=colours.level_mappings(),
        custom__displayMode="color-text",
        custom__width=62,
    )


def change_columns() -> list[Json]:
    """The columns of `sql/parts/changes.sql`: field, kind of change in its colour, values before and after."""
    return [
        override("Field", custom__width=250),
        override(
            "Change",
            mappings=colours.change_mappings(),
            custom__displayMode="color-background-solid",
            custom__width=95,
        ),
    ]


def bar_column(column: str, colour: str, **properties: Any) -> Json:
    """A number column with a bar before it, from 0 to the column's greatest."""
    usual = {"min": 0, "custom__displayMode": "gradient-gauge", "custom__width": 150}
    return fixed_colour(column, colour, **(usual | properties))


def heat_columns(columns: Sequence[str]) -> list[Json]:
    """Number columns as the squares of a heat map: nothing in 0, the stronger the colour the more."""
    nothing = {"type": "value", "options": {"0": {"color": "transparent", "index": 0, "text": " "}}}
    return [
        override(
            column,
            color={"mode": "continuous-blues"},
            mappings=[nothing],
            decimals=0,
            unit="short",
            custom__align="center",
            custom__displayMode="color-background-solid",
        )
        for column in columns
    ]


def link(title: str, url: str, *, new_tab: bool = False) -> list[Json]:
    """The links of a field: one, opened in the same tab unless it leads elsewhere."""
    return [{"targetBlank": new_tab, "title": title, "url": url}]
