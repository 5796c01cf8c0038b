"""From the rules file to Grafana's alerting files, and what has to go since the render before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from exporter.durations import format_duration
from exporter.errors import ConfigError
from provisioning.alerts import message
from provisioning.alerts.contacts import OF_EVENTS, contact_points, uids
from provisioning.alerts.file import Alerts, default_rules
from provisioning.alerts.models import (
    EXPRESSION,
    AlertingFile,
    DeletedByName,
    DeletedByUid,
    NotificationSettings,
    Query,
    RuleGroup,
    TimeRange,
)
from provisioning.alerts.models import Rule as GrafanaRule
from provisioning.alerts.mute_times import mute_times
from provisioning.alerts.policies import Route, policies
from provisioning.alerts.rule import Rule
from provisioning.alerts.statements import statement
from provisioning.alerts.templates import templates
from provisioning.version import ANY, Version
from provisioning.yaml_file import literal

# From 10.4 on a rule can name whom it tells; an older one passes over the key, and asks the policies.
_SETTINGS_SINCE = Version(10, 4)
# What happened once is told by itself; there is nothing to wait for.
_AT_ONCE = "0s"


@dataclass(frozen=True, slots=True)
class AlertingOptions:
    """What a deployment says of its alerting. `base_url`: Grafana's address as people who get a message see it;
    `runbooks`: where they find the pages of docs/runbooks, None for nowhere."""

    base_url: str
    datasource_uid: str
    folder: str = "Audit alerts"
    version: Version = ANY
    runbooks: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a render wrote, by the names that Grafana would delete them by; `titles`: of rules, by their uids."""

    rules: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    mute_times: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    policies: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)


def alerting_file(alerts: Alerts, options: AlertingOptions, gone: Written) -> tuple[AlertingFile, Written]:
    """The one file that says it all, and what is in it.

    `gone`: what earlier renders wrote; of it, what is not written any more is deleted. Contact points and mute times
    only where the policies are ours: one that somebody's policy names can't be deleted, and Grafana would not start.
    What was one of several in a contact point that is there still is deleted always. Raises ConfigError for a name that
    nothing has or another rule had, and pydantic.ValidationError for a value that Grafana can't use.
    """
    of_moments = {rule.contact_point for rule in alerts.rules if rule.of_moment and rule.contact_point}
    points = contact_points(alerts.contact_points, without_resolved=of_moments, version=options.version)
    times = mute_times(alerts.mute_times)
    # What a contact point that is left behind says needs them still.
    texts = templates() if points or gone.receivers else []
    groups = _groups(alerts.rules, options)
    names = {*alerts.contact_points, *(name + OF_EVENTS for name in of_moments)}
    tree = None
    if alerts.policies is not None:
        routes = [_route(rule) for rule in alerts.rules if rule.contact_point]
        tree = [policies(routes, alerts.policies, receivers=names, mute_times=alerts.mute_times.keys())]
    written = Written(
        tuple(rule.uid for group in groups for rule in group.rules),
        tuple(receiver.uid for point in points for receiver in point.receivers),
        tuple(time.name for time in times),
        tuple(text.name for text in texts),
        tree is not None,
        {rule.uid: rule.title for group in groups for rule in group.rules},
    )
    _refuse_taken_titles(gone.titles, written.titles)
    ours = tree is not None or gone.policies
    told_before = set(gone.receivers) if ours else set(gone.receivers) & uids(names, len(gone.receivers))
    file = AlertingFile(
        groups=groups or None,
        deleteRules=_by_uid(gone.rules, written.rules),
        contactPoints=points or None,
        deleteContactPoints=_by_uid(told_before, written.receivers),
        policies=tree,
        resetPolicies=[1] if gone.policies and tree is None else None,
        muteTimes=times or None,
        deleteMuteTimes=_by_name(gone.mute_times, written.mute_times) if ours else None,
        templates=texts or None,
        deleteTemplates=_by_name(gone.templates, written.templates),
    )
    return file, written


def remembered(gone: Written, written: Written) -> Written:
    """What the next render has to know of: all that was ever written, since a Grafana may have missed some renders."""
    return Written(
        _both(gone.rules, written.rules),
        _both(gone.receivers, written.receivers),
        _both(gone.mute_times, written.mute_times),
        _both(gone.templates, written.templates),
        # Once they are given back they are somebody else's.
        written.policies,
        written.titles,
    )


def in_order(file: AlertingFile) -> dict[str, AlertingFile]:
    """The files that it is written as, by their names, in whose order Grafana takes them.

    Within one file Grafana writes rules before it deletes others, and does not start where a new one has the title of
    one that goes: what goes is in a file of its own, the first.
    """
    gone = AlertingFile(deleteRules=file.deleteRules)
    return {"auditgraf-gone.yaml": gone, "auditgraf.yaml": file.model_copy(update={"deleteRules": None})}


def _refuse_taken_titles(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Grafana takes one rule after the other: a title that another rule still has, when its turn comes, stops it."""
    owners = {title.lower(): uid for uid, title in before.items() if uid in now}
    for uid, title in now.items():
        if owners.get(title.lower(), uid) == uid:
            continue
        rule, owner = (each.removeprefix("auditgraf-") for each in (uid, owners[title.lower()]))
        name = title.replace("$$", "$")
        raise ConfigError(
            f"rule {rule}: {name!r} was the name of {owner} in the last render, and Grafana would not start; give"
            f" {rule} another name, at least until Grafana has read a render without it"
        )


def uid(rule: Rule) -> str:
    """The uid of the rule in Grafana."""
    return f"auditgraf-{rule.id}"


def _groups(rules: Collection[Rule], options: AlertingOptions) -> list[RuleGroup]:
    by_interval: defaultdict[timedelta, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_interval[rule.interval].append(rule)
    return [
        RuleGroup(
            name=f"auditgraf {format_duration(interval)}",
            folder=literal(options.folder),
            interval=format_duration(interval),
            rules=[_rule(rule, options) for rule in by_interval[interval]],
        )
        for interval in sorted(by_interval)
    ]


def _rule(rule: Rule, options: AlertingOptions) -> GrafanaRule:
    settings = None
    if rule.contact_point is not None and (options.version == ANY or options.version.has(_SETTINGS_SINCE)):
        route = _route(rule)
        settings = NotificationSettings(
            receiver=literal(route.receiver),
            group_by=[literal(name) for name in route.group_by],
            group_wait=route.group_wait,
            group_interval=route.group_interval,
            repeat_interval=route.repeat_interval,
            mute_time_intervals=[literal(name) for name in route.mute_times] or None,
        )
    return GrafanaRule.model_validate(
        {
            "uid": uid(rule),
            "title": literal(rule.name),
            "condition": "C",
            "data": [_query(rule, options), _condition()],
            "for": format_duration(rule.pending),
            # No rows: nothing is wrong. A query that fails is told of, under the name DatasourceError.
            "noDataState": "OK",
            "execErrState": "Error",
            "annotations": _annotations(rule, options),
            "labels": _labels(rule),
            "notification_settings": settings,
        }
    )


def _query(rule: Rule, options: AlertingOptions) -> Query:
    return Query(
        refId="A",
        datasourceUid=options.datasource_uid,
        relativeTimeRange=TimeRange.model_validate({"from": int(rule.lookback.total_seconds()), "to": 0}),
        model={
            "refId": "A",
            "datasource": {"type": "postgres", "uid": options.datasource_uid},
            "format": "table",
            "rawQuery": True,
            "editorMode": "code",
            "intervalMs": 1000,
            "maxDataPoints": 43200,
            "rawSql": statement(rule),
        },
    )


def _condition() -> Query:
    """Every row of the query is an alert: the limit is in the query, which alone sees single events."""
    return Query(
        refId="C",
        datasourceUid=EXPRESSION,
        relativeTimeRange=TimeRange.model_validate({"from": 0, "to": 0}),
        model={
            "refId": "C",
            "type": "threshold",
            "expression": "A",
            "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
            "conditions": [{"evaluator": {"type": "gt", "params": [-1]}}],
        },
    )


def _annotations(rule: Rule, options: AlertingOptions) -> dict[str, str]:
    written = {
        "summary": message.summary(rule),
        "description": message.plain(rule.description),
        "event_url": message.event_url(options.base_url) if "event_id" in rule.told() else "",
        "dashboard_url": message.events_url(rule, options.base_url),
        "runbook_url": message.plain(rule.runbook or _runbook(rule, options)),
        "count": message.count(rule),
    }
    return {name: text for name, text in written.items() if text}


def _runbook(rule: Rule, options: AlertingOptions) -> str:
    """The page of a rule of ours, where the deployment says where these pages are."""
    if options.runbooks is None or rule.id not in default_rules():
        return ""
    return f"{options.runbooks.rstrip('/')}/{rule.id}.md"


def _labels(rule: Rule) -> dict[str, str]:
    constant = {
        **rule.labels,
        "severity": rule.severity,
        "source": "auditgraf",
        "rule_id": rule.id,
        "kind": rule.kind,
    }
    # Grafana expands templates in labels, and `$NAME` in the whole section.
    return {name: literal(message.plain(text)) for name, text in constant.items()}


def _route(rule: Rule) -> Route:
    assert rule.contact_point is not None
    return Route(
        rule_id=rule.id,
        receiver=rule.contact_point + OF_EVENTS if rule.of_moment else rule.contact_point,
        # One message for each thing that happened; of groups, one for all that fire together.
        group_by=("...",) if rule.of_moment else ("grafana_folder", "alertname"),
        mute_times=rule.mute,
        group_wait=_AT_ONCE if rule.of_moment else None,
        # It is gone before its group is looked at again: a Grafana that forgot that it was told does not tell it anew.
        group_interval=format_duration(rule.recent + 3 * rule.interval) if rule.of_moment else None,
        repeat_interval=None if rule.repeat is None else format_duration(rule.repeat),
    )


def _by_uid(known: Collection[str], kept: Collection[str]) -> list[DeletedByUid] | None:
    return [DeletedByUid(uid=uid) for uid in sorted(set(known) - set(kept))] or None


def _by_name(known: Collection[str], kept: Collection[str]) -> list[DeletedByName] | None:
    return [DeletedByName(name=name) for name in sorted(set(known) - set(kept))] or None


def _both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*first, *second}))
