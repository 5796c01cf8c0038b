"""Grafana's alerting files as it reads them (`apiVersion: 1`), checked before they are written.

Grafana drops unknown keys without a word, and does not start with values it can't use: both are refused here.
Names are Grafana's own. Source: pkg/services/provisioning/alerting/*_types.go of Grafana 9.4, and for what newer ones
know rules_types.go of grafana/grafana; an older one ignores it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from provisioning import models
from provisioning.alerts.durations import Duration, Wait, seconds

EXPRESSION = "__expr__"
_STEP = 10  # seconds; unified_alerting's base interval

Uid = Annotated[str, models.Uid]
Name = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


def _unbraced(value: str) -> str:
    if "${" in value:
        raise ValueError("a newer Grafana expands ${...} in annotations; write it without")
    return value


def _once(values: list[str]) -> list[str]:
    if "..." in values and len(values) > 1:
        raise ValueError("... stands for all labels; name no others beside it")
    if len(set(values)) < len(values):
        raise ValueError("a label is named twice")
    return values


def _interval(value: str) -> str:
    if not seconds(value) or seconds(value) % _STEP:
        raise ValueError(f"must be a multiple of {_STEP} s")
    return value


GroupBy = Annotated[list[Annotated[str, Field(min_length=1)]], AfterValidator(_once)]


class Part(models.Part):
    """A part of a file; words that Python keeps for itself have an underscore behind them."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class TimeRange(Part):
    """Seconds before the evaluation; Grafana 9.4 stops at a number with a point."""

    from_: int = Field(ge=0, alias="from")
    to: int = Field(0, ge=0)


class Query(Part):
    """One query or expression; `model` is not interpolated."""

    refId: str = Field(min_length=1)
    queryType: str | None = None
    datasourceUid: str = Field(min_length=1)
    relativeTimeRange: TimeRange
    model: dict[str, Any]

    @model_validator(mode="after")
    def _is_evaluable(self) -> Self:
        if self.datasourceUid != EXPRESSION and self.relativeTimeRange.from_ <= self.relativeTimeRange.to:
            raise ValueError("relativeTimeRange: from must be longer ago than to")
        if self.model.get("refId", self.refId) != self.refId:
            raise ValueError(f"model.refId: must be {self.refId!r}, as outside of the model")
        return self


class NotificationSettings(Part):
    """Whom a rule notifies without the policy tree: from 10.4 on. The names must exist, or Grafana does not start."""

    receiver: Name
    group_by: GroupBy | None = None
    group_wait: Wait | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    mute_time_intervals: list[Name] | None = None


class Rule(Part):
    """One alert rule. `for` is required by 9.4; KeepLast and what follows isPaused is known to newer ones only."""

    uid: Uid
    title: str = Field(min_length=1, max_length=190)
    condition: str = Field(min_length=1)
    data: list[Query] = Field(min_length=1)
    for_: Wait = Field(alias="for")
    noDataState: Literal["OK", "NoData", "Alerting", "KeepLast"]
    execErrState: Literal["OK", "Error", "Alerting", "KeepLast"]
    dashboardUid: Uid | None = None
    panelId: int | None = Field(None, ge=1)
    annotations: dict[LabelName, Annotated[str, AfterValidator(_unbraced)]] = Field(default_factory=dict)
    labels: dict[LabelName, str] = Field(default_factory=dict)
    isPaused: bool | None = None
    keepFiringFor: Wait | None = None
    missing_series_evals_to_resolve: int | None = Field(None, ge=1)
    notification_settings: NotificationSettings | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = [query.refId for query in self.data]
        if self.condition not in names:
            raise ValueError(f"condition: no query is called {self.condition!r}; there are {', '.join(names)}")
        if len(set(names)) < len(names):
            raise ValueError("data: two queries have the same refId")
        if ("__dashboardUid__" in self.annotations) != ("__panelId__" in self.annotations):
            raise ValueError("annotations: __dashboardUid__ and __panelId__ go together")
        return self


class RuleGroup(Part):
    """Rules that are evaluated one after the other; `folder` is the folder's title."""

    orgId: int = Field(1, ge=1)
    name: Name
    folder: Name
    interval: Annotated[str, AfterValidator(_interval)]
    rules: list[Rule] = Field(min_length=1)


class Receiver(Part):
    """One integration of a contact point."""

    uid: Uid
    type: str = Field(min_length=1)
    settings: dict[str, Any] = Field(min_length=1)
    disableResolveMessage: bool = False


class ContactPoint(Part):
    """All who are told under one name."""

    orgId: int = Field(1, ge=1)
    name: Name
    receivers: list[Receiver] = Field(min_length=1)


Matcher = tuple[str, Literal["=", "!=", "=~", "!~"], str]


class SubPolicy(Part):
    """A branch of the policy tree."""

    receiver: Name | None = None
    object_matchers: list[Matcher] | None = None
    group_by: GroupBy | None = None
    mute_time_intervals: list[Name] | None = None
    group_wait: Wait | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    continue_: bool | None = Field(None, alias="continue")
    routes: list[SubPolicy] | None = None


class Policy(Part):
    """The policy tree of an organisation, whole: its root has no matchers and no mute times."""

    orgId: int = Field(1, ge=1)
    receiver: Name
    group_by: GroupBy | None = None
    group_wait: Wait | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    routes: list[SubPolicy] | None = None


class Times(Part):
    """From minute to minute of a day; `end_time` is not in it."""

    start_time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end_time: str = Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    @model_validator(mode="after")
    def _begins_first(self) -> Self:
        if self.start_time >= self.end_time:
            raise ValueError("start_time must be before end_time; a range over midnight is two")
        return self


class TimeInterval(Part):
    """All that is given holds. Ranges are written first:last; UTC where there is no location."""

    times: list[Times] | None = None
    weekdays: list[str] | None = None
    days_of_month: list[str] | None = None
    months: list[str] | None = None
    years: list[str] | None = None
    location: str | None = None


class MuteTime(Part):
    """When nobody is told; not interpolated."""

    orgId: int = Field(1, ge=1)
    name: Name
    time_intervals: list[TimeInterval] = Field(min_length=1)


class Template(Part):
    """Message templates; not interpolated."""

    orgId: int = Field(1, ge=1)
    name: Name
    template: str = Field(pattern=r"\{\{-? *define ")


class DeletedByUid(Part):
    """A rule or a receiver that goes; without a uid Grafana deletes what nobody meant (grafana#61885)."""

    orgId: int = Field(1, ge=1)
    uid: Uid


class DeletedByName(Part):
    """A mute time or a template that goes."""

    orgId: int = Field(1, ge=1)
    name: Name


class AlertingFile(Part):
    """`alerting/*.yaml`. Grafana takes rules, contact points, mute times, templates and policies in this order."""

    apiVersion: Literal[1] = 1
    groups: list[RuleGroup] | None = None
    deleteRules: list[DeletedByUid] | None = None
    contactPoints: list[ContactPoint] | None = None
    deleteContactPoints: list[DeletedByUid] | None = None
    policies: list[Policy] | None = None
    resetPolicies: list[int] | None = None
    muteTimes: list[MuteTime] | None = None
    deleteMuteTimes: list[DeletedByName] | None = None
    templates: list[Template] | None = None
    deleteTemplates: list[DeletedByName] | None = None

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        for what, names in self._identities():
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{what} {', '.join(map(str, sorted(twice)))} is there twice")
        return self

    def _identities(self) -> Iterator[tuple[str, list[Any]]]:
        groups, points = self.groups or [], self.contactPoints or []
        yield "the rule", [(group.orgId, rule.uid) for group in groups for rule in group.rules]
        # 9.4 wants a title once in a folder, whatever the group.
        yield "the title", [(group.orgId, group.folder, rule.title) for group in groups for rule in group.rules]
        yield "the rule group", [(group.orgId, group.folder, group.name) for group in groups]
        yield "the receiver", [(point.orgId, receiver.uid) for point in points for receiver in point.receivers]
        yield "the contact point", [(point.orgId, point.name) for point in points]
        yield "the policy tree of organisation", [policy.orgId for policy in self.policies or []]
        yield "the mute time", [(time.orgId, time.name) for time in self.muteTimes or []]
        yield "the template", [(template.orgId, template.name) for template in self.templates or []]
