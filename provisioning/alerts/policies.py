"""The section `policies` of the rules file: the organisation's whole tree of notification policies, by choice."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from exporter.document import Location
from exporter.errors import ConfigError
from exporter.mapping.section import Problem, Section, kind, nearest
from provisioning.alerts.durations import Duration, Wait
from provisioning.alerts.models import Policy, SubPolicy
from provisioning.yaml_file import literal

_OPERATORS = ("=", "!=", "=~", "!~")


@dataclass(frozen=True, slots=True)
class Route:
    """Where the alerts of one rule go; no interval means that of the tree's root."""

    rule_id: str
    receiver: str
    group_by: tuple[str, ...] = ()
    mute_times: tuple[str, ...] = ()
    group_wait: str | None = None
    group_interval: str | None = None
    repeat_interval: str | None = None


def _matcher(value: object) -> tuple[str, str, str]:
    match value:
        case [str() as label, str() as operator, str() as text] if label:
            if operator not in _OPERATORS:
                raise ValueError(f"{operator!r} is none of {' '.join(_OPERATORS)}")
            if operator.endswith("~"):
                try:
                    re.compile(text)
                except re.error as failure:
                    raise ValueError(f"{text!r} is no regular expression: {failure}") from None
            return label, operator, text
    raise ValueError("must be a list of three texts, e.g. [severity, '=', critical]")


def _labels(value: object) -> object:
    names = value if isinstance(value, list | tuple) else ()
    if "..." in names and len(names) > 1:
        raise ValueError("... stands for all labels; name no others beside it")
    if len({str(name) for name in names}) < len(names):
        raise ValueError("a label is named twice")
    return value


Labels = Annotated[tuple[str, ...], BeforeValidator(_labels)]


class OwnRoute(Section):
    """A branch of one's own, in Grafana's words."""

    receiver: str | None = None
    object_matchers: tuple[Annotated[tuple[str, str, str], BeforeValidator(_matcher)], ...] | None = None
    group_by: Labels | None = None
    mute_time_intervals: tuple[str, ...] | None = None
    group_wait: Wait | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    continue_: StrictBool | None = Field(None, alias="continue")
    routes: tuple[OwnRoute, ...] | None = None

    @classmethod
    def conflicts(cls, data: Mapping[str, Any]) -> Iterator[Problem]:
        if not data.get("object_matchers"):
            yield ("object_matchers",), "is needed: a branch without it would take every alert"


def _agreed(value: object) -> object:
    if value is not True:
        given = "false" if value is False else kind(value)
        raise ValueError(
            f"must be true, not {given}: this replaces all of the organisation's policies; else no section"
        )
    return value


class Policies(Section):
    """What replaces the organisation's policies. Its own branches come before ours, and so can take alerts of ours."""

    replace: Annotated[Literal[True], BeforeValidator(_agreed)]
    # Who is told of what no branch takes. Grafana's own has other names in newer versions, so there is no usual one.
    default: str
    group_by: Labels = ("grafana_folder", "alertname")
    group_wait: Wait = "30s"
    group_interval: Duration = "5m"
    repeat_interval: Duration = "4h"
    routes: tuple[OwnRoute, ...] = ()
    # Names of contact points and mute times that somebody made in Grafana itself.
    existing: tuple[str, ...] = ()


def policy_problems(
    settings: Policies, *, receivers: Collection[str], mute_times: Collection[str]
) -> Iterator[Problem]:
    """Names that nothing has, each at its place below `policies`: with one of them Grafana does not start."""
    receivers = {*receivers, *settings.existing}
    if settings.default not in receivers:
        yield ("default",), _unknown("contact point", settings.default, receivers)
    yield from _unknown_names(settings.routes, ("routes",), receivers, {*mute_times, *settings.existing})


def policies(
    routes: Iterable[Route], settings: Policies, *, receivers: Collection[str], mute_times: Collection[str]
) -> Policy:
    """Grafana's policy tree: the administrator's branches, then one for each route, in their order.

    `receivers`, `mute_times`: the names that the same render writes. Raises ConfigError for one that nothing has.
    """
    for place, problem in policy_problems(settings, receivers=receivers, mute_times=mute_times):
        raise ConfigError(f"policies.{'.'.join(map(str, place))}: {problem}")
    ours = list(routes)
    for route in ours:
        if route.receiver not in receivers:
            raise ConfigError(f"rule {route.rule_id}: {_unknown('contact point', route.receiver, receivers)}")
        for name in set(route.mute_times) - set(mute_times):
            raise ConfigError(f"rule {route.rule_id}: {_unknown('mute time', name, mute_times)}")
    return Policy(
        receiver=literal(settings.default),
        group_by=_literals(settings.group_by),
        group_wait=settings.group_wait,
        group_interval=settings.group_interval,
        repeat_interval=settings.repeat_interval,
        routes=[*map(_own, settings.routes), *map(_branch, ours)] or None,
    )


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    return f"no {what} is called {name!r}; {nearest(name, known) if known else 'there are none'}"


def _unknown_names(
    routes: Iterable[OwnRoute], place: Location, receivers: Collection[str], mute_times: Collection[str]
) -> Iterator[Problem]:
    for position, route in enumerate(routes):
        here = (*place, position)
        if route.receiver is not None and route.receiver not in receivers:
            yield (*here, "receiver"), _unknown("contact point", route.receiver, receivers)
        for index, name in enumerate(route.mute_time_intervals or ()):
            if name not in mute_times:
                yield (*here, "mute_time_intervals", index), _unknown("mute time", name, mute_times)
        yield from _unknown_names(route.routes or (), (*here, "routes"), receivers, mute_times)


def _own(route: OwnRoute) -> SubPolicy:
    matchers = [(literal(label), operator, literal(text)) for label, operator, text in route.object_matchers or ()]
    given = {
        "receiver": None if route.receiver is None else literal(route.receiver),
        "object_matchers": matchers,
        "group_by": None if route.group_by is None else _literals(route.group_by),
        "mute_time_intervals": None if route.mute_time_intervals is None else _literals(route.mute_time_intervals),
        "group_wait": route.group_wait,
        "group_interval": route.group_interval,
        "repeat_interval": route.repeat_interval,
        "continue": route.continue_,
        "routes": None if route.routes is None else [_own(child) for child in route.routes],
    }
    return SubPolicy.model_validate(given)


def _branch(route: Route) -> SubPolicy:
    return SubPolicy(
        receiver=literal(route.receiver),
        object_matchers=[("source", "=", "auditgraf"), ("rule_id", "=", literal(route.rule_id))],
        group_by=_literals(route.group_by) or None,
        mute_time_intervals=_literals(route.mute_times) or None,
        group_wait=route.group_wait,
        group_interval=route.group_interval,
        repeat_interval=route.repeat_interval,
    )


def _literals(names: Iterable[str]) -> list[str]:
    return [literal(name) for name in names]
