"""What every start of `auditgraf` would pay for: nothing heavy is imported before somebody needs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from collector.cli import main

HEAVY = {"grpc", "numpy", "polars", "psycopg", "ptars", "pyarrow"}
# Of what is left, the largest: only what is run with a configuration needs them.
MODELS = {"asyncio", "pydantic", "yaml"}
PROGRAM = "from collector.cli import main; main(prog_name='auditgraf')"
REPORT = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"


def run(code: str, *arguments: str, **variables: str) -> tuple[str, set[str]]:
    """What the code prints, and the modules that are there when it ends."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AUDITGRAF_")}
    process = subprocess.run(
        [sys.executable, "-c", f"{REPORT}\n{code}", *arguments],
        env=plain | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return process.stdout, set(process.stderr.split())


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",)], ids=["nothing", "help", "version"])
def test_the_program_itself_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = PROGRAM if arguments else "import collector.cli"
    _, modules = run(code, *arguments)
    assert "collector.cli" in modules
    assert modules.isdisjoint(HEAVY | MODELS)


def test_help_lists_every_command_with_what_it_does() -> None:
    told = run(PROGRAM, "--help")[0].partition("Commands:")[2].split("\n")
    assert {"query", "retention", "verify", "forget", "alerts", "map", "up"} <= main.commands.keys()
    for name, command in main.commands.items():
        [line] = [line for line in told if line.split()[:1] == [name]]
        text = line.removeprefix(f"  {name}").strip().removesuffix("...")
        assert text
        assert " ".join((command.help or "").split()).startswith(text)


def test_help_of_the_commands_imports_nothing_heavy() -> None:
    code = (
        "from collector.cli import main\n"
        "for name in main.commands:\n"
        "    main([name, '--help'], prog_name='auditgraf', standalone_mode=False)"
    )
    text, modules = run(code)
    assert [name for name in main.commands if f"Usage: auditgraf {name} " not in text] == []
    assert modules.isdisjoint(HEAVY | MODELS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [("auditgraf qu", "plain,query"), ("auditgraf query --li", "plain,--limit"), ("auditgraf hold r", "plain,release")],
    ids=["command", "option", "subcommand"],
)
def test_completion_answers_and_imports_nothing_heavy(words: str, expected: str) -> None:
    place = str(len(words.split()) - 1)
    text, modules = run(PROGRAM, _AUDITGRAF_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)
    assert text.split() == [expected]
    assert modules.isdisjoint(HEAVY | MODELS)


def test_a_configuration_is_read_without_what_only_the_collector_needs() -> None:
    code = (
        "from collector.config import Config\n"
        "Config.model_validate({'tenants': {'acme': None}, 'redaction': {'keys': ['*_pin'], 'allow': ['a.b']}})"
    )
    _, modules = run(code)
    assert "collector.config" in modules
    assert modules.isdisjoint(HEAVY)


def test_a_process_that_runs_retention_starts_without_what_only_archives_and_the_writer_need() -> None:
    _, modules = run("import collector.retention.schedule, collector.retention")
    assert "collector.config" in modules
    assert modules.isdisjoint(HEAVY)
    _, modules = run("import exporter.store.retention")
    assert modules & HEAVY == {"psycopg"}


@pytest.mark.parametrize("package", ["query.answer", "query.sheet", "query.stats", "tail", "verify.report"])
def test_commands_that_ask_the_database_need_psycopg_and_nothing_heavier(package: str) -> None:
    _, modules = run(f"import collector.{package}")
    assert modules & HEAVY == {"psycopg"}
