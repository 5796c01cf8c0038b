"""The commands `explain` and `map`; each imports what it needs when it runs."""
# ruff: noqa: PLC0415

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.invocation import configuration

if TYPE_CHECKING:
    from exporter.transform import Transform

_TOGETHER = 1_000  # requests that are explained at once


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@click.option("--preset", "presets", multiple=True, help="A preset beside those of the configuration (repeatable).")
@click.option(
    "--rules", multiple=True, type=click.Path(path_type=Path, dir_okay=False), help="A rules file beside them."
)
@click.option("--service", default="", help="service.name of plain lines, which have none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record, for machines.")
@click.pass_context
def explain(
    context: click.Context,
    files: tuple[Path, ...],
    presets: tuple[str, ...],
    rules: tuple[Path, ...],
    service: str,
    as_json: bool,
) -> None:
    """Show which rules match the records of FILES, where every column comes from, and what is redacted.

    FILES hold OTLP (JSON or protobuf), or plain log lines; - is the standard input. Nothing is stored.
    """
    from rich.console import Console

    from collector.explain.files import read_payloads
    from collector.explain.output import print_explanations
    from collector.transformation import transform_of
    from exporter.explain import explain as explained

    transform = transform_of(configuration(context), presets=presets, rules=rules, any_time=True)
    console = Console(highlight=False)
    for file in files:
        payloads = read_payloads(file, service)
        while together := list(islice(payloads, _TOGETHER)):
            print_explanations(explained(transform, together), console, as_json=as_json)


@click.group("map")
def mapping() -> None:
    """The mapping of records to events."""


@mapping.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.pass_context
def test(context: click.Context, folder: Path) -> None:
    """Run the cases of FOLDER (*.yaml: records, and the events they must become). Exits with 1 where one fails."""
    from collector.transformation import transform_of
    from exporter.mapping.fixtures import run

    config = configuration(context)

    def made(presets: tuple[str, ...] | None, rules: tuple[Path, ...] | None) -> Transform:
        given = {"presets": presets, "rules": rules}
        own = {name: value for name, value in given.items() if value is not None}
        mapping = config.mapping.model_copy(update=own)
        return transform_of(config.model_copy(update={"mapping": mapping}), any_time=True)

    ran = run(folder, made)
    for failure in ran.failures:
        click.echo(str(failure))
    failed = len({(failure.place, failure.case) for failure in ran.failures})
    click.echo(f"{ran.cases - failed} of {ran.cases} cases as expected")
    if failed:
        context.exit(1)


@mapping.command()
def presets() -> None:
    """List the presets."""
    from exporter.mapping.rules import preset_names

    click.echo("\n".join(preset_names()))


@mapping.command()
def schema() -> None:
    """Print the JSON Schema of rules files, with which editors complete and check them."""
    from exporter.mapping.schema import schema_text

    click.echo(schema_text(), nl=False)


COMMANDS: tuple[click.Command, ...] = (explain, mapping)
