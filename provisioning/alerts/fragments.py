"""Parts that rules' queries have in common: templates, moments, and what a query needs to group by."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Sequence as Names
from datetime import timedelta
from functools import cache
from pathlib import Path

from provisioning.alerts.fields import HOURLY, Field, field

_FOLDER = Path(__file__).parent / "sql"
_SLOT = re.compile(r"\{\{(\w+)\}\}")
# A moment as people read it, and the five minutes of audit.volume that a moment belongs to.
AT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'"
BUCKET = "date_bin('5 minutes', {}, '2000-01-01T00:00:00Z')"


def put(name: str, slots: dict[str, str]) -> str:
    """The query of `sql/NAME.sql` with its slots filled."""
    return _SLOT.sub(lambda match: slots[match[1]], _template(name))


@cache
def _template(name: str) -> str:
    lines = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("--")) + "\n"


def interval(span: timedelta) -> str:
    """A time, in SQL."""
    return f"interval '{int(span.total_seconds())} seconds'"


def shifted(moment: str, span: timedelta) -> str:
    """A moment some time away, as a constant to the planner: from one zone to none and back."""
    seconds = int(span.total_seconds())
    return f"(({moment}::timestamptz AT TIME ZONE 'UTC' + interval '{seconds} seconds') AT TIME ZONE 'UTC')"


def counts(columns: Collection[str], start: str, end: str, *, hours_until: str) -> str:
    """Counts with these columns of some time: by hours up to the given one, as far as hours have the columns."""
    asked = ", ".join(sorted({"retention_class", *columns}))
    name = "counts_by_hour" if HOURLY.issuperset(columns) else "counts"
    return put(name, {"columns": asked, "start": start, "end": end, "hours_until": hours_until}).strip()


def grouping(names: Names[str]) -> dict[str, str]:
    """What a query needs to group by these fields; without any there is one group."""
    fields = [field(name) for name in names]
    keys = [f"key_{each.label}" for each in fields]
    listed = ", ".join(keys)
    return {
        "keys": key_columns(fields),
        "shown": shown_columns(fields),
        "known": " AND ".join(f"{key} <> ''" for key in keys) or "true",
        "group": listed,
        "partition": f"PARTITION BY {listed}" if keys else "",
        "partition_and": f"PARTITION BY {listed}," if keys else "PARTITION BY",
        "grouped": f"GROUP BY {listed}" if keys else "",
        # Somebody may be called in two ways: the first by the alphabet, so that the alert stays the same.
        "labels": "".join(
            f"min(shown_{each.label}) AS {each.label}, {key} AS {each.label}_key, "
            if each.key != each.shown
            else f"{key} AS {each.label}, "
            for each, key in zip(fields, keys, strict=True)
        ),
    }


def aggregated(names: Names[str]) -> dict[str, str]:
    """As `grouping`, where the events themselves are grouped, and not what was taken from them."""
    fields = [field(name) for name in names]
    return grouping(names) | {
        "shown": ", ".join(f"min({each.text}) AS shown_{each.label}" for each in fields) or "'' AS shown_all",
        "grouped_in": "GROUP BY " + ", ".join(each.key_text for each in fields) if fields else "HAVING count(*) > 0",
        "labels": labels(fields),
    }


def key_columns(fields: Names[Field]) -> str:
    """What tells the values of these fields apart."""
    return ",\n           ".join(f"{each.key_text} AS key_{each.label}" for each in fields) or "'' AS key_all"


def shown_columns(fields: Names[Field]) -> str:
    """What the values of these fields are called."""
    return ",\n           ".join(f"{each.text} AS shown_{each.label}" for each in fields) or "'' AS shown_all"


def labels(fields: Names[Field]) -> str:
    """Labels of rows that are not grouped any more."""
    return "".join(
        f"shown_{each.label} AS {each.label}, key_{each.label} AS {each.label}_key, "
        if each.key != each.shown
        else f"key_{each.label} AS {each.label}, "
        for each in fields
    )
