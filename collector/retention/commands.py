"""The commands `retention`, `hold` and `archive`; each imports what it needs when it runs."""
# ruff: noqa: PLC0415

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING

import click

from collector.invocation import configuration
from exporter.errors import ConfigError, RetentionError

if TYPE_CHECKING:
    from collector.config import Config
    from exporter.store.archive import Period, Place


def _me() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


by_option = click.option("--by", default=_me, metavar="NAME", help="Who does it (default: this user on this machine).")
_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group()
def retention() -> None:
    """Let go what has been kept long enough."""


@retention.command()
@click.option("--exact", is_flag=True, help="Count events instead of estimating them.")
@click.option(
    "--ahead", default="7d", show_default=True, metavar="TIME", help="What goes within that time; or `never` for all."
)
@_json
@click.pass_context
def plan(context: click.Context, exact: bool, ahead: str, as_json: bool) -> None:
    """Say what would go, when, how many events, how much disk. Changes nothing."""
    from collector.retention import place, policy
    from collector.retention.report import print_plan
    from exporter.durations import parse_duration
    from exporter.store.retention import plan as made

    config = configuration(context)
    try:
        horizon = parse_duration(ahead)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--ahead") from None
    where = place(config)
    print_plan(
        made(config.owner_url(), policy(config), exact=exact, ahead=horizon),
        past=config.accept.past,
        archive=where.location if where else None,
        as_json=as_json,
    )


@retention.command()
@click.option("--clock-is-right", is_flag=True, help="Drop although the clock seems to have jumped.")
@click.option("--every", metavar="TIME", help="Go on for ever, e.g. every 1h; what fails is told, and tried again.")
@_json
@click.pass_context
def run(context: click.Context, clock_is_right: bool, every: str | None, as_json: bool) -> None:
    """Make partitions, archive and drop expired ones, let released holds go. Exits with 1 where a step failed."""
    from collector.retention import run_once
    from collector.retention.report import print_report, print_step
    from collector.retention.schedule import repeat

    config = configuration(context)
    if every is not None:
        if clock_is_right or as_json:
            raise click.UsageError("--every stands alone; give --clock-is-right to one run")
        repeat(config, _interval(every))
    steps = None if as_json else print_step
    report = run_once(config, clock_is_right=clock_is_right, report=steps or (lambda step: None))
    print_report(report, as_json=as_json)
    if report.failures:
        context.exit(1)


@click.group()
def hold() -> None:
    """Keep events beyond their time."""


@hold.command()
@click.option("--reason", required=True, help="Why; it is shown wherever the hold is.")
@click.option("--filter", "text", metavar="EXPRESSION", help="Which events: as for `query`, or YAML as in rules.")
@click.option("--all", "everything", is_flag=True, help="Every event: nothing is dropped any more.")
@click.option("--no-count", is_flag=True, help="Do not count what it holds.")
@by_option
@click.pass_context
def create(context: click.Context, reason: str, text: str | None, everything: bool, no_count: bool, by: str) -> None:
    """Hold events until the hold is released."""
    from collector.query.commands import conditions
    from exporter.store.retention import create_hold, parse_filter

    if bool(text and text.strip()) == everything:
        raise click.UsageError("give either --filter, for which events, or --all")
    if not reason.strip():
        raise click.BadParameter("say why", param_hint="--reason")
    match = None
    if text is not None:
        match = parse_filter(text) if text.lstrip().startswith("{") else conditions((text,))
    config = configuration(context)
    made = create_hold(config.owner_url(), by=by, reason=reason, text=text, match=match, count=not no_count)
    _announce(config)
    counted = "" if made.events is None else f": {made.events:,} events match now"
    if made.events == 0:
        counted += "; look whether the filter says what you mean: auditgraf query finds by it too"
    click.echo(f"hold {made.id} is in force{counted}")


@hold.command(name="list")
@click.option("--released", is_flag=True, help="Those that were released too.")
@_json
@click.pass_context
def list_holds(context: click.Context, released: bool, as_json: bool) -> None:
    """List the holds in force."""
    from collector.retention.report import print_holds
    from exporter.store.retention import holds

    print_holds(holds(configuration(context).owner_url(), released=released), as_json=as_json)


@hold.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, help="Why it is over.")
@by_option
@click.pass_context
def release(context: click.Context, number: int, reason: str, by: str) -> None:
    """Release a hold: what only it kept goes with the next run."""
    from exporter.store.retention import release_hold

    config = configuration(context)
    release_hold(config.owner_url(), number, by=by, reason=reason)
    _announce(config)
    click.echo(f"hold {number} is released; what only it kept goes with the next run")


@click.group()
def archive() -> None:
    """Partitions that were archived before they were dropped."""


@archive.command(name="list")
@_json
@click.pass_context
def list_archives(context: click.Context, as_json: bool) -> None:
    """List the archives."""
    from collector.retention.report import print_archives
    from exporter.store.archive import manifests

    print_archives(list(manifests(archive_place(configuration(context)))), as_json=as_json)


@archive.command()
@click.argument("period", required=False, metavar="[FROM..TO]")
@click.pass_context
def verify(context: click.Context, period: str | None) -> None:
    """Read archives through. Exits with 1 where one is not what was written."""
    from collector.retention.report import print_verified
    from exporter.store.archive import verify as read_through

    where = archive_place(configuration(context))
    if not print_verified(read_through(where, _period(period))):
        context.exit(1)


@archive.command()
@click.argument("period", metavar="FROM..TO")
@by_option
@click.pass_context
def restore(context: click.Context, period: str, by: str) -> None:
    """Bring events back, flagged `restored`, until `archive unload`. Days (2026-01-01..2026-01-31) or moments."""
    from collector.retention.report import say_done
    from exporter.store.archive import parse_period
    from exporter.store.archive import restore as bring_back

    config = configuration(context)
    total = 0
    for loaded in bring_back(config.owner_url(), archive_place(config), parse_period(period), by=by):
        total += loaded.events
        say_done(f"{loaded.name}: {loaded.events:,} events")
        for number, events in loaded.forgotten.items():
            say_done(f"  {events:,} events of the archive name a person: pseudonymised, as order {number} says")
    _announce(config)
    say_done(f"{total:,} events restored" + ("" if total else "; archive list shows what there is"))


@archive.command()
@click.argument("period", required=False, metavar="[FROM..TO]")
@click.option("--all", "everything", is_flag=True, help="All that was restored.")
@by_option
@click.pass_context
def unload(context: click.Context, period: str | None, everything: bool, by: str) -> None:
    """Remove restored events again. The archives stay."""
    from exporter.store.archive import unload as remove

    if (period is None) != everything:
        raise click.UsageError("give either FROM..TO or --all")
    config = configuration(context)
    removed = remove(config.owner_url(), _period(period), by=by)
    _announce(config)
    click.echo(f"{removed} restored events removed")


def archive_place(config: Config) -> Place:
    """Where archives are; raises ConfigError where none are made, RetentionError."""
    from collector.retention import place

    where = place(config)
    if where is None:
        raise ConfigError(
            "there is no place for archives; set archive.to in the configuration, or AUDITGRAF_ARCHIVE_TO"
        )
    return where


def _interval(text: str) -> float:
    from collector.config import RetentionJob

    try:
        every = RetentionJob.model_validate({"every": text}).every
    except ValueError:
        every = None
    if every is None:
        raise click.BadParameter(f"{text!r} is none; write a time from 1m to 1d", param_hint="--every")
    return every.total_seconds()


def _period(text: str | None) -> Period | None:
    from exporter.store.archive import parse_period

    return None if text is None else parse_period(text)


def _announce(config: Config) -> None:
    """What was done, as an audit event at once; where that fails, the next run does it."""
    from exporter.store.retention import announce

    try:
        announce(config.owner_url(), config.writer_url())
    except (RetentionError, ConfigError) as failure:
        click.echo(f"the audit event of this comes with the next run: {failure}", err=True)


COMMANDS = (retention, hold, archive)
