"""`auditgraf alerts check`, `list` and `try` on a database whose events are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from collector.alerts import trial
from collector.alerts.evaluation import RuleError, alerts_at, session
from collector.alerts.trial import try_history
from collector.cli import main
from collector.config import as_role
from provisioning.alerts.rule import Rule
from tests.alert_history import NOON, AlertHistory, at, opened_history, rule

FAILED: dict[str, Any] = {"outcome": "failure", "action": "user.login_failed"}
SECOND = timedelta(seconds=1)
RULES = """
contact_point: team
contact_points:
  team: [{webhook: {url: $TEAM_WEBHOOK}}]
rules:
  - {id: guesses, name: Guesses, kind: count, about: failed_sign_in, group_by: [actor], above: 3, window: 10m,
     message: "{value} failures of {actor}"}
  - {id: deletions, name: Deletions, kind: any, filter: {action: user.deleted}, enabled: false}
"""
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def history(shared_database: str) -> Iterator[AlertHistory]:
    """Ada fails 5 times at 11:00 and 6 times at 8:00, Bob 5 times at 9:00 yesterday; 60 deletions within a minute."""
    with opened_history(shared_database) as opened:
        opened.events(5, at(hours=1), **FAILED, actor="Ada")
        opened.events(6, at(hours=4), **FAILED, actor="Ada")
        opened.events(5, at(hours=3), **FAILED, actor="Bob")
        opened.events(60, at(hours=2), action="user.deleted", actor="Eve\u202e")
        opened.events(5, datetime.now(UTC), **FAILED, actor="Now")
        yield opened


@pytest.fixture
def run(history: AlertHistory, shared_database: str, tmp_path: Path) -> Run:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "auditgraf.yaml").write_text("alerts: {files: [rules.yaml]}\n")

    def invoke(*arguments: str, **environment: str) -> Result:
        variables = {
            "AUDITGRAF_DATABASE_URL": shared_database,
            "AUDITGRAF_HOME": "/nonexistent",
            "AUDITGRAF_CONFIG": str(tmp_path / "auditgraf.yaml"),
            **environment,
        }
        return CliRunner().invoke(main, ["alerts", *arguments], env=variables)

    return invoke


PAST = ("--since", f"{at(hours=12):%Y-%m-%dT%H:%M:%SZ}", "--until", f"{NOON:%Y-%m-%dT%H:%M:%SZ}", "--tz", "UTC")


def tried(run: Run, name: str, *arguments: str) -> dict[str, Any]:
    result = run("try", name, *PAST, "--json", *arguments)
    assert result.exit_code in {0, 1}, result.output
    [found] = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_a_rule_that_is_right_is_checked_without_a_word_but_what_grafana_needs(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[-1].endswith("rules.yaml: 1 rule, 1 contact point: nothing is wrong")
    assert any("needs these variables: TEAM_WEBHOOK" in line for line in lines)
    assert any("grafana.version is any" in line for line in lines)


def test_every_mistake_is_told_with_its_place_and_exit_code_2(run: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "rules:\n"
        "  - {id: one, name: One, kind: count, filter: all, abov: 3}\n"
        "  - {id: two, name: Two, kind: any, filter: all, severity: bad}\n"
    )
    result = run("check", str(wrong))
    assert result.exit_code == 2
    assert f"{wrong}:2: rules.0.abov: unknown key; did you mean above?" in result.stdout
    assert f"{wrong}:3: rules.1.severity" in result.stdout
    assert result.stdout.splitlines()[-1] == "3 to be mended"


def test_what_only_the_database_knows_to_be_wrong_is_told_with_its_place(run: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    zone = "{id: night, name: Night, kind: outside_hours, filter: all, zone: Europe/Zurich}"
    wrong.write_text(f"rules:\n  - {zone}\n")
    assert run("check", str(wrong)).exit_code == 0
    result = run("check", str(wrong), AUDITGRAF_DATABASE_URL="postgresql://postgres@127.0.0.1:1/audit")
    assert result.exit_code == 0
    assert "the rules were not tried on the database: PostgreSQL can't be reached" in result.stdout


def test_what_grafana_would_do_otherwise_than_meant_is_a_warning(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "loose.yaml"
    file.write_text("rules:\n  - {id: fresh, name: Fresh, kind: new, filter: all, of: target, group_by: [service]}\n")
    result = run("check", str(file))
    assert result.exit_code == 0
    assert "no contact point for any rule" in result.stdout
    assert "fresh: reads all events of its baseline every time" in result.stdout


def test_check_without_a_file_says_what_to_do(run: Run, tmp_path: Path) -> None:
    (tmp_path / "auditgraf.yaml").write_text("{}\n")
    result = run("check")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "alerts.files" in result.stderr


def test_the_list_has_rules_that_are_off_too(run: Run, tmp_path: Path) -> None:
    [guesses, deletions] = json.loads(run("list", "--json").stdout)
    assert (guesses["id"], guesses["on"], guesses["contact_point"]) == ("guesses", True, "team")
    assert guesses["from"] == str(tmp_path / "rules.yaml")
    assert (deletions["id"], deletions["on"]) == ("deletions", False)
    assert [line.split()[0] for line in run("list").stdout.splitlines()] == ["id", "guesses", "deletions"]


def test_the_list_of_defaults_says_which_are_on_and_how_they_were_changed(run: Run, tmp_path: Path) -> None:
    off = json.loads(run("list", "--defaults", "--json").stdout)
    assert {each["on"] for each in off} == {False}
    change = "defaults: {rules: [mass-deletion], change: {mass-deletion: {severity: critical}}}\n"
    (tmp_path / "rules.yaml").write_text(change)
    rules = {each["id"]: each for each in json.loads(run("list", "--defaults", "--json").stdout)}
    assert len(rules) == len(off)
    assert [name for name, each in rules.items() if each["on"]] == ["mass-deletion"]
    assert rules["mass-deletion"]["severity"] == "critical"


def test_a_rule_tried_now_has_its_alerts_with_their_text(run: Run) -> None:
    [now] = json.loads(run("try", "guesses", "--json").stdout)
    [alert] = now["alerts"]
    assert (alert["state"], alert["value"], alert["summary"]) == ("firing", 5.0, "5 failures of Now")
    result = run("try", "guesses")
    assert result.exit_code == 0
    assert result.stdout.startswith("guesses: 1 alert firing")


def test_what_has_not_lasted_long_enough_is_pending(run: Run) -> None:
    result = run("try", "guesses", "--set", "for=1h", "--json")
    assert result.exit_code == 1
    assert [alert["state"] for alert in json.loads(result.stdout)[0]["alerts"]] == ["pending"]


def test_over_the_past_it_says_who_when_how_long_and_how_often(run: Run) -> None:
    found = tried(run, "guesses")
    assert found["fired"] == 3
    [ada, bob] = found["alerts"]
    assert (ada["labels"]["actor"], ada["times"], ada["value"]) == ("Ada", 2, 6.0)
    assert (bob["labels"]["actor"], bob["times"], bob["summary"]) == ("Bob", 1, "5 failures of Bob")
    # The fourth of six failures, a second apart and the last at 8:00, is seen by the evaluation of that minute.
    assert datetime.fromisoformat(ada["first"]) == at(hours=4)
    assert datetime.fromisoformat(ada["last"]) == at(hours=1)
    text = run("try", "guesses", *PAST).stdout
    assert text.splitlines()[-1] == "guesses: would have fired 3 times for 2 actors in 12 hours"


@pytest.mark.parametrize(
    ("settings", "fired"),
    [
        (["above=5"], 1),
        (["above=6"], 0),
        (["group_by=[]", "message='{value} failures'"], 3),
        (["window=1m", "filter={actor_name: Bob}"], 1),
        (["filter.actor_name=Ada"], 2),
        (["for=10m"], 3),
        (["for=1h"], 0),
    ],
)
def test_a_rule_is_tuned_without_its_file(run: Run, settings: list[str], fired: int) -> None:
    given = [argument for setting in settings for argument in ("--set", setting)]
    assert tried(run, "guesses", *given)["fired"] == fired


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("above=many", "--set above: 'many'"),
        ("abov=3", "did you mean above?"),
        ("above", "write KEY=VALUE"),
        ("id=other", "write KEY=VALUE"),
        ("message='{nobody}'", "{nobody}"),
        ("group_by=[]", "set message too"),
        ("above=[", "no YAML"),
    ],
)
def test_a_setting_that_a_file_could_not_have_is_refused(run: Run, setting: str, told: str) -> None:
    result = run("try", "guesses", "--set", setting)
    assert result.exit_code == 2
    assert told in result.stderr


def test_each_event_of_the_past_counts_once_and_those_beyond_fifty_as_a_number(run: Run) -> None:
    found = tried(run, "deletions")
    # 60 within a minute: that many evaluations would not tell apart, halves of the time do.
    assert found["fired"] == 60
    assert tried(run, "deletions", "--set", "interval=5m")["fired"] == 60


def test_nothing_that_an_event_says_steers_the_terminal(run: Run) -> None:
    text = run("try", "deletions", *PAST).stdout
    assert "\u202e" not in text
    assert "Eve\\u202e" in text


def test_all_rules_that_are_on_are_tried_and_summed_up(run: Run) -> None:
    result = run("try", "--all", *PAST, AUDITGRAF_ALERT_DEFAULTS="true")
    assert result.exit_code == 0, result.output
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "3 times" in lines["guesses"]
    assert "deletions" not in lines
    assert "mass-deletion" in lines


def test_a_file_is_tried_with_all_its_rules(run: Run, tmp_path: Path) -> None:
    result = run("try", str(tmp_path / "rules.yaml"), *PAST, "--json")
    assert [each["rule"] for each in json.loads(result.stdout)] == ["guesses", "deletions"]


def test_a_default_rule_can_be_tried_before_it_is_switched_on(run: Run) -> None:
    assert tried(run, "mass-deletion", "--set", "above=50")["fired"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["guess"], "did you mean guesses?"),
        (["guesses", "--since", "soon"], "--since"),
        (["guesses", "--since", "0s"], "before the end"),
        (["guesses", "--until", "1h"], "need --since"),
        (["guesses", "--all"], "give either"),
        ([], "give either"),
        (["guesses", "--since", "1h", "--step", "never"], "--step"),
        (["guesses", "--since", "1h", "--tz", "Mars"], "--tz"),
    ],
)
def test_what_is_not_understood_is_exit_code_2(run: Run, arguments: list[str], told: str) -> None:
    result = run("try", *arguments)
    assert result.exit_code == 2, result.output
    assert told in result.stderr


def test_a_database_that_is_away_is_exit_code_3(run: Run) -> None:
    result = run("try", "guesses", AUDITGRAF_DATABASE_URL="postgresql://postgres@127.0.0.1:1/audit")
    assert result.exit_code == 3
    assert "PostgreSQL can't be reached" in result.stderr


def test_a_rule_that_takes_too_long_is_named_with_what_to_do(shared_database: str) -> None:
    hurried = as_role(shared_database, "auditgraf_reader").replace("statement_timeout%3D30s", "statement_timeout%3D1s")
    asleep = "SELECT 1::float8 AS value FROM pg_sleep(60)"
    told = r"^guesses: took longer than the 1s .*shorten its window"
    with session(hurried) as connection, pytest.raises(RuleError, match=told):
        alerts_at(connection, "guesses", asleep, NOON, NOON)


KINDS = [
    GUESSES := rule("{kind: count, about: failed_sign_in, group_by: [actor], above: 3, window: 10m}"),
    rule("{kind: distinct, about: failed_sign_in, of: actor, above: 1, window: 2h}"),
    rule("{kind: new, filter: all, of: actor, baseline: 1d, late: 10m}"),
    rule("{kind: sequence, group_by: [actor], first: {about: failed_sign_in, times: 3}, then: {filter: all}}"),
    rule("{kind: travel, filter: all, window: 3h}"),
]


@pytest.mark.parametrize("tested", KINDS, ids=lambda each: str(each.kind))
def test_wide_steps_find_what_an_evaluation_each_minute_finds(
    history: AlertHistory, shared_database: str, tested: Rule
) -> None:
    if tested.kind == "travel":
        history.event(at(hours=5), actor="Tess", latitude=47.4, longitude=8.5)
        history.event(at(hours=4), actor="Tess", latitude=35.7, longitude=139.7)
    with session(as_role(shared_database, "auditgraf_reader")) as connection:
        quick = try_history(connection, tested, at(hours=6), NOON)
        exact = try_history(connection, tested, at(hours=6), NOON, step=tested.interval)
    assert quick.firings
    assert quick.firings == exact.firings
    assert quick.evaluations < exact.evaluations


def test_a_range_is_cut_where_it_takes_too_many_evaluations(
    history: AlertHistory, shared_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "MOST_EVALUATIONS", 10)
    with session(as_role(shared_database, "auditgraf_reader")) as connection:
        cut = try_history(connection, GUESSES, at(hours=6), NOON, step=GUESSES.interval)
    assert cut.evaluations == 10
    assert cut.cut
    assert at(hours=6) <= cut.until < NOON


def test_an_interrupt_leaves_what_was_found(history: AlertHistory, shared_database: str) -> None:
    def stop(reached: datetime) -> None:
        if reached > at(hours=2):
            raise KeyboardInterrupt

    with session(as_role(shared_database, "auditgraf_reader")) as connection:
        cut = try_history(connection, GUESSES, at(hours=6), NOON, report=stop)
    assert cut.cut == "interrupted"
    assert [dict(firing.labels)["actor"] for firing in cut.firings] == ["Ada", "Bob"]
