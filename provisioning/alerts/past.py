"""What a rule about new values compares with."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.alerts.fields import COUNTED, Field
from provisioning.alerts.fragments import BUCKET, counts, interval, put, shifted
from provisioning.alerts.rule import New

_ACTOR = "actor"


class Past:
    """What was there before: from the counts, by the actor's index for each candidate, else all of it once."""

    def __init__(self, rule: New, fields: Sequence[Field]) -> None:
        self._condition = rule.sql()
        self._recent = rule.recent
        self._fields = fields
        self._columns = rule.columns() | {column for each in fields for column in each.columns}
        self._counted = self._columns <= COUNTED
        self._start = shifted("$__timeFrom()", -rule.baseline)
        self.indexed = not self._counted and _ACTOR in {each.label for each in fields}
        # The counts are by five minutes, and so is where the past ends.
        self.end = BUCKET.format("$__timeFrom()::timestamptz") if self._counted else "$__timeFrom()"

    @property
    def is_read_whole(self) -> bool:
        """Whether each evaluation reads all events of the baseline."""
        return not self._counted and not self.indexed

    def table(self) -> str:
        """The past as a table, where it is read as a whole."""
        if self.indexed:
            return ""
        slots = {
            "old": ", ".join(f"{each.key_text} AS old_{each.label}" for each in self._fields),
            "source": "audit.events",
            "moment": "occurred_at",
            "start": self._start,
            "end": self.end,
            "condition": self._condition,
            "ended": "occurred_at",
            "places": ", ".join(str(place + 1) for place in range(len(self._fields))),
        }
        if self._counted:
            # An hour is past as a whole: since when something was there must not depend on how it is counted.
            hours = shifted(self.end, -self._recent)
            counted = counts(self._columns, self._start, self.end, hours_until=hours)
            slots |= {"source": counted, "moment": "bucket", "ended": "bucket + size"}
        return put("new_past", slots).rstrip()

    def has(self, fields: Sequence[Field], *, known: bool = False) -> str:
        """Whether it has a candidate's values of these fields; of no fields: whether there is a past.

        `known`: for longer than news last. Somebody's second event, soon after the first, would else become news when
        the first is past, and the second is not yet.
        """
        until = f"first_at - {interval(self._recent)}" if known else "first_at"
        if not self.indexed:
            alike = [f"old_{each.label} = key_{each.label}" for each in fields]
            return f"EXISTS (SELECT FROM past WHERE {' AND '.join([*alike, f'since <= {until}'])})"
        same = " AND ".join(f"{each.key_text} = key_{each.label}" for each in fields) or "true"
        slots = {"start": self._start, "condition": self._condition, "until": until, "same": same}
        asked = "new_asked" if _ACTOR in {each.label for each in fields} else "new_asked_of_all"
        return put(asked, slots).rstrip()
