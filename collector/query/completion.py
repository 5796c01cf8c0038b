"""Completion by the shell: the command that sets it up, and what a parameter's values are completed by."""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Offer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def offered(name: str) -> Offer:
    """What completes a parameter's value: the function of that name in collector.query.offers."""

    def offer(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from collector.query import offers

        found: Offer = getattr(offers, name)
        return found(context, parameter, incomplete)

    return offer


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options, columns, classes, fields and actions.

    \b
    For this session:
      source <(auditgraf completion bash)       # zsh as well, after compinit
      auditgraf completion fish | source
    For good: docs/commands.md
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    source = kind(context.find_root().command, {}, "auditgraf", "_AUDITGRAF_COMPLETE").source()
    # For fish, click ends a value at its first comma: --columns time,action has one.
    click.echo(source.replace('string split ","', 'string split --max 1 ","'))
