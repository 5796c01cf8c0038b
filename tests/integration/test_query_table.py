"""The table of `auditgraf query`: how wide columns are, on terminals and in pipes."""

from __future__ import annotations

import io

from click.testing import CliRunner, Result
from rich.console import Console

from collector.cli import main
from collector.config import as_role
from collector.query.answer import Form, answer
from collector.query.question import Question
from tests.integration.committed import Store, event


def run(database: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"AUDITGRAF_DATABASE_URL": database})


def last_cell(database: str, width: int) -> str:
    """What stands at the end of the only event's line on a terminal of that width."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    answer(as_role(database, "auditgraf_reader"), Question(), Form(), console)
    _, line = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return str(line.split()[-1])


def stored(database: str, *events: dict[str, str]) -> None:
    store = Store(database)
    store.add(*events)
    store.close()


def test_one_long_value_does_not_fill_the_lines_of_others_with_spaces(database: str) -> None:
    stored(database, event("long.one", body="x" * 5000), event("short.one", body="y", actor_id="7"))
    lines = run(database, "query").stdout.splitlines()
    assert max(map(len, lines)) > 5000
    assert all(len(line) < 300 for line in lines if "long.one" not in line)


def test_a_long_message_leaves_room_for_the_id_on_a_terminal_of_100_columns(database: str) -> None:
    stored(database, event("long.one", body="x" * 5000, target_name="y" * 90, actor_name="z" * 90, service="shop"))
    lengths = {len(last_cell(database, width)) for width in range(100, 160)}
    assert lengths == {13, 18}


def test_an_id_of_the_table_is_enough_for_show(database: str) -> None:
    stored(database, event("long.one", body="x" * 5000, actor_name="z" * 90))
    for width in (100, 200):
        assert "long.one" in run(database, "show", last_cell(database, width)).stdout
