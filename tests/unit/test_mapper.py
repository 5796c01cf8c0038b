"""Rules applied to records: which value each column gets, and what stays an attribute."""

from __future__ import annotations

from typing import Any

import pytest

from tests.records import event, events, record, request


def rules(*effects: str, fields: str = "{}") -> str:
    """A rules file; each rule is for every record unless it says otherwise."""
    lines = [f"version: 1\nfields: {fields}\nrules:"]
    for index, effect in enumerate(effects):
        lines.append(f"  - {{name: r{index}, {'' if 'match:' in effect else 'match: all, '}{effect}}}")
    return "\n".join(lines) if effects else "\n".join(lines[:1]).removesuffix("rules:")


def mapped(made: Any, *effects: str, fields: str = "{}") -> dict[str, Any]:
    return event(made, rules=rules(*effects, fields=fields))


@pytest.mark.parametrize(
    ("column", "keys"),
    [
        ("action", ["audit.action", "otel.event.name", "event.name", "event.action"]),
        ("outcome", ["audit.outcome", "event.outcome"]),
        (
            "actor_id",
            [
                "audit.actor.id",
                "Actor",
                "user.id",
                "enduser.id",
                "user.name",
                "user.email",
                "enduser.pseudo.id",
            ],
        ),
        ("actor_name", ["audit.actor.name", "user.name", "user.full_name"]),
        ("actor_email", ["audit.actor.email", "user.email"]),
        ("on_behalf_of", ["audit.on_behalf_of"]),
        ("target_type", ["audit.target.type"]),
        (
            "target_id",
            ["audit.target.id", "TargetResource", "url.path", "url.full", "http.target", "http.url"],
        ),
        ("target_name", ["audit.target.name"]),
        ("session_id", ["session.id"]),
        ("user_agent", ["user_agent.original", "http.user_agent"]),
        (
            "client_address",
            [
                "audit.source.id",
                "SourceIP",
                "client.address",
                "source.address",
                "http.client_ip",
                "net.peer.ip",
                "net.sock.peer.addr",
                "network.peer.address",
            ],
        ),
    ],
)
def test_a_column_is_filled_from_the_first_of_its_attributes_old_names_last(column: str, keys: list[str]) -> None:
    value = "failure" if column == "outcome" else "gateway.example.org"
    for place, key in enumerate(keys):
        # The better names are there, but empty; the worse ones have something else.
        attributes: list[tuple[str, Any]] = [(worse, "other") for worse in keys[place + 1 :]] + [(key, value)]
        attributes += [(better, empty) for better, empty in zip(keys[:place], ["", None] * 4, strict=False)]
        made = event(record(attributes))
        assert made[column] == value, key
        assert key not in made["attributes"]


@pytest.mark.parametrize(
    ("attributes", "column", "value"),
    [
        ({"geo.country.iso_code": "NZ"}, "country", "NZ"),
        ({"geo.locality.name": "Nelson"}, "city", "Nelson"),
        ({"geo.location.lat": -41.27}, "latitude", -41.27),
        ({"geo.location.lon": "173.28"}, "longitude", 173.28),
        ({"audit.actor.type": "Service"}, "actor_type", "service"),
        ({"ActorType": "user"}, "actor_type", "user"),
        ({"user.id": 7}, "actor_id", "7"),
        ({"user.id": True}, "actor_id", "true"),
        ({"user.id": ["a", 1]}, "actor_id", None),
        ({"user.id": ["a", 1], "user.name": "ada"}, "actor_id", "ada"),
        ({"user.id": b"\0"}, "actor_id", "AA=="),
        ({"error.type": "Timeout"}, "outcome", "failure"),
        ({"exception.type": "Timeout"}, "outcome", "failure"),
        ({"http.response.status_code": 400}, "outcome", "failure"),
        ({"http.status_code": "503"}, "outcome", "failure"),
        ({"http.response.status_code": 399}, "outcome", "unknown"),
        ({"http.response.status_code": 500, "event.outcome": "success"}, "outcome", "success"),
        ({"event.outcome": "Allowed"}, "outcome", "success"),
        ({"event.outcome": "DENIED"}, "outcome", "failure"),
        ({"event.outcome": "perhaps"}, "outcome", "unknown"),
    ],
)
def test_the_conventions_have_their_columns(attributes: dict[str, Any], column: str, value: object) -> None:
    assert event(record(attributes))[column] == value


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("event.outcome", "success", False),
        ("event.outcome", "Allowed", True),
        ("event.outcome", "perhaps", True),
        ("audit.actor.type", "robot", True),
        ("audit.actor.type", "user", False),
        ("geo.location.lat", 91, True),
        ("geo.location.lat", "north", True),
        ("geo.location.lat", float("nan"), True),
        ("geo.location.lon", -180, False),
    ],
)
def test_a_word_or_number_that_the_column_rewrites_or_refuses_stays_an_attribute(
    key: str, value: Any, kept: bool
) -> None:
    made = event(record({key: value, "other": 1}))
    assert (key in made["attributes"]) == kept
    assert ("bad_location" in made["flags"]) == (kept and key.startswith("geo."))


def test_columns_of_the_source_are_filled_from_the_resource_only() -> None:
    resource = {"service.name": "shop", "deployment.environment": "prod", "tenant.id": 7}
    attributes = {"service.name": "liar", "tenant.id": "liar"}
    [made] = events(request(record(attributes), resource=resource))
    assert (made["service"], made["environment"], made["tenant"]) == ("shop", "prod", "7")
    assert made["attributes"] == attributes
    newer = resource | {"deployment.environment.name": "staging"}
    [newest] = events(request(record(), resource=newer))
    assert newest["environment"] == "staging"


def test_set_replaces_what_a_column_had_and_the_attribute_stays() -> None:
    made = mapped(record({"user.id": "anna"}), "set: {actor_id: root, latitude: 48, asn: 64512, outcome: failure}")
    assert (made["actor_id"], made["latitude"], made["asn"], made["outcome"]) == (
        "root",
        48.0,
        64512,
        "failure",
    )
    assert made["attributes"] == {"user.id": "anna"}


def test_set_gives_an_attribute_its_type_and_replaces_the_senders() -> None:
    effect = 'set: {"attributes.team": 7, "attributes.on": true, "attributes.ratio": 0.5, "attributes.new\\n\\"": x}'
    made = mapped(record({"team": "sender's", "k": 1}), effect)
    assert made["attributes"] == {"k": 1, "team": 7, "on": True, "ratio": 0.5, 'new\n"': "x"}


def test_copy_takes_a_value_where_the_record_has_it() -> None:
    effect = (
        'copy: {target_id: order.id, actor_id: "resource:owner", target_name: "scope:name",'
        ' message: "record:severity_text"}'
    )
    made = request(
        record({"order.id": 5, "url.path": "/a"}, severity_text="WARN", body="b"),
        record({"order.id": "", "url.path": "/a"}, body="b"),
        resource={"owner": "anna"},
        scope="shop.audit",
    )
    first, second = events(made, rules=rules(effect))
    assert (first["target_id"], first["actor_id"], first["target_name"]) == ("5", "anna", "shop.audit")
    assert first["message"] == "WARN"
    assert first["attributes"] == {"url.path": "/a", "body": "b"}
    assert (second["target_id"], second["message"]) == ("/a", "b")
    assert second["attributes"] == {"order.id": ""}


def test_the_body_that_another_message_displaced_keeps_its_type() -> None:
    made = mapped(record({"text": "said"}, body={"n": [1, None]}), fields="{message: [text]}")
    assert (made["message"], made["attributes"]) == ("said", {"body": {"n": [1, None]}})


def test_the_event_name_that_another_action_displaced_is_kept() -> None:
    made = event(record({"audit.action": "user.login"}, event_name='say "hi"'))
    assert (made["action"], made["attributes"]) == ("user.login", {"event.name": 'say "hi"'})


def test_default_fills_what_is_empty_and_nothing_else() -> None:
    filled, had = (mapped(record(attributes), "default: {actor_id: nobody}") for attributes in ({}, {"user.id": "a"}))
    assert (filled["actor_id"], had["actor_id"]) == ("nobody", "a")


def test_the_later_rule_wins_for_every_effect() -> None:
    made = mapped(
        record({"a": "1", "b": "2"}),
        'set: {action: first, "attributes.x": 1}, copy: {target_id: a}, default: {session_id: first}, class: security',
        'set: {action: second, "attributes.x": 2}, copy: {target_id: b}, default: {session_id: second}, class: default',
    )
    assert (made["action"], made["target_id"], made["session_id"]) == ("second", "2", "second")
    assert (made["attributes"], made["retention_class"]) == ({"a": "1", "x": 2}, "default")


def test_a_rule_is_for_the_records_that_it_matches_only() -> None:
    effect = "match: {attributes: {team: pay}}, set: {action: paid}, class: security"
    made = events(request(record({"team": "pay"}), record({"team": "x"}), record()), rules=rules(effect))
    assert [row["action"] for row in made] == ["paid", None, None]
    assert [row["retention_class"] for row in made] == ["security", "log", "log"]


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ("{event: login}", True),
        ("{service: shop}", True),
        ("{service: {exists: false}}", False),
        ("{scope: {glob: 'shop.*'}}", True),
        ("{severity: {at_least: 13}}", False),
        ("{body: {regex: '^signed'}}", True),
        ("{attributes: {n: 200}}", True),
        ("{attributes: {n: {at_least: 201}}}", False),
        ("{attributes: {missing: {exists: false}}}", True),
        ("{resource: {service.name: {one_of: [shop, bank]}}}", True),
        ("{any: [{event: x}, {event: login}]}", True),
        ("{not: {event: login}}", False),
    ],
)
def test_conditions_read_the_record_its_resource_and_its_scope(match: str, holds: bool) -> None:
    made = record({"n": 200}, event_name="login", body="signed in", severity_number=9)
    whole = request(made, resource={"service.name": "shop"}, scope="shop.audit")
    [row] = events(whole, rules=rules(f"match: {match}, set: {{target_name: hit}}"))
    assert (row["target_name"] == "hit") == holds


def test_conditions_see_the_record_as_it_was_sent() -> None:
    made = mapped(
        record({"a": "1"}),
        "drop: [a]",
        "rename: {a: b}",
        "match: {attributes: {a: '1'}}, set: {action: seen}",
        "match: {attributes: {b: {exists: true}}}, set: {action: unseen}",
    )
    assert (made["action"], made["attributes"]) == ("seen", {})


def test_drop_leaves_attributes_out_by_glob_and_columns_keep_their_values() -> None:
    attributes = {"debug.a": 1, "debug.b.c": 2, "note": 3, "Debug.d": 4, "user.id": "anna"}
    made = mapped(record(attributes), "drop: ['debug.*', 'user.*']")
    assert (made["attributes"], made["actor_id"]) == ({"note": 3, "Debug.d": 4}, "anna")


@pytest.mark.parametrize(
    "attributes",
    [
        {"client.address": "192.0.2.1:80"},
        {"user.id": "x" * 3000},
        {"event.outcome": "perhaps"},
        {"audit.changes": "none"},
        {"geo.location.lat": "north"},
    ],
)
def test_a_dropped_attribute_stays_out_even_where_its_column_could_not_take_all_of_it(
    attributes: dict[str, Any],
) -> None:
    key = next(iter(attributes))
    assert key in event(record(attributes))["attributes"]
    assert mapped(record(attributes | {"k": 1}), f"drop: ['{key}']")["attributes"] == {"k": 1}


def test_rename_keeps_an_attribute_under_another_name() -> None:
    effect = "match: {event: login}, rename: {old: 'new\"'}"
    made = events(request(record({"old": [1]}, event_name="login"), record({"old": 2})), rules=rules(effect))
    assert [row["attributes"] for row in made] == [{'new"': [1]}, {"old": 2}]


def test_audit_decides_what_is_an_event_and_class_where_it_is_kept() -> None:
    plain, named = record(), record(event_name="login")
    assert mapped(plain, "audit: true")["retention_class"] == "default"
    assert mapped(named, "audit: false")["retention_class"] == "log"
    assert mapped(plain, "class: security")["retention_class"] == "security"
    assert mapped(plain, "class: security", "audit: false")["retention_class"] == "security"


@pytest.mark.parametrize("key", ["audit.action", "otel.event.name", "event.name", "event.action"])
def test_a_record_with_a_name_is_an_audit_event_and_another_is_a_log(key: str) -> None:
    assert event(record({key: "login"}))["retention_class"] == "default"
    assert event(record(event_name="login"))["retention_class"] == "default"
    assert event(record({"http.request.method": "GET"}))["retention_class"] == "log"
