"""The command `forget`; it imports what it needs when it runs."""
# ruff: noqa: PLC0415

from __future__ import annotations

import click

from collector.invocation import configuration
from collector.retention.commands import archive_place, by_option


@click.command()
@click.option("--actor", required=True, metavar="ID", help="The person, as actor_id has it.")
@click.option("--also", multiple=True, metavar="NAME", help="What else the person is called (repeatable).")
@click.option("--order", "text", metavar="TEXT", help="On whose word: a ticket's number, a letter's date.")
@click.option("--dry-run", is_flag=True, help="Count, and change nothing.")
@click.option("--archives", "rewrite", is_flag=True, help="Rewrite the archives that have events of the person.")
@click.option("--no-archives", is_flag=True, help="Do not look for the person in archives.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
@click.pass_context
def forget(
    context: click.Context,
    actor: str,
    also: tuple[str, ...],
    text: str | None,
    dry_run: bool,
    rewrite: bool,
    no_archives: bool,
    yes: bool,
    by: str,
) -> None:
    """Put a pseudonym in the place of a person, in all events; in archives, where --archives says so.

    This can't be undone.
    """
    from collector.retention import place
    from collector.retention.report import print_forgotten, print_preview, say_done
    from exporter.store import forget as orders
    from exporter.store.archive import PersonInArchives

    if rewrite and no_archives:
        raise click.UsageError("--archives and --no-archives contradict each other; give one of them")
    config = configuration(context)
    where = archive_place(config) if rewrite else None if no_archives else place(config)
    archives = None if where is None else PersonInArchives(where)
    if dry_run or not yes:
        print_preview(orders.preview(config.owner_url(), actor, also=also, archives=archives))
    if dry_run:
        return
    if not yes:
        click.confirm("Pseudonymise these events? This can't be undone", abort=True, err=True)
    forgotten = orders.forget(
        config.owner_url(),
        config.writer_url(),
        actor,
        by=by,
        text=text,
        also=also,
        archives=archives,
        rewrite=rewrite,
        report=lambda table, events: say_done(f"{table}: {events:,} events") if events else None,
    )
    print_forgotten(forgotten)


COMMANDS = (forget,)
