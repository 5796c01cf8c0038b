"""The difference of two documents: which fields it names, what it says of them, and how far it goes."""

from __future__ import annotations

import copy
import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.enrich.changes import between, never
from exporter.enrich.changes.values import same

names = st.sampled_from(["a", "b", "a.b", "id", "name", 'x["y"]', "", "password"])
values = st.booleans() | st.integers(-2, 2) | st.sampled_from(["a", "b", "", 0.5, 1.0])
scalars = st.none() | values


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


documents, documents_without_null = trees(scalars), trees(values)


def nested(depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {"a": leaf}
    return leaf


def of_dicts(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The scalars that differ, in documents of plain names without lists."""
    found: dict[str, tuple[Any, Any]] = {}
    for name in before | after:
        was, now = before.get(name), after.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            found |= {f"{name}.{rest}": pair for rest, pair in of_dicts(was, now).items()}
        elif not same(was, now):
            found[name] = (was, now)
    return found


def test_only_what_differs_is_named() -> None:
    before = {"name": "shop", "spec": {"replicas": 2, "image": "shop:1"}, "paused": False}
    after = {"name": "shop", "spec": {"replicas": 3, "image": "shop:1"}, "paused": True}
    assert between(before, after) == {
        "spec.replicas": {"before": 2, "after": 3},
        "paused": {"before": False, "after": True},
    }


def test_a_created_object_has_no_before_and_a_deleted_one_no_after() -> None:
    document = {"name": "shop", "spec": {"replicas": 2}, "tags": ["a"], "note": None}
    assert between(None, document) == {
        "name": {"before": None, "after": "shop"},
        "spec": {"before": None, "after": {"replicas": 2}},
        "tags": {"before": None, "after": ["a"]},
    }
    assert between(document, None) == {
        field: {"before": change["after"], "after": None} for field, change in between(None, document).items()
    }


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (["a", "b"], ["b", "c", "d"], {"added": ["c", "d"], "removed": ["a"]}),
        ([], [1], {"added": [1], "removed": []}),
        ([1, True], [True], {"added": [], "removed": [1]}),
        # Order is all that changed, or something comes twice: these are no sets.
        (["a", "b"], ["b", "a"], {"before": ["a", "b"], "after": ["b", "a"]}),
        (["a", "a"], ["a"], {"before": ["a", "a"], "after": ["a"]}),
        ([1, 1.0], [1], {"before": [1, 1.0], "after": [1]}),
        ([["a"]], [["b"]], {"before": [["a"]], "after": [["b"]]}),
        ([{"image": "a"}], [{"image": "b"}], {"before": [{"image": "a"}], "after": [{"image": "b"}]}),
        (None, ["a"], {"before": None, "after": ["a"]}),
        ("a", ["a"], {"before": "a", "after": ["a"]}),
        (True, 1, {"before": True, "after": 1}),
        ("1", 1, {"before": "1", "after": 1}),
        ({"a": 1}, "a", {"before": {"a": 1}, "after": "a"}),
        ({}, None, {"before": {}, "after": None}),
    ],
)
def test_lists_in_which_nothing_comes_twice_are_sets_and_all_else_is_kept_whole(
    before: Any, after: Any, change: dict[str, Any]
) -> None:
    assert between({"field": before}, {"field": after}) == {"field": change}


def test_numbers_are_compared_by_value_and_null_is_as_good_as_missing() -> None:
    assert between({"a": 1, "b": None, "c": [1]}, {"a": 1.0, "c": [1.0]}) == {}


def test_names_stay_beside_ids() -> None:
    ada, bob = {"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}
    assert between({"owner": ada}, {"owner": bob}) == {"owner": {"before": ada, "after": bob}}
    assert between({"owner": ada}, {"owner": ada | {"name": "Ada L."}}) == {
        "owner.name": {"before": "Ada", "after": "Ada L."}
    }
    assert between({"members": [ada]}, {"members": [bob, ada]}) == {"members": {"added": [bob], "removed": []}}
    renamed = [ada | {"name": "Ada L."}]
    assert between({"members": [ada]}, {"members": renamed}) == {"members": {"before": [ada], "after": renamed}}


def test_values_that_are_no_objects_are_one_field() -> None:
    assert between("a", "b") == {"value": {"before": "a", "after": "b"}}
    assert between(["a"], ["b"]) == {"value": {"added": ["b"], "removed": ["a"]}}
    assert between({}, ["b"]) == {"value": {"before": {}, "after": ["b"]}}


def test_no_two_fields_have_the_same_path() -> None:
    before = {"a": {"b": 1, "x.y": 1, "x": {"y": 1}}, "a.b": 1, 'a["x.y"]': 1, "c.d": 1}
    after = {"a": {"b": 2, "x.y": 3, "x": {"y": 4}}, "a.b": 5, 'a["x.y"]': 6, "c.d": 7}
    assert {path: change["after"] for path, change in between(before, after).items()} == {
        "a.b": 2,
        'a["x.y"]': 3,
        "a.x.y": 4,
        '["a.b"]': 5,
        '["a[\\"x.y\\"]"]': 6,
        "c.d": 7,
    }


def test_a_secret_says_that_it_changed_and_shows_neither_value() -> None:
    before = {"password": "p1", "db": {"password": "p2", "host": "a"}, "token": "same"}
    after = {"password": "q1", "db": {"password": {"new": "q2"}, "host": "b"}, "token": "same"}
    assert between(before, after, secret={"password", "token"}.__contains__) == {
        "password": {"changed": True},
        "db.password": {"changed": True},
        "db.host": {"before": "a", "after": "b"},
    }
    assert between({"db": {"auth": {"v": 1}}}, {"db": {"auth": {"v": 2}}}, secret="db.auth".__eq__) == {
        "db.auth": {"changed": True}
    }


def test_secrets_inside_whole_values_are_not_shown_either() -> None:
    before = {"users": [{"login": "a", "password": "p1"}, {"login": "b", "password": "p2"}]}
    after = {"users": [{"login": "a", "password": "q1"}, {"login": "c", "password": "p2"}]}
    assert between(before, after, secret="password".__eq__) == {
        "users": {
            "before": [{"login": "a", "password": {"changed": True}}, {"login": "b", "password": "[redacted]"}],
            "after": [{"login": "a", "password": {"changed": True}}, {"login": "c", "password": "[redacted]"}],
        }
    }
    only = between({"users": [{"password": "p1"}]}, {"users": [{"password": "q1"}]}, secret="password".__eq__)
    assert only == {"users": {"changed": True}}
    made = between(None, {"user": {"login": "a", "password": "p1"}}, secret="user.password".__eq__)
    assert made == {"user": {"before": None, "after": {"login": "a", "password": {"changed": True}}}}
    member = {"id": 1, "name": "a", "password": "p1"}
    joined = between({"m": []}, {"m": [member]}, secret="password".__eq__)
    assert joined == {"m": {"added": [member | {"password": {"changed": True}}], "removed": []}}


def test_documents_that_differ_everywhere_keep_whole_values() -> None:
    before = {"spec": {str(number): number for number in range(2000)}, "name": "a"}
    after = {"spec": {str(number): number + 1 for number in range(2000)}, "name": "a"}
    assert between(before, after) == {"spec": {"before": before["spec"], "after": after["spec"]}}
    many = {str(number): number for number in range(2000)}
    assert len(between(None, many)) == 2000


def test_no_path_is_longer_than_a_reader_can_use() -> None:
    long = "x" * 300_000
    before = {"a": {long: {str(number): 1 for number in range(100)}}}
    after = {"a": {long: {str(number): 2 for number in range(100)}}}
    assert between(before, after) == {"a": {"before": before["a"], "after": after["a"]}}
    deep = between({"a": nested(100, 1)}, {"a": nested(100, 2)})
    ((path, change),) = deep.items()
    assert set(path.split(".")) == {"a"}
    assert change["before"] == nested(101 - len(path.split(".")), 1)


@pytest.mark.parametrize("secret", [never, "password".__eq__])
@pytest.mark.parametrize("depth", [250, 1000, 20_000])
def test_no_depth_breaks_it(depth: int, secret: Any) -> None:
    lists = json.loads("[" * 900 + "]" * 900)
    for leaf in (1, {"password": "p1"}, lists):
        assert between(nested(depth, leaf), nested(depth, 2), secret=secret)
        assert between(nested(depth, leaf), nested(depth, leaf), secret=secret) == {}
        assert between(None, nested(depth, leaf), secret=secret)


@settings(deadline=None)
@given(documents, st.booleans())
def test_a_document_does_not_differ_from_itself(document: Any, hides: bool) -> None:
    secret = "password".__eq__ if hides else never
    assert between(document, copy.deepcopy(document), secret=secret) == {}


@settings(deadline=None)
@given(documents_without_null, documents_without_null)
def test_what_differs_is_always_said(before: Any, after: Any) -> None:
    found = between(before, after)
    assert bool(found) != same(before, after)
    assert all(set(change) in ({"before", "after"}, {"added", "removed"}) for change in found.values())
    orjson.dumps(found)


plain = st.recursive(scalars, lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4), max_leaves=12)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), plain), st.dictionaries(st.sampled_from("abcd"), plain))
def test_every_scalar_that_differs_is_explained_and_none_that_does_not(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = {path: (change["before"], change["after"]) for path, change in between(before, after).items()}
    assert found == of_dicts(before, after)


@settings(deadline=None)
@given(documents, documents)
def test_no_value_of_a_secret_is_ever_seen(before: Any, after: Any) -> None:
    def sown(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: "s3cr3t" if name == "password" else sown(item) for name, item in value.items()}
        return [sown(item) for item in value] if isinstance(value, list) else value

    for pair in ((sown(before), after), (before, sown(after)), (sown(before), sown(after)), (None, sown(after))):
        assert b"s3cr3t" not in orjson.dumps(between(*pair, secret="password".__eq__))
