"""The forms in which senders say what changed: that each is known by its shape, and becomes the stored form."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, get_args

import orjson
import polars as pl
import pytest

from exporter.enrich.changes import Form, Read, from_pairs, never, parse, read
from exporter.mapping.fields import Picker
from exporter.mapping.pairs import paired_changes
from exporter.otlp.decode import decode
from tests.records import events, record, request

FORMS: tuple[Form, ...] = get_args(Form)
EMAIL = {"email": {"before": "a@example.org", "after": "b@example.org"}}

# Form, what is sent, what is stored, whether that is all that was sent.
KNOWN: list[tuple[Form, Any, dict[str, Any], bool]] = [
    ("auditgraf", EMAIL | {"roles": {"added": ["x"]}, "pin": {"changed": True}},
     EMAIL | {"roles": {"added": ["x"]}, "pin": {"changed": True}}, True),
    ("documents", {"before": {"a": 1, "b": {"c": 1}}, "after": {"a": 1, "b": {"c": 2}}},
     {"b.c": {"before": 1, "after": 2}}, True),
    ("documents", {"old_values": {"email": "a@example.org"}, "new_values": {"email": "b@example.org"}}, EMAIL, True),
    ("documents", {"oldValue": '{"email":"a@example.org"}', "newValue": '{"email":"b@example.org"}'}, EMAIL, True),
    ("documents", {"previous": {"tags": ["a"]}, "current": {"tags": ["b"]}},
     {"tags": {"added": ["b"], "removed": ["a"]}}, True),
    ("documents", {"from": "open", "to": "closed"}, {"value": {"before": "open", "after": "closed"}}, True),
    ("documents", {"before": None, "after": {"a": 1}}, {"a": {"before": None, "after": 1}}, True),
    ("documents", {"after": {"a": 1}}, {"a": {"before": None, "after": 1}}, True),
    ("documents", {"old": {"a": 1}}, {"a": {"before": 1, "after": None}}, True),
    ("documents", {"before": {"from": "x", "to": "y"}, "after": {"from": "x", "to": "z"}},
     {"to": {"before": "y", "after": "z"}}, True),
    ("documents", {"entity": {"name": "a"}, "entity_result": {"name": "b"}},
     {"name": {"before": "a", "after": "b"}}, True),
    ("authentik", {"email": {"previous_value": "a@example.org", "new_value": "b@example.org"}}, EMAIL, True),
    ("authentik", {"users": {"add": [12]}, "groups": {"remove": [3, 4]}},
     {"users": {"added": [12], "removed": []}, "groups": {"added": [], "removed": [3, 4]}}, True),
    ("authentik", {"users": {"clear": True}}, {"users": {"before": None, "after": []}}, True),
    ("authentik", {"owner": {"previous_value": {"pk": 1, "name": "a"}, "new_value": {"pk": 2, "name": "b"}}},
     {"owner": {"before": {"pk": 1, "name": "a"}, "after": {"pk": 2, "name": "b"}}}, True),
    ("authentik",
     {"name": {"previous_value": None, "new_value": "x"}, "note": {"previous_value": None, "new_value": None}},
     {"name": {"before": None, "after": "x"}}, True),
    ("fields", {"email": {"old": "a@example.org", "new": "b@example.org"}}, EMAIL, True),
    ("fields", {"email": {"from": "a@example.org", "to": "b@example.org"}, "n": {"oldValue": 1, "newValue": 2}},
     EMAIL | {"n": {"before": 1, "after": 2}}, True),
    ("pairs", {"email": ["a@example.org", "b@example.org"], "same": [1, 1]}, EMAIL, True),
    ("pairs", {"settings": [{"theme": "light", "size": 1}, {"theme": "dark", "size": 1}]},
     {"settings.theme": {"before": "light", "after": "dark"}}, True),
    ("pairs", {"groups": {"type": "m2m", "operation": "add", "objects": ["admins"]},
               "tags": {"type": "m2m", "operation": "delete", "objects": ["x"]}},
     {"groups": {"added": ["admins"]}, "tags": {"removed": ["x"]}}, True),
    ("ecs", {"email": "a@example.org", "changes": {"email": "b@example.org"}}, EMAIL, True),
    ("ecs", {"id": "1", "name": "x", "group": {"id": "g1", "name": "a", "domain": "d"},
             "changes": {"name": "y", "full_name": "Y", "group": {"name": "b"}}},
     {"name": {"before": "x", "after": "y"}, "full_name": {"before": None, "after": "Y"},
      "group.name": {"before": "a", "after": "b"}}, False),
    ("ecs", {"name": "root", "target": {"name": "x", "id": 1}, "changes": {"name": "y"}},
     {"name": {"before": "x", "after": "y"}}, False),
    ("ecs", {"previous_email": "a@example.org", "updated_email": "b@example.org"}, EMAIL, True),
    ("ecs", {"prev_security_level": "Low", "security_level": "High"},
     {"security_level": {"before": "Low", "after": "High"}}, True),
    ("ecs", {"oldEmail": "a@example.org", "newEmail": "b@example.org"}, EMAIL, True),
    ("json_patch", [{"op": "replace", "path": "/spec/replicas", "value": 3, "old": 2}],
     {"spec.replicas": {"before": 2, "after": 3}}, True),
    ("json_patch", [{"op": "test", "path": "/a", "value": 1}, {"op": "replace", "path": "/a", "value": 2},
                    {"op": "replace", "path": "/a", "value": 3}],
     {"a": {"before": 1, "after": 3}}, True),
    ("json_patch", [{"op": "add", "path": "/tags/-", "value": "x"}, {"op": "add", "path": "/tags/0", "value": "y"}],
     {"tags": {"added": ["x", "y"], "removed": []}}, True),
    ("json_patch", [{"op": "add", "path": "/meta/labels/example.com~1owner", "value": "~0"}],
     {'meta.labels["example.com/owner"]': {"before": None, "after": "~0"}}, True),
    ("json_patch", [{"op": "remove", "path": "/a", "oldValue": {"b": 1}}, {"op": "remove", "path": "/c"}],
     {"a": {"before": {"b": 1}, "after": None}, "c": {"changed": True}}, False),
    ("json_patch", [{"op": "test", "path": "/a", "value": 1}, {"op": "move", "from": "/a", "path": "/b"},
                    {"op": "copy", "from": "/c", "path": "/d"}],
     {"b": {"before": None, "after": 1}, "a": {"before": 1, "after": None}, "d": {"changed": True}}, False),
    ("json_patch", [{"op": "replace", "path": "", "value": {"a": 1}, "old": {"a": 2}}],
     {"a": {"before": 2, "after": 1}}, True),
    ("json_patch", [{"op": "Replace", "path": "displayName", "value": "x"}, {"op": "Add", "value": {"active": True}}],
     {"displayName": {"before": None, "after": "x"}, "active": {"before": None, "after": True}}, True),
    ("django_admin", [{"changed": {"fields": ["Email", "Name"]}}],
     {"Email": {"changed": True}, "Name": {"changed": True}}, True),
    ("django_admin", [{"added": {"name": "phone", "object": "1"}}, {"added": {"name": "phone", "object": "2"}},
                      {"deleted": {"name": "phone", "object": "3"}},
                      {"changed": {"name": "phone", "object": "4", "fields": ["number"]}}],
     {"phone": {"added": ["1", "2"], "removed": ["3"]}, "phone.4.number": {"changed": True}}, True),
    ("django_admin", [{"added": {}}], {}, False),
    ("list", [{"field": "email", "old": "a@example.org", "new": "b@example.org"}], EMAIL, True),
    ("list", [{"property": "email", "before": "a@example.org", "after": "b@example.org", "kind": "text"}],
     EMAIL, False),
    # Jira
    ("list", [{"field": "status", "from": "1", "fromString": "Open", "to": "3", "toString": "Done"},
              {"field": "labels", "from": None, "fromString": "a", "to": None, "toString": "b"},
              {"field": "Link", "from": None, "to": "X-1"}, {"field": "Link", "from": None, "to": "X-2"}],
     {"status": {"before": {"id": "1", "name": "Open"}, "after": {"id": "3", "name": "Done"}},
      "labels": {"before": "a", "after": "b"}, "Link": {"added": ["X-1", "X-2"], "removed": []}}, True),
    # Azure AD
    ("list", [{"displayName": "AccountEnabled", "oldValue": "[true]", "newValue": "[false]"},
              {"displayName": "Roles", "oldValue": "[]", "newValue": '["a","b"]'},
              {"displayName": "TargetId.UserType", "oldValue": None, "newValue": '"Member"'}],
     {"AccountEnabled": {"before": True, "after": False}, "Roles": {"added": ["a", "b"], "removed": []},
      "TargetId.UserType": {"before": None, "after": "Member"}}, True),
    # GitLab
    ("list", {"change": "visibility", "from": "Private", "to": "Public"},
     {"visibility": {"before": "Private", "after": "Public"}}, True),
    # Google
    ("list", [{"name": "SETTING_NAME", "value": "2sv"}, {"name": "OLD_VALUE", "value": "off"},
              {"name": "NEW_VALUE", "value": "on"}],
     {"2sv": {"before": "off", "after": "on"}}, True),
]  # fmt: skip


def found(value: Any, form: Form | None = None, **options: Any) -> Read:
    done = read(json.dumps(value), form, **options)
    assert done is not None
    assert (orjson.loads(done.json), done.had_nul) == (done.document, False)
    return done


@pytest.mark.parametrize(("form", "sent", "stored", "complete"), KNOWN)
def test_a_form_is_known_by_its_shape_as_well_as_by_its_name(
    form: Form, sent: Any, stored: dict[str, Any], complete: bool
) -> None:
    for asked in (form, None):
        done = found(sent, asked)
        assert (done.document, done.complete) == (stored, complete)


@pytest.mark.parametrize(
    ("form", "sent", "stored", "complete"),
    [
        ("created", {"a": 1, "b": [1, 2]},
         {"a": {"before": None, "after": 1}, "b": {"before": None, "after": [1, 2]}}, True),
        ("deleted", {"a": 1, "b": None}, {"a": {"before": 1, "after": None}}, True),
        # Debezium
        ("documents", {"before": {"a": 1}, "after": {"a": 2}, "op": "u"}, {"a": {"before": 1, "after": 2}}, False),
        ("fields", {"title": {"from": "x"}}, {"title": {"before": "x", "after": None}}, True),
        ("ecs", {"name": "x", "changes": {"email": "y"}}, {"email": {"before": None, "after": "y"}}, False),
        ("ecs", {"prev_level": 1, "level": 2, "id": 3}, {"level": {"before": 1, "after": 2}}, False),
        ("authentik", {}, {}, True),
        ("json_patch", [], {}, True),
    ],
)  # fmt: skip
def test_what_could_be_anything_is_taken_only_by_name(
    form: Form, sent: Any, stored: dict[str, Any], complete: bool
) -> None:
    assert read(json.dumps(sent)) is None
    done = found(sent, form)
    assert (done.document, done.complete) == (stored, complete)


@pytest.mark.parametrize(
    "sent",
    [
        {}, [], None, 1, "x", {"a": 1}, {"a": [1]}, {"a": [1, 2, 3]}, {"a": [1, 2], "b": 1}, {"before": 1},
        {"changes": {}}, {"changes": {"name": ["a", "b"]}, "id": 1}, {"a": {"old": 1, "new": 2, "why": 3}},
        {"a": {"old": 1, "before": 2}},
        {"a": {"from": 1}}, {"users": {"add": 12}}, {"g": {"type": "m2m", "operation": "zap", "objects": []}},
        [1], [[]], [{}], [{"op": "zap", "path": "/a"}], [{"op": "add", "path": "/a"}], [{"op": "move", "path": "/a"}],
        [{"op": "add", "path": 1, "value": 1}], [{"changed": {"fields": "Name"}}], [{"changed": {}, "added": {}}],
        [{"field": "x"}], [{"field": 1, "old": 1, "new": 2}], [{"field": "x", "old": 1, "before": 2, "new": 3}],
        [{"field": "x", "old": 1, "new": 2}, 5], [{"name": "SETTING_NAME", "value": "x"}],
    ],
)  # fmt: skip
def test_what_is_no_change_is_not_taken_for_one(sent: Any) -> None:
    assert read(json.dumps(sent)) is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "text", ["", "x", "{", "1", '"a"', "null", "NaN", '{"a":', "\ud800", '{"a":{"old":1,"new":1e999}}']
)
def test_text_that_is_no_document_has_no_form(form: Form, text: str) -> None:
    assert read(text, form) is None


def test_parse_takes_the_stored_form_only() -> None:
    assert parse(json.dumps(EMAIL)) == (json.dumps(EMAIL, separators=(",", ":")), False)
    assert parse('{"email":["a@example.org","b@example.org"]}') is None


def test_the_stored_form_is_read_as_itself() -> None:
    for _, sent, _, _ in KNOWN:
        once = found(sent).document
        if once:
            assert found(once, "auditgraf").document == once


def test_a_field_that_comes_twice_tells_of_both_changes() -> None:
    def listed(*pairs: tuple[Any, Any]) -> dict[str, Any]:
        items = [{"field": "x", "old": old, "new": new} for old, new in pairs]
        return found(items, "list").document["x"]  # type: ignore[no-any-return]

    assert listed((1, 2), (2, 3)) == {"before": 1, "after": 3}
    assert listed((1, 2), (3, 4)) == {"added": [2, 4], "removed": [1, 3]}
    assert listed(([1], [2]), ([3], [4])) == {"added": [2, 4], "removed": [1, 3]}
    assert listed(("***", "***"), (1, 2)) == {"before": 1, "after": 2}


def test_pairs_of_attributes_are_read_from_their_json() -> None:
    pairs = {
        "email": ('"a@example.org"', '"b@example.org"'),
        "roles": ('["a"]', '["a","b"]'),
        "spec": ('{"n":1,"m":1}', '{"n":2,"m":1}'),
        "made": (None, "1"),
        "gone": ("1", None),
        "same": ("1", "1.0"),
        "text": ("not json", '"x\\u0000"'),
        "user.password": ('"s3cr3t"', '"s3cr4t"'),
    }
    done = from_pairs(pairs, secret="password".__eq__)
    assert done is not None
    assert (done.had_nul, done.complete) == (True, True)
    assert done.document == EMAIL | {
        "roles": {"added": ["b"], "removed": []},
        "spec.n": {"before": 1, "after": 2},
        "made": {"before": None, "after": 1},
        "gone": {"before": 1, "after": None},
        "text": {"before": "not json", "after": "x\ufffd"},
        "user.password": {"changed": True},
    }
    assert from_pairs({"a": ("[" * 300 + "]" * 300, None)}) is None
    assert from_pairs({"a": ("\ud800", None)}) is None


def test_pairs_are_those_of_one_record() -> None:
    made = events(
        request(
            record({"a.before": 1, "a.after": 2, "user.changes.name": "x"}),
            record({"a.after": 3, "user.name": "y", "old_b": 1, "new_b": 2}),
            record({"user.name": "y", "user.changes.name": "x"}),
            record({"user.name": "y", "user.changes.name": "x", "user.target.id": 7}),
            record({"user.name": "y", "user.changes.name": "x", "user.target.name": "z"}),
        )
    )
    assert [one["changes"] for one in made] == [
        {"a": {"before": 1, "after": 2}},
        {"b": {"before": 1, "after": 2}},
        {"name": {"before": "y", "after": "x"}},
        None,
        {"name": {"before": "z", "after": "x"}},
    ]


PAIRED: list[Callable[[int], list[dict[str, str]]]] = [
    lambda count: [{f"a.changes.{index}": "x" for index in range(count)}],
    lambda count: [{f"a{index}.{side}": f"{side}{index}" for index in range(count) for side in ("before", "after")}],
    lambda count: [{key: value for index in range(count) for key, value in self_changed(index).items()}],
    lambda count: [self_changed(index) for index in range(count)],
]


def self_changed(index: int) -> dict[str, str]:
    return {f"user.changes.f{index}": "a", f"user.f{index}": "b", f"user.target.g{index}": "x"}


@pytest.mark.parametrize("sent", PAIRED, ids=["one side", "both sides", "one record", "a record each"])
def test_pairs_cost_in_proportion_to_the_attributes(sent: Callable[[int], list[dict[str, str]]]) -> None:
    def cost(count: int) -> float:
        group = request(*(record(attributes) for attributes in sent(count))).SerializeToString()
        picker, costs = Picker(decode([group])), []
        for _ in range(5):
            begun = time.process_time()
            paired_changes(pl.Series([None] * len(picker.records), dtype=pl.String), picker, never)
            costs.append(time.process_time() - begun)
        return min(costs)

    assert cost(2000) < 12 * cost(500)
