"""Contact points of the rules file: every kind, what is refused, and what Grafana gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from exporter.document import loads
from exporter.errors import ConfigError
from provisioning.alerts.contacts import (
    ContactPoints,
    Integration,
    contact_points,
    needed_variables,
    version_problems,
)
from provisioning.alerts.models import ContactPoint
from provisioning.version import ANY, Version
from tests.contact_samples import FULL, LEAST, NEWER_FULL, NEWER_LEAST

NEWEST = Version(13)
ALL_LEAST, ALL_FULL = LEAST | NEWER_LEAST, FULL | NEWER_FULL
KINDS = sorted(ALL_LEAST)
POINTS: TypeAdapter[ContactPoints] = TypeAdapter(ContactPoints)
TEMPLATED = re.compile(r'\{\{ template "auditgraf\.\w+" \. \}\}')


class RulesFile(BaseModel):
    """A file that has nothing but contact points."""

    contact_points: ContactPoints


def made(points: dict[str, Any], *, without_resolved: tuple[str, ...] = (), version: Version = NEWEST) -> Any:
    """What Grafana gets, as plain data."""
    parsed = POINTS.validate_python(points)
    found = contact_points(parsed, without_resolved=without_resolved, version=version)
    return [point.model_dump(exclude_none=True) for point in found]


def settings(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    ((receiver,),) = [point["receivers"] for point in made({"all": [{kind: given}]})]
    assert receiver["type"] == kind
    found: dict[str, Any] = receiver["settings"]
    return found


def problems(points: dict[str, Any]) -> str:
    """All lines that the user of a file with these contact points sees."""
    with pytest.raises(ConfigError) as failure:
        loads(json.dumps({"contact_points": points}), "rules.yaml").parse(RulesFile)
    return str(failure.value)


def secrets(schema: dict[str, Any], kind: str) -> Iterator[str]:
    """The settings of a kind that take a variable and nothing else, by the committed form of the model."""
    name = schema["properties"][kind]["anyOf"][0]["$ref"].rpartition("/")[2]
    for key, field in schema["$defs"][name]["properties"].items():
        if any(choice.get("pattern", "").startswith(r"^\$") for choice in field.get("anyOf", [field])):
            yield key


def test_every_kind_is_among_the_samples() -> None:
    fields = {field.alias or name for name, field in Integration.model_fields.items()}
    assert fields - {"resolved"} == set(ALL_LEAST) == set(ALL_FULL)


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_of_a_kind_gets_our_message(kind: str) -> None:
    found = settings(kind, ALL_LEAST[kind])
    assert {key: found[key] for key in ALL_LEAST[kind]} == ALL_LEAST[kind]
    ours = [value for value in found.values() if TEMPLATED.fullmatch(str(value))]
    # An Alertmanager makes its own messages of the labels.
    assert bool(ours) == (kind != "prometheus-alertmanager")


@pytest.mark.parametrize("kind", KINDS)
def test_all_settings_of_a_kind_are_written_as_they_are_given(kind: str) -> None:
    separator = ";" if kind == "email" else ","
    expected = {}
    for key, value in ALL_FULL[kind].items():
        if key in {"title", "message"}:
            expected[key] = value.replace("$", "$$")
        elif isinstance(value, list) and key not in {"labels", "responders"}:
            expected[key] = separator.join(value)
        else:
            expected[key] = value
    found = json.loads(json.dumps(settings(kind, ALL_FULL[kind])))
    assert {key: found[key] for key in expected} == expected
    assert all(TEMPLATED.fullmatch(found[key]) for key in found.keys() - expected.keys())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_without_what_it_needs_is_refused(kind: str) -> None:
    for missing in ALL_LEAST[kind]:
        if (kind, missing) == ("opsgenie", "apiUrl"):
            continue
        found = problems({"all": [{kind: {key: value for key, value in ALL_LEAST[kind].items() if key != missing}}]})
        assert "rules.yaml:1: contact_points.all.0" in found
        assert "required" in found or "needs" in found


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_as_it_stands_is_refused_and_not_quoted(kind: str) -> None:
    schema = Integration.model_json_schema()
    for key in secrets(schema, kind):
        for literal in (
            "hunter2-literal",
            "https://hunter2-literal@example.com",
            "$A hunter2-literal",
            ["hunter2-literal"],
        ):
            found = problems({"all": [{kind: ALL_LEAST[kind] | {key: literal}}]})
            assert f"contact_points.all.0.{kind}.{key}: a secret has no place in this file" in found
            assert "hunter2" not in found


def test_kinds_with_a_secret_take_it_as_a_variable_only() -> None:
    schema = Integration.model_json_schema()
    without = {kind for kind in KINDS if not list(secrets(schema, kind))}
    assert without == {"email", "sns"}  # the keys of sns are a level below


@pytest.mark.parametrize("value", ["${SLACK_URL}", "$__env{SLACK_URL}", "$__file{/run/secrets/slack}"])
def test_a_variable_in_braces_is_refused_with_the_reason(value: str) -> None:
    found = problems({"all": [{"slack": {"url": value}}]})
    assert "Grafana cuts the value of a variable in braces at a $; write the bare $NAME" in found


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_setting_is_refused_with_the_nearest_one(kind: str) -> None:
    known = next(iter(ALL_LEAST[kind]))
    found = problems({"all": [{kind: ALL_LEAST[kind] | {f"{known}x": "y"}}]})
    assert f"contact_points.all.0.{kind}.{known}x: unknown key; did you mean {known}?" in found


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"slack": {"token": "$T"}}, "slack.recipient: is needed with token"),
        ({"slack": {"url": "$U", "token": "$T", "recipient": "x"}}, "slack.token: either this or url"),
        ({"slack": {"url": "$U", "mentionChannel": "everyone"}}, "mentionChannel: Input should be 'here' or 'channel'"),
        ({"webhook": {"url": "example.com"}}, "webhook.url: must be an address"),
        ({"webhook": {"url": "https://u:hunter2@example.com"}}, "webhook.url: has a user or a password in it"),
        ({"webhook": {"url": "https://example.com/$T"}}, "put the whole address into a variable"),
        ({"webhook": {"url": "$U", "username": "me"}}, "webhook.password: is needed with username"),
        ({"webhook": {"url": "$U", "httpMethod": "GET"}}, "httpMethod: Input should be 'POST' or 'PUT'"),
        (
            {"webhook": {"url": "$U", "username": "a", "password": "$P", "authorization_credentials": "$C"}},
            "authorization_credentials: either this or password",
        ),
        ({"webhook": {"url": "$U", "headers": {"Authorization": "x"}}}, "write authorization_credentials"),
        ({"webhook": {"url": "$U", "maxAlerts": -1}}, "maxAlerts: must be a whole number from 0"),
        ({"email": {"addresses": "nobody"}}, "email.addresses: 'nobody' is no mail address"),
        ({"email": {"addresses": []}}, "email.addresses: an empty list"),
        ({"email": {"addresses": "a@b", "singleEmail": "yes"}}, "singleEmail: must be true or false"),
        ({"telegram": {"bottoken": "$T", "chatid": -1001}}, "chatid: must be text, not a number; put it in quotes"),
        ({"telegram": {"bottoken": "$T", "chatid": "family"}}, "chatid: 'family' is no chat"),
        ({"telegram": {"bottoken": "$T", "chatid": "1", "parse_mode": "HTML"}}, "is for a message of your own"),
        ({"threema": LEAST["threema"] | {"gateway_id": "ABC"}}, "gateway_id: 'ABC': must be * and 7"),
        ({"wecom": {"secret": "$S"}}, "wecom.agent_id: is needed with secret"),
        ({"pushover": LEAST["pushover"] | {"priority": 2}}, "pushover.retry: is needed with priority 2"),
        ({"opsgenie": LEAST["opsgenie"] | {"responders": [{"type": "team"}]}}, "responders.0: needs id, name"),
        ({"kafka": LEAST["kafka"] | {"apiVersion": "v3"}}, "kafkaClusterId: is needed with apiVersion v3"),
        ({"sns": {"topic_arn": "alerts"}}, "topic_arn: 'alerts' is no ARN"),
        ({"sns": NEWER_LEAST["sns"] | {"sigv4": {"access_key": "$K"}}}, "sigv4.secret_key: is needed with access_key"),
        ({"sns": NEWER_LEAST["sns"] | {"sigv4": {"secret_key": "hunter2"}}}, "secret_key: a secret has no place"),
        ({"jira": NEWER_LEAST["jira"] | {"reopen_duration": "long"}}, "'long' is no duration"),
        ({"mqtt": NEWER_LEAST["mqtt"] | {"qos": 3}}, "qos: must be a whole number from 0 to 2"),
        ({"mqtt": NEWER_LEAST["mqtt"] | {"brokerUrl": "tcp://me:hunter2@b"}}, "without user and password"),
        ({"pigeon": {}}, "pigeon: unknown key;"),
        ({"slack": None}, "slack: nothing given"),
        ({"slack": {"url": "$U"}, "email": {"addresses": "a@b"}}, "has slack and email; begin another item with -"),
        ({"resolved": True}, "names no kind"),
        ({"slack": "$U"}, "must be a mapping with some of"),
    ],
    ids=lambda value: None if isinstance(value, dict) else re.sub(r"\W+", "-", value)[:40],
)
def test_what_a_kind_can_not_use_is_refused_at_its_place(given: dict[str, Any], says: str) -> None:
    found = problems({"all": [given]})
    assert says in found
    assert "hunter2" not in found


def test_all_mistakes_are_told_at_once() -> None:
    found = problems({"a": [{"slack": {"url": "literal"}}, {"email": {}}], "b": [{"webhook": {"url": "x"}}]})
    assert len(found.splitlines()) == 3


@pytest.mark.parametrize("name", ["", " a", "a\nb", "grafana-default-email", "on-call (events)"])
def test_a_name_that_grafana_or_we_give_otherwise_is_refused(name: str) -> None:
    assert "name" in problems({name: [{"email": LEAST["email"]}]})


@pytest.mark.parametrize("value", [[], {"email": LEAST["email"]}, "email", None])
def test_a_contact_point_is_a_list_that_tells_somebody(value: object) -> None:
    assert "list" in problems({"all": value})


def test_text_with_a_dollar_sign_is_escaped_and_a_variable_is_not() -> None:
    text = {"title": "5$ {{ $x }} ${HOME} $HOME", "message": "$WHOLE"}
    found = settings("webhook", {"url": "$URL"} | text)
    assert found["url"] == "$URL"
    assert found["title"] == "5$$ {{ $$x }} $${HOME} $$HOME"
    assert found["message"] == "$WHOLE"


def test_the_variables_that_grafana_needs_are_known() -> None:
    points = POINTS.validate_python(
        {
            "a": [{"slack": {"url": "$SLACK"}}, {"email": {"addresses": ["$MAIL", "b@example.com"], "subject": "$$X"}}],
            "b": [{"webhook": {"url": "$HOOK", "tlsConfig": {"clientKey": "$KEY"}, "title": "only $5"}}],
        }
    )
    assert needed_variables(points) == {"SLACK", "MAIL", "HOOK", "KEY"}


def test_a_contact_point_of_events_never_tells_that_they_are_over() -> None:
    points = {
        "a": [{"email": LEAST["email"]}, {"email": LEAST["email"], "resolved": False}],
        "b": [{"slack": {"url": "$U"}}],
    }
    found = made(points, without_resolved=("a",))
    assert [point["name"] for point in found] == ["a", "a (events)", "b"]
    silent = [[receiver["disableResolveMessage"] for receiver in point["receivers"]] for point in found]
    assert silent == [[False, True], [True, True], [False]]
    assert found[0]["receivers"][0]["settings"] == found[1]["receivers"][0]["settings"]


def test_uids_stay_when_other_integrations_come_and_go() -> None:
    mail, slack = {"email": LEAST["email"]}, {"slack": LEAST["slack"]}
    before = made({"a": [mail, mail], "b": [mail]}, without_resolved=("a",))
    after = made({"new": [slack], "a": [slack, mail, mail], "b": [mail]}, without_resolved=("a",))
    uids = [[receiver["uid"] for point in found for receiver in point["receivers"]] for found in (before, after)]
    assert set(uids[0]) <= set(uids[1])
    assert len(set(uids[1])) == len(uids[1])
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", uid) for uid in uids[1])


def test_a_webhook_can_get_its_token_by_oauth2_from_12_1_on() -> None:
    where = {"token_url": "https://example.com/token", "client_id": "audit", "client_secret": "$OAUTH"}
    token: dict[str, Any] = {**where, "scopes": ["a"]}
    given: dict[str, Any] = {"url": "$HOOK", "http_config": {"oauth2": token}}
    points = POINTS.validate_python({"all": [{"webhook": given}]})
    assert needed_variables(points) == {"HOOK", "OAUTH"}
    for version in (ANY, Version(12, 0)):
        assert [place for place, _ in version_problems(points, version)] == [("all", 0, "webhook", "http_config")]
    (point,) = contact_points(points, without_resolved=(), version=Version(12, 1))
    assert point.receivers[0].settings["http_config"] == given["http_config"] | {"oauth2": token | {"scopes": ("a",)}}
    assert "remove one" in problems({"all": [{"webhook": given | {"username": "u", "password": "$P"}}]})


@pytest.mark.parametrize("kind", sorted(NEWER_LEAST))
def test_a_kind_that_an_old_grafana_does_not_know_is_refused_for_it(kind: str) -> None:
    points = POINTS.validate_python({"all": [{kind: NEWER_LEAST[kind]}]})
    for version in (ANY, Version(9, 4)):
        ((place, problem),) = version_problems(points, version)
        assert place == ("all", 0, kind)
        assert re.search(rf"needs Grafana 1\d\.\d+, grafana.version is {re.escape(str(version))}", problem)
        with pytest.raises(ConfigError, match=rf"contact_points\.all\.0\.{kind}: needs Grafana"):
            contact_points(points, without_resolved=(), version=version)
    assert not list(version_problems(points, NEWEST))


def test_a_secret_that_an_old_grafana_would_show_in_clear_is_refused_for_it() -> None:
    given = LEAST["kafka"] | {"username": "me", "password": "$P"}
    points = POINTS.validate_python({"all": [{"kafka": given}]})
    assert ("all", 0, "kafka", "password") in {place for place, _ in version_problems(points, ANY)}
    assert not list(version_problems(points, Version(10, 4)))


@pytest.mark.parametrize("kind", sorted(LEAST))
def test_kinds_of_grafana_9_4_need_no_version(kind: str) -> None:
    found = contact_points(
        POINTS.validate_python({"all": [{kind: FULL[kind]}]}), without_resolved=(), version=Version(9, 4)
    )
    assert isinstance(found[0], ContactPoint)
