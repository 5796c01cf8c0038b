"""Secrets in documents of changes: that they changed is said, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from exporter.enrich.changes import never, read


def document_of(sent: Any, secret: Callable[[str], bool] = "password".__eq__) -> dict[str, Any]:
    found = read(json.dumps(sent), secret=secret)
    assert found is not None
    return found.document


@pytest.mark.parametrize(
    "sent",
    [
        {"password": {"before": "s3cr3t", "after": "s3cr4t"}},
        {"password": {"added": ["s3cr3t"]}},
        {"before": {"password": "s3cr3t"}, "after": {"password": "s3cr4t"}},
        {"before": '{"password":"s3cr3t"}', "after": '{"password":"s3cr4t"}'},
        {"after": {"password": "s3cr3t"}},
        {"password": {"previous_value": "s3cr3t", "new_value": None}},
        {"password": {"add": ["s3cr3t"]}},
        {"password": {"old": "s3cr3t", "new": "s3cr4t"}},
        {"password": ["s3cr3t", "s3cr4t"]},
        {"password": {"type": "m2m", "operation": "add", "objects": ["s3cr3t"]}},
        {"password": "s3cr3t", "changes": {"password": "s3cr4t"}},
        {"oldPassword": "s3cr3t", "newPassword": "s3cr4t"},
        [{"op": "replace", "path": "/password", "value": "s3cr3t"}],
        [{"op": "add", "path": "/password", "value": "s3cr3t", "old": "s3cr4t"}],
        [{"field": "password", "old": "s3cr3t", "new": "s3cr4t"}],
        [{"displayName": "password", "oldValue": '["s3cr3t"]', "newValue": '["s3cr4t"]'}],
    ],
)
def test_a_secret_of_any_form_says_that_it_changed_and_shows_neither_value(sent: Any) -> None:
    assert document_of(sent) == {"password": {"changed": True}}


def test_a_secret_is_known_by_its_path_and_by_the_last_part_of_it() -> None:
    secret = {"db.auth", "password"}.__contains__
    patch = [
        {"op": "add", "path": f"/{path}", "value": "s3cr3t"} for path in ("db/auth/0", "db/auth/x", "a/password/b")
    ]
    assert document_of(patch, secret) == {
        "db.auth": {"changed": True},
        "db.auth.x": {"changed": True},
        "a.password.b": {"changed": True},
    }
    own = {name: {"before": 1, "after": 2} for name in ("db.auth", "user.password", 'x["a.b/c.password"]', "a.b")}
    assert [list(change) for change in document_of(own, secret).values()] == [["changed"]] * 3 + [["before", "after"]]
    inside = {
        "db": {"before": [{"password": "s3cr3t"}], "after": None},
        "set": {"added": [{"x": {"password": "s3cr3t"}}]},
    }
    assert document_of(inside, secret) == {
        "db": {"before": [{"password": {"changed": True}}], "after": None},
        "set": {"added": [{"x": {"password": {"changed": True}}}]},
    }


@pytest.mark.parametrize("mask", ["*" * 20, "***", "[FILTERED]", "[redacted]", "<masked>", "••••"])
def test_what_the_sender_lists_with_the_same_mask_twice_has_changed(mask: str) -> None:
    assert document_of({"pin": [mask, mask]}, never) == {"pin": {"changed": True}}
