"""The command `verify`; it imports what it needs when it runs."""
# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.invocation import configuration
from collector.query.commands import Asking
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from exporter.store.integrity import Heads, Scope

FOUND = 1
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=Asking)
@click.option("--since", metavar="TIME", help="Compare events from this day (UTC) on: 7d, 2026-11-01, ...")
@click.option("--until", metavar="TIME", help="Compare events up to this day, included.")
@click.option("--class", "retention_class", metavar="NAME", help="Compare events of this retention class only.")
@click.option("--heads", type=_FILE, help="Write the last link of each chain to this file, to be kept elsewhere.")
@click.option(
    "--against",
    type=_FILE,
    multiple=True,
    help="Check that the links of a file that --heads wrote, or of a collector's log, are all there; can be repeated.",
)
@click.option("--seal", is_flag=True, help="First seal the events that are older than the tamper evidence.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line for each finding, and one at the end.")
@click.pass_context
def verify(
    context: click.Context,
    since: str | None,
    until: str | None,
    retention_class: str | None,
    heads: Path | None,
    against: tuple[Path, ...],
    seal: bool,
    as_json: bool,
) -> None:
    """Compute every digest anew and say what was changed, deleted or inserted. Exits with 1 where something was."""
    from collector.verify.report import Printer
    from exporter.store.integrity import seal_late
    from exporter.store.integrity import verify as run

    scope = _scope(since, until, retention_class)
    kept = [heads for path in against for heads in _read(path)]
    config = configuration(context)
    printer = Printer(as_json=as_json)
    if seal:
        seal_late(config.owner_url(), printer.sealed)
    with printer:
        outcome = run(
            config.owner_url(),
            scope,
            against=kept,
            writer_url=config.writer_url(),
            found=printer.found,
            progress=printer.progress,
        )
    if heads is not None:
        _write(heads, outcome.heads)
    printer.summary(outcome, heads)
    if outcome.findings:
        context.exit(FOUND)


def _scope(since: str | None, until: str | None, retention_class: str | None) -> Scope:
    from collector.query.commands import moment
    from exporter.store.integrity import Scope

    first, last = moment("--since", since), moment("--until", until)
    if first and last and first > last:
        raise click.UsageError("--since is after --until; exchange them")
    return Scope(first.date() if first else None, last.date() if last else None, retention_class)


def _read(path: Path) -> tuple[Heads, ...]:
    from exporter.store.integrity import parse_heads

    try:
        return parse_heads(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as failure:
        raise ConfigError(f"--against: {path} can't be read: {failure}; give a file that --heads wrote") from None


def _write(path: Path, heads: Heads) -> None:
    """At once or not at all: whoever copies it away must not find half of it."""
    written = path.with_name(f"{path.name}.new")
    try:
        written.write_text(heads.text(), encoding="utf-8")
        written.replace(path)
    except OSError as failure:
        raise ConfigError(f"--heads: {path} can't be written: {failure}; name a file in a writable folder") from None


COMMANDS = (verify,)
