"""The command line. The one place that knows all packages; each command imports what it needs when it runs."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Literal

import click

from collector.alerts.commands import COMMANDS as ALERTS_COMMANDS
from collector.explain.commands import COMMANDS as EXPLAIN_COMMANDS
from collector.invocation import configuration as _config
from collector.invocation import environment as _environment
from collector.query.commands import COMMANDS, Asking
from collector.query.completion import offered
from collector.retention.commands import COMMANDS as RETENTION_COMMANDS
from collector.retention.person import COMMANDS as PERSON_COMMANDS
from collector.verify.commands import COMMANDS as VERIFY_COMMANDS
from exporter.errors import AuditgrafError, ConfigError


class _Cli(click.Group):
    """Prints our own errors as one sentence, without a traceback, and ends quietly where the reader leaves."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AuditgrafError as failure:
            raise click.ClickException(str(failure)) from failure
        except UnicodeEncodeError as failure:
            if failure.encoding != "utf-8":
                raise
            raise click.UsageError(f"{failure.object[:100]!r} is not text in UTF-8; write it anew") from failure
        except BrokenPipeError:
            from rich.console import Console

            from collector.terminal import discard

            discard(Console())
            ctx.exit(0)
        except OSError as failure:
            if failure.errno != errno.ENOSPC:
                raise
            raise click.ClickException(f"there is no room to write: {failure}; make some") from failure


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The YAML configuration (default: $AUDITGRAF_CONFIG, else none).",
)
@click.version_option(package_name="auditgraf")
@click.pass_context
def main(context: click.Context, config_file: Path | None) -> None:
    """OTLP logs in, audit events in PostgreSQL, dashboards in Grafana."""
    # Who forks here starts another program; gRPC would get ready for more, and say on the terminal that it can't.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    context.obj = config_file


for _command in (
    *COMMANDS,
    *ALERTS_COMMANDS,
    *EXPLAIN_COMMANDS,
    *RETENTION_COMMANDS,
    *PERSON_COMMANDS,
    *VERIFY_COMMANDS,
):
    main.add_command(_command)


@main.command()
@click.option("--trace", metavar="SERVICE", help="Explain records of this service in the log, a few a second.")
@click.pass_context
def serve(context: click.Context, trace: str | None) -> None:
    """Run the collector until it is told to stop."""
    import asyncio

    from collector.server import serve as run

    asyncio.run(run(_config(context), trace=trace))


@main.command()
@click.pass_context
def migrate(context: click.Context) -> None:
    """Bring the database to this version's schema."""
    from exporter.store.migrate import latest_version
    from exporter.store.migrate import migrate as run

    config = _config(context)
    applied = run(
        config.owner_url(),
        config.classes,
        passwords=config.passwords(),
        tenants=config.known_tenants(),
        report=click.echo,
    )
    click.echo(f"schema version {latest_version()}, {applied or 'no'} migrations applied")


@main.command()
@click.option("--demo", is_flag=True, help="Fill the last 24 hours with invented events, then go on emitting them.")
@click.option("--no-grafana", is_flag=True, help="Do not start Grafana even where one is installed.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Folder for all data (.auditgraf).")
@click.pass_context
def up(context: click.Context, demo: bool, no_grafana: bool, home: Path | None) -> None:
    """Run everything on this machine: PostgreSQL (embedded), collector, Grafana where one is installed."""
    from collector.home import default_home
    from collector.up import UpOptions
    from collector.up import up as run

    config = _config(context)
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    run(UpOptions(home or default_home(), demo, not no_grafana), config, _environment(context), click.echo)


@main.command()
@click.option("--endpoint", help="Where OTLP is received (default: this machine's collector).")
@click.option("--protocol", type=click.Choice(["grpc", "http"]), default="grpc", show_default=True)
@click.option("--rate", type=float, default=5.0, show_default=True, help="Events a second.")
@click.option("--count", type=int, help="Stop after so many (default: go on until stopped).")
@click.option("--backfill", default="0s", show_default=True, help="First, events of the past, e.g. 24h.")
@click.option("--backfill-count", type=int, default=0, show_default=True, help="How many of those.")
@click.option("--seed", type=int, help="The same seed gives the same events.")
@click.pass_context
def demo(
    context: click.Context,
    endpoint: str | None,
    protocol: Literal["grpc", "http"],
    rate: float,
    count: int | None,
    backfill: str,
    backfill_count: int,
    seed: int | None,
) -> None:
    """Emit realistic audit events of several services through the OpenTelemetry SDK."""
    import signal
    import threading
    from datetime import timedelta

    from collector.demo import DemoOptions, run
    from exporter.durations import parse_duration

    config = _config(context)
    default = config.grpc.listen if protocol == "grpc" else f"http://{config.http.listen}"
    try:
        span = parse_duration(backfill) or timedelta(0)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--backfill") from None
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    options = DemoOptions(
        endpoint=endpoint or default,
        protocol=protocol,
        rate=rate,
        count=count,
        seed=seed,
        backfill=span,
        backfill_count=backfill_count,
    )
    click.echo(f"{run(options, stop=stop)} records sent and acknowledged")


@main.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the files.")
@click.pass_context
def render(context: click.Context, out: Path) -> None:
    """Write Grafana's provisioning: data source, dashboard provider, dashboards."""
    from collector.rendering import write

    for path in write(_config(context), out):
        click.echo(path)


@main.command(name="config")
@click.option("--secrets", is_flag=True, help="Show connection URLs and passwords too.")
@click.pass_context
def show_config(context: click.Context, secrets: bool) -> None:
    """Print the configuration in force, as YAML, secrets hidden."""
    from collector.config import shown

    click.echo(shown(_config(context), secrets=secrets), nl=False)


@main.command(cls=Asking)
@click.argument("expression", nargs=-1, shell_complete=offered("expression"))
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="GLOB",
    shell_complete=offered("listed"),
    help="Only these services (repeatable).",
)
@click.option(
    "--action",
    "actions",
    multiple=True,
    metavar="GLOB",
    shell_complete=offered("listed"),
    help="Only these actions (repeatable).",
)
@click.option("--actor", "actors", multiple=True, metavar="GLOB", help="Only these actors (repeatable).")
@click.option("--outcome", "outcomes", multiple=True, type=click.Choice(["success", "failure", "unknown"]))
@click.option(
    "--class",
    "classes",
    multiple=True,
    shell_complete=offered("retention_class"),
    help="Only these retention classes (repeatable).",
)
@click.option("--logs", is_flag=True, help="Plain log records (class log) too.")
@click.option("--level", "--min-severity", "min_severity", default="0", help="At least e.g. warn, or a number.")
@click.option("--grep", "--text", metavar="TEXT", help="Only events that have this text somewhere.")
@click.option("--since", metavar="TIME", help="Begin with all events since then: 2h, yesterday, ...")
@click.option("--tz", "zone_name", metavar="ZONE", help="Time zone (default: this machine's).")
@click.option(
    "-n", "--last", type=click.IntRange(0), help="Begin with the newest so many (default: 10, or as --since says)."
)
@click.option("--count", type=click.IntRange(0), help="End after so many events.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_context
def tail(
    context: click.Context,
    expression: tuple[str, ...],
    services: tuple[str, ...],
    actions: tuple[str, ...],
    actors: tuple[str, ...],
    outcomes: tuple[str, ...],
    classes: tuple[str, ...],
    logs: bool,
    min_severity: str,
    grep: str | None,
    since: str | None,
    zone_name: str | None,
    last: int | None,
    count: int | None,
    as_json: bool,
) -> None:
    """Show events as they are committed, those that EXPRESSION holds for (see auditgraf query)."""
    from rich.console import Console

    from collector.query.commands import conditions, moment, named_zone
    from collector.tail import TailFilter, follow, parse_severity

    if since and last is not None:
        raise click.UsageError("--since and --last both say where to begin; give one of them")

    zone = named_zone(zone_name)
    chosen = TailFilter(
        services=services,
        actions=actions,
        actors=actors,
        outcomes=outcomes,
        classes=classes,
        logs=logs,
        min_severity=parse_severity(min_severity),
        grep=grep,
        match=conditions(expression, zone),
    )
    url = _config(context).reader_url()
    last = 10 if last is None else last
    start = moment("--since", since, zone)
    follow(url, chosen, last=last, count=count, as_json=as_json, console=Console(), since=start, zone=zone)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Say what is configured, what is reachable, what is wrong, and what to do. Exits with 1 where something is."""
    from rich.console import Console

    from collector.doctor import examine, report, unusable

    try:
        findings = examine(_config(context), _environment(context))
    except ConfigError as failure:
        findings = iter([unusable(failure)])
    if not report(findings, as_json=as_json, console=Console()):
        context.exit(1)
