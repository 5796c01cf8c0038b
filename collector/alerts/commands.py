"""The commands `alerts check`, `list`, `try` and `test`; each imports what it needs when it runs."""
# ruff: noqa: PLC0415

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import NoReturn

import click

from collector.invocation import configuration
from collector.query.commands import INTERRUPTED, NO_ANSWER, NOT_UNDERSTOOD, NOTHING_FOUND, Asking, moment
from exporter.errors import ConfigError

_FILE = click.Path(path_type=Path, dir_okay=False)
_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group()
def alerts() -> None:
    """Check, list and try alert rules, and test whom they tell."""


@alerts.command(cls=Asking)
@click.argument("files", nargs=-1, type=_FILE)
@click.pass_context
def check(context: click.Context, files: tuple[Path, ...]) -> None:
    """Say what is wrong with FILES, or with the rules files of the configuration. Exits with 2 where something is."""
    from rich.console import Console

    from collector.alerts.check import check as run
    from collector.terminal import say

    config = configuration(context)
    paths = files or config.alerts.files
    defaults = config.alerts.defaults and not files
    if not paths and not defaults:
        raise ConfigError("there is no rules file; name one, or set alerts.files in the configuration")
    console = Console()
    checked = run(config, paths, defaults=defaults)

    def tell(text: str, style: str) -> None:
        say(console, text, style)

    for problem in checked.problems:
        tell(problem, "red")
    for warning in checked.warnings:
        tell(f"warning: {warning}", "yellow")
    if checked.problems:
        tell(f"{len(checked.problems)} to be mended", "bold red")
        context.exit(NOT_UNDERSTOOD)
    for file in checked.files:
        tell(f"{file}: nothing is wrong", "green")


@alerts.command(name="list", cls=Asking)
@click.option("--defaults", is_flag=True, help="Auditgraf's own rules, on or off, and no others.")
@_json
@click.pass_context
def list_rules(context: click.Context, defaults: bool, as_json: bool) -> None:
    """List the rules: those of the configuration's files, and of Auditgraf's own those that are on."""
    from rich.console import Console

    from collector.alerts.known import DEFAULT
    from collector.alerts.report import listed, print_json, print_list
    from collector.alerts.running import known

    rules = [
        each
        for each in known(configuration(context))
        if (each.source == DEFAULT if defaults else each.is_on or each.source != DEFAULT)
    ]
    if as_json:
        print_json(Console(), [listed(each) for each in rules])
    elif rules:
        print_list(Console(), rules)
    else:
        click.echo("there are no rules; set alerts.files or alerts.defaults, or see --defaults", err=True)


@alerts.command(name="try", cls=Asking)
@click.argument("name", metavar="[RULE|FILE]", required=False)
@click.option("--all", "everything", is_flag=True, help="All rules that are on, a line for each.")
@click.option("--since", metavar="TIME", help="Over the past since then: 7d, yesterday, ... (default: now).")
@click.option("--until", metavar="TIME", help="Up to that time (default: now).")
@click.option("--step", metavar="TIME", help="Time between evaluations, e.g. 5m (default: as the rule needs it).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Another value in the rule (repeatable).")
@click.option("--tz", "zone_name", metavar="ZONE", help="Time zone (default: this machine's).")
@_json
@click.pass_context
def try_rules(
    context: click.Context,
    name: str | None,
    everything: bool,
    since: str | None,
    until: str | None,
    step: str | None,
    settings: tuple[str, ...],
    zone_name: str | None,
    as_json: bool,
) -> None:
    """Say which alerts RULE (or each rule of FILE) has now, or would have had over a time. Sends nothing.

    Exits with 1 where there are none.
    """
    from rich.console import Console

    from collector.alerts.report import now_json, print_json, print_now, print_trial, print_trials, trial_json
    from collector.alerts.running import now_of, past_of, rules_of

    if (name is None) != everything:
        raise click.UsageError("give either a rule, a file, or --all")
    zone = _zone(zone_name)
    end = moment("--until", until, zone) or datetime.now(UTC)
    start = moment("--since", since, zone)
    if since is None and (until or step):
        raise click.UsageError("--until and --step need --since")
    if since is not None and (start is None or start >= end):
        raise click.BadParameter("write a time before the end, e.g. 7d", param_hint="--since")
    config = configuration(context)
    rules = rules_of(config, name, settings)
    console = Console()
    if start is None:
        now = now_of(config.reader_url(), rules, end)
        if as_json:
            print_json(console, [now_json(each) for each in now.found])
        for each in [] if as_json else now.found:
            print_now(console, each, zone)
        _end(context, now.failed, is_there=any(each.firing for each in now.found))
    past = past_of(config.reader_url(), rules, start, end, _step(step), Console(stderr=True))
    if as_json:
        print_json(console, [trial_json(each) for each in past.found])
    elif len(rules) > 1:
        print_trials(console, past.found, zone)
    else:
        print_trial(console, past.found[0], zone)
    if any(trial.cut == "interrupted" for trial in past.found):
        context.exit(INTERRUPTED)
    _end(context, past.failed, is_there=any(trial.firings for trial in past.found))


@alerts.command(cls=Asking)
@click.argument("contact_point")
@click.option("--rule", "name", metavar="ID", help="With the labels and texts of this rule.")
@_json
@click.pass_context
def test(context: click.Context, contact_point: str, name: str | None, as_json: bool) -> None:
    """Have Grafana send a test notification through CONTACT_POINT. Exits with 3 where one was not sent."""
    from rich.console import Console

    from collector.alerts.grafana_api import GrafanaApi
    from collector.alerts.notification import print_sent, sample, sample_rule
    from collector.alerts.notification import send as run
    from collector.alerts.running import known

    config = configuration(context)
    rule = sample_rule(known(config), contact_point, name)
    sent = run(GrafanaApi.of(config.grafana), contact_point, sample(rule, contact_point, config.grafana))
    print_sent(Console(), contact_point, sent, as_json=as_json)
    context.exit(0 if all(each.is_sent for each in sent) else NO_ANSWER)


def _end(context: click.Context, failed: tuple[str, ...], *, is_there: bool) -> NoReturn:
    for failure in failed:
        click.echo(failure, err=True)
    context.exit(NO_ANSWER if failed else 0 if is_there else NOTHING_FOUND)


def _zone(name: str | None) -> tzinfo | None:
    from collector.query.moments import parse_zone

    try:
        return parse_zone(name)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--tz") from None


def _step(text: str | None) -> timedelta | None:
    from exporter.durations import parse_duration

    try:
        span = parse_duration(text)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--step") from None
    if text is not None and not span:
        raise click.BadParameter(f"{text!r} is no step; write e.g. 5m", param_hint="--step")
    return span


COMMANDS = (alerts,)
