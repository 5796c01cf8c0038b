"""What the shell offers at TAB, asked for as the shells ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.cli import main
from tests.integration.committed import Store, event

Offered = Callable[..., list[str]]


@pytest.fixture
def offered(database: str, tmp_path: Path) -> Offered:
    """What is offered for the last word; `sep` is a line break for bash, whose words are split at = too."""
    store = Store(database)
    store.add(
        event("user.login", service="shop"), event("user.logout", service="shop"), event("$(reboot)", service="x")
    )
    store.close()
    config = tmp_path / "auditgraf.yaml"
    config.write_text("retention: {default: 365d, security: 2y}\n", encoding="utf-8")

    def complete(*words: str, shell: str = "zsh", sep: str = " ") -> list[str]:
        variables = {
            "AUDITGRAF_DATABASE_URL": database,
            "_AUDITGRAF_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": sep.join(("auditgraf", *words)),
            "COMP_CWORD": words[-1] if shell == "fish" else str(len(words)),
            "AUDITGRAF_CONFIG": str(config),
        }
        result = CliRunner().invoke(main, [], prog_name="auditgraf", env=variables)
        if shell == "bash":
            return [line.removeprefix("plain,") for line in result.stdout.splitlines()]
        return result.stdout.splitlines()[1::3]

    return complete


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("query", "outc"), ["outcome"]),
        (("query", "outcome="), ["outcome=failure", "outcome=success", "outcome=unknown"]),
        (("query", "outcome!=f"), ["outcome!=failure"]),
        (("query", "severity>=err"), ["severity>=error"]),
        (("query", "class=sec"), ["class=security"]),
        (("query", "action=user.login,user.logo"), ["action=user.login,user.logout"]),
        (("query", "'outcome=success (action=user.logo"), ["outcome=success (action=user.logout"]),
        (("query", "--columns", "time,target_n"), ["time,target_name"]),
        (("stats", "service=s"), ["service=shop"]),
        (("tail", "--action", "user."), ["user.login", "user.logout"]),
        (("tail", "--class", "d"), ["default"]),
        (("query", "action=$"), []),
        (("query", "nonsense=a"), []),
    ],
)
def test_fields_and_values_are_offered(offered: Offered, words: tuple[str, ...], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_bash_which_splits_words_at_the_sign_is_offered_values(offered: Offered) -> None:
    assert offered("query", "outcome", "=", shell="bash", sep="\n") == ["failure", "success", "unknown"]
    assert offered("query", "action", "=", "user.logo", shell="bash", sep="\n") == ["user.logout"]


def test_a_database_that_is_away_offers_nothing_and_says_nothing(
    offered: Offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITGRAF_READER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert offered("query", "action=user") == []
