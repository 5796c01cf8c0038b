"""The command line. The one place that knows all packages; each command imports what it needs when it runs."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click

from collector.config import Config, load_config
from exporter.errors import AuditgrafError


class _Cli(click.Group):
    """Prints our own errors as one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AuditgrafError as failure:
            raise click.ClickException(str(failure)) from failure


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
    context.obj = config_file


def _config(context: click.Context) -> Config:
    config = load_config(path=context.find_root().obj)
    logging.basicConfig(
        level=config.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        force=True,
    )
    return config


@main.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Run the collector until it is told to stop."""
    from collector.server import serve as run

    asyncio.run(run(_config(context)))


@main.command()
@click.pass_context
def migrate(context: click.Context) -> None:
    """Bring the database to this version's schema."""
    from exporter.store.migrate import latest_version
    from exporter.store.migrate import migrate as run

    config = _config(context)
    applied = run(config.owner_url(), config.classes, passwords=config.passwords(), report=click.echo)
    click.echo(f"schema version {latest_version()}, {applied or 'no'} migrations applied")
