"""What is wrong with rules files, before Grafana finds out: it would not start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from collector.alerts.evaluation import RuleError, explain_at, session
from collector.alerts.known import DEFAULT, Known, known_rules
from collector.config import Config
from collector.rendering import version
from exporter.document import load
from exporter.errors import AuditgrafError, ConfigError
from provisioning.alerts.contacts import needed_variables
from provisioning.alerts.fields import COUNTED, field
from provisioning.alerts.file import Alerts, RulesFile, load_alerts
from provisioning.alerts.past import Past
from provisioning.alerts.rendering import AlertingOptions, Written, alerting_file
from provisioning.alerts.rule import New, Rule
from provisioning.alerts.statements import statement
from provisioning.version import Version

# From then on a rule names its contact point itself.
_NAMES_RECEIVERS = Version(10, 4)


@dataclass(frozen=True, slots=True)
class Checked:
    """`problems` stop Grafana or a rule; `warnings` don't; `files` says what is in each that is right."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def check(config: Config, paths: Sequence[Path], *, defaults: bool) -> Checked:
    """Everything that can be found in these files without a Grafana. Raises ConfigError for the configuration."""
    wanted = version(config)
    try:
        alerts = load_alerts(paths, wanted, defaults=defaults)
        known = [each for each in known_rules(paths, wanted, defaults=defaults) if each.is_on]
    except ConfigError as failure:
        return Checked(tuple(str(failure).splitlines()))
    problems = [*_unusable(config, alerts, wanted)]
    refused, notes = _refused(config, known)
    warnings = (*notes, *_warnings(alerts, wanted))
    return Checked((*problems, *refused), warnings, tuple(_summaries(paths, known)))


def _unusable(config: Config, alerts: Alerts, wanted: Version) -> Iterator[str]:
    """What Grafana's own form of the files does not allow."""
    grafana = config.grafana
    try:
        options = AlertingOptions(grafana.url, grafana.datasource_uid, grafana.alert_folder, wanted)
        alerting_file(alerts, options, Written())
    except ConfigError as failure:
        yield str(failure)
    except ValidationError as failure:
        for error in failure.errors(include_url=False, include_input=False):
            yield f"Grafana can't use {'.'.join(map(str, error['loc']))}: {error['msg']}"


def _refused(config: Config, known: Sequence[Known]) -> tuple[list[str], list[str]]:
    """Rules whose statements PostgreSQL refuses, and why it could not be asked."""
    problems = []
    now = datetime.now(UTC)
    try:
        with session(config.reader_url()) as connection:
            for each in known:
                rule = each.rule
                try:
                    explain_at(connection, rule.id, statement(rule), now - rule.lookback, now)
                except RuleError as failure:
                    problems.append(str(each.document.error(each.at, f"{rule.id}: {failure}")))
    except AuditgrafError as failure:
        return problems, [f"the rules were not tried on the database: {' '.join(str(failure).split())}"]
    return problems, []


def _warnings(alerts: Alerts, wanted: Version) -> Iterator[str]:
    silent = [rule.id for rule in alerts.rules if rule.contact_point is None]
    if silent:
        which = "any rule" if len(silent) == len(alerts.rules) else ", ".join(silent)
        yield f"no contact point for {which}: who is told is up to the notification policies in Grafana"
    if len(silent) < len(alerts.rules) and alerts.policies is None and not wanted.has(_NAMES_RECEIVERS):
        yield (
            f"before {_NAMES_RECEIVERS} Grafana passes over the contact points of rules and asks its notification "
            "policies; where yours is older, write policies: into the rules file, or make routes in Grafana "
            f"(grafana.version is {wanted})"
        )
    for rule in alerts.rules:
        if _reads_all_of_its_past(rule):
            yield (
                f"{rule.id}: reads all events of its baseline every time; group by actor, or ask only of "
                f"{', '.join(sorted(COUNTED))}, or shorten the baseline"
            )
    variables = sorted(needed_variables(alerts.contact_points))
    if variables:
        yield f"Grafana's server needs these variables: {', '.join(variables)}"


def _reads_all_of_its_past(rule: Rule) -> bool:
    return isinstance(rule, New) and Past(rule, [field(name) for name in rule.grouped()]).is_read_whole


def _summaries(paths: Sequence[Path], known: Sequence[Known]) -> Iterator[str]:
    for path in paths:
        document = load(path)
        file = document.parse(RulesFile)
        rules = sum(1 for each in known if each.source == document.name)
        parts = [_counted(rules, "rule"), _counted(len(file.contact_points), "contact point")]
        parts += [_counted(len(file.mute_times), "mute time")] if file.mute_times else []
        parts += ["the notification policies"] if file.policies else []
        yield f"{path}: {', '.join(parts)}"
    if own := sum(1 for each in known if each.source == DEFAULT):
        yield f"{_counted(own, 'rule')} of Auditgraf's own"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
