"""The commands `query`, `show`, `export` and `stats`; each imports what it needs when it runs."""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, TypeVar

import click

from collector.invocation import configuration
from collector.query.completion import completion, offered
from exporter.errors import AuditgrafError, ConfigError

if TYPE_CHECKING:
    from collector.query.question import Question
    from exporter.store.event_match import EventMatch

Function = TypeVar("Function", bound=Callable[..., Any])

NOTHING_FOUND = 1
NOT_UNDERSTOOD = 2
NO_ANSWER = 3
INTERRUPTED = 130  # as shells have it: 128 and the number of SIGINT


class _Failed(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]


class Asking(click.Command):
    """A command that asks the database: 0 answered, 1 nothing found, 2 not understood, 3 no answer."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AuditgrafError as failure:
            raise _Failed(str(failure), NOT_UNDERSTOOD if isinstance(failure, ConfigError) else NO_ANSWER) from failure
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def asked(since: str) -> Callable[[Function], Function]:
    """The argument and options that say which events are meant."""

    def add(function: Function) -> Function:
        options = (
            click.argument("expression", nargs=-1, shell_complete=offered("expression")),
            click.option("--text", metavar="WORDS", help="Found in message, action, actor or target."),
            click.option("--since", default=since, show_default=True, metavar="TIME", help="2h, yesterday, ever, ..."),
            click.option("--until", metavar="TIME", help="Up to, but without that time (default: no end)."),
            click.option("--tz", "zone_name", metavar="ZONE", help="Time zone (default: this machine's)."),
        )
        for option in reversed(options):
            function = option(function)
        return function

    return add


def named_zone(name: str | None) -> tzinfo | None:
    """The zone of a --tz option; None for this machine's. Raises click's BadParameter."""
    from collector.query.moments import parse_zone

    try:
        return parse_zone(name)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--tz") from None


def _question(
    expression: tuple[str, ...], text: str | None, since: str, until: str | None, zone: tzinfo | None, *, logs: bool
) -> Question:
    from collector.query.question import Question

    start, end = moment("--since", since, zone), moment("--until", until, zone)
    return Question(conditions(expression, zone), text, start, end, logs=logs)


def conditions(expression: tuple[str, ...], zone: tzinfo | None = None) -> EventMatch | None:
    """The conditions of an EXPRESSION argument. Raises ClickException with exit code 2."""
    from collector.query.expression import ExpressionError, parse_expression

    try:
        return parse_expression(" ".join(expression), zone=zone)
    except ExpressionError as failure:
        raise _Failed(str(failure), NOT_UNDERSTOOD) from None


def moment(option: str, text: str | None, zone: tzinfo | None = None) -> datetime | None:
    """The time that an option names; None for none, and for `ever`. Raises click's BadParameter."""
    from collector.query.moments import parse_range

    try:
        return None if text is None else parse_range(text, zone, datetime.now(UTC))
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint=option) from None


def _most(context: click.Context, parameter: click.Parameter, limit: int) -> int:
    if context.resilient_parsing:  # somebody pressed TAB and waits
        return limit
    from collector.query.answer import MOST

    if not 1 <= limit <= MOST:
        raise click.BadParameter(f"{limit} is not among 1 to {MOST}; auditgraf export writes any number of events")
    return limit


@click.command(cls=Asking)
@asked(since="24h")
@click.option("--logs", is_flag=True, help="Plain log records (class log) too.")
@click.option("-n", "--limit", type=int, default=50, show_default=True, callback=_most, help="At most so many.")
@click.option(
    "--columns",
    metavar="A,B",
    shell_complete=offered("column"),
    help="Only these columns of audit.events, or actor, target, class, time.",
)
@click.option(
    "--sort",
    default="-time",
    show_default=True,
    metavar="A,-B",
    shell_complete=offered("column"),
    help="By columns; time: oldest first.",
)
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "jsonl", "csv"]), default="table", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --output json.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Print nothing; exit with 0 where something is found, with 1 where not."
)
@click.pass_context
def query(
    context: click.Context,
    expression: tuple[str, ...],
    text: str | None,
    since: str,
    until: str | None,
    zone_name: str | None,
    logs: bool,
    limit: int,
    columns: str | None,
    sort: str,
    output: Any,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find events by EXPRESSION, e.g. 'action~user.* outcome=failure severity>=warn'.

    \b
    country=DE,FR   is one of these      severity>=error  at least; also <= < >
    actor!=alice    is not               changes          is there
    action~user.*   matches a pattern    or, not, ( )     side by side is "and"
    message=~^den   a regular expression
    actor: id, name, address; target: id, name; class; time; columns of audit.events;
    attributes.NAME, resource.NAME. All of it: docs/commands.md
    """
    from rich.console import Console

    from collector.query.answer import Form, answer, is_there
    from collector.query.question import parse_columns

    if as_json and output not in {"table", "json"}:
        raise click.UsageError(f"--json and --output {output} contradict each other; give one of them")
    zone = named_zone(zone_name)
    question = _question(expression, text, since, until, zone, logs=logs)
    chosen = parse_columns(columns) if columns is not None else None
    form = Form("json" if as_json else output, chosen, sort, limit, zone)
    url = configuration(context).reader_url()
    if quiet:
        context.exit(0 if is_there(url, question) else NOTHING_FOUND)
    console = Console()
    found = answer(url, question, form, console)
    if console.is_terminal and form.output == "table":
        click.echo(_remark(found, limit, since, expression), err=True)


def _remark(found: int, limit: int, since: str, expression: tuple[str, ...]) -> str:
    if found == limit:
        return f"the first {found}; there may be more: --limit {min(limit * 10, 10_000)}"
    if found:
        return ""
    hint = (
        "; = takes * as it is, ~ is for patterns" if any("*" in part and "~" not in part for part in expression) else ""
    )
    return f"nothing found since {since}{hint}"


@click.command(cls=Asking)
@click.argument("event_id", metavar="ID")
@click.option("--tz", "zone_name", metavar="ZONE", help="Time zone (default: this machine's).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with the event's resource and scope.")
@click.pass_context
def show(context: click.Context, event_id: str, zone_name: str | None, as_json: bool) -> None:
    """Show one event with its changes; the beginning of its ID is enough where no other begins so."""
    from rich.console import Console

    from collector.query.sheet import find, listed
    from collector.query.sheet import show as run

    zone = named_zone(zone_name)
    found = find(configuration(context).reader_url(), event_id)
    if not found:
        click.echo(f"no event has an id that begins with {event_id}", err=True)
        context.exit(NOTHING_FOUND)
    if len(found) > 1:
        raise ConfigError(
            f"several events have ids that begin with {event_id}; write more of one:\n{listed(found, zone)}"
        )
    run(found[0], Console(), zone, as_json=as_json)


@click.command(cls=Asking)
@asked(since="ever")
@click.option("--format", "given", type=click.Choice(["jsonl", "csv", "parquet"]), help="Default: as the name says.")
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    default="-",
    show_default=True,
    metavar="FILE",
    help="E.g. events.jsonl.zst; - is stdout.",
)
@click.option("--resume", is_flag=True, help="Go on where an export to this FILE ended.")
@click.pass_context
def export(
    context: click.Context,
    expression: tuple[str, ...],
    text: str | None,
    since: str,
    until: str | None,
    zone_name: str | None,
    given: Any,
    output: str,
    resume: bool,
) -> None:
    """Write events to a file, oldest first: all of them, or those that EXPRESSION holds for."""
    from rich.console import Console

    from collector.query.export import Export, opened
    from collector.query.export import export as run
    from collector.query.progress import shown
    from collector.query.target import is_complete

    zone = named_zone(zone_name)
    question = _question(expression, text, since, until, zone, logs=True)
    url = configuration(context).reader_url()
    if resume and is_complete(output):
        click.echo(f"{output} is complete", err=True)
        return
    words = {"expression": " ".join(expression), "--text": text, "--since": since, "--until": until, "--tz": zone_name}
    target, form, question = opened(output, given, question, words, resume=resume)
    try:
        with shown(Console(stderr=True), question, output) as report:
            events = run(url, Export(question, form, report), target)
    except KeyboardInterrupt:
        click.echo(f"interrupted{target.kept()}", err=True)
        context.exit(INTERRUPTED)
    except AuditgrafError as failure:
        raise AuditgrafError(f"{failure}{target.kept()}") from failure
    if output != "-":
        click.echo(f"{events:,} events in {output}", err=True)


@click.command(cls=Asking)
@asked(since="7d")
@click.option("--top", type=click.IntRange(1, 1000), default=10, show_default=True, help="So many of each kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def stats(
    context: click.Context,
    expression: tuple[str, ...],
    text: str | None,
    since: str,
    until: str | None,
    zone_name: str | None,
    top: int,
    as_json: bool,
) -> None:
    """Count events: by class, action, outcome, service and actor, over time, and their size on disk."""
    from rich.console import Console

    from collector.query.stats import collect, print_stats

    zone = named_zone(zone_name)
    question = _question(expression, text, since, until, zone, logs=True)
    counted = collect(configuration(context).reader_url(), question, zone, top)
    print_stats(counted, Console(), zone, top=top, as_json=as_json)


COMMANDS = (query, show, export, stats, completion)
