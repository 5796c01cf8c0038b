"""Whatever is sent as what changed: it is read or it is not, and costs what it should."""

from __future__ import annotations

import json
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.enrich.changes import Form, Read, parse, read

FORMS: tuple[Form, ...] = get_args(Form)

words = st.sampled_from(
    [
        *("a", "b", "a.b", "password", "before", "after", "old", "new", "from", "to", "added", "removed", "changed"),
        *("changes", "previous_value", "new_value", "add", "remove", "clear", "op", "path", "value", "field", "name"),
        *("displayName", "fields", "object", "type", "operation", "objects", "prev_a", "OLD_VALUE"),
    ]
) | st.text(max_size=3)
leaves = (
    st.none() | st.booleans() | st.integers(-9, 9) | words | st.sampled_from(["m2m", "replace", "/a/0", "[1]", "{"])
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=15
)


def document_of(text: str) -> dict[str, Any]:
    done = read(text)
    assert done is not None
    return done.document


def test_a_nul_is_replaced_and_told() -> None:
    done = read('{"a\\u0000": ["x\\u0000", "\\\\u0000"]}')
    assert done == Read({"a\ufffd": {"before": "x\ufffd", "after": "\\u0000"}}, True, done.json if done else "", True)


def test_what_json_can_not_say_twice_or_in_full_is_what_orjson_makes_of_it() -> None:
    assert document_of('{"a":[1,2],"a":[1,3]}') == {"a": {"before": 1, "after": 3}}
    assert document_of(f'{{"a":[1,{"9" * 30}]}}') == {"a": {"before": 1, "after": 1e30}}
    assert document_of('{"a":[9223372036854775808,18446744073709551615]}') == {
        "a": {"before": 2**63, "after": 2**64 - 1}
    }


@settings(max_examples=300, deadline=None)
@given(trees, st.sampled_from([None, *FORMS]))
def test_any_json_is_read_or_it_is_not_and_never_more_than_that(value: Any, form: Form | None) -> None:
    done = read(json.dumps(value), form, secret="password".__eq__)
    if done is not None:
        assert orjson.loads(done.json) == done.document
        assert not done.document or parse(done.json) is not None


@pytest.mark.parametrize("form", [None, *FORMS])
@pytest.mark.parametrize(
    "opening", ["[", '{"a":', '[{"op":"add","path":"/a","value":', '{"before":', '{"a":[1,', '{"a":{"new":']
)
@pytest.mark.parametrize("depth", [100, 300, 1000, 100_000])
def test_no_depth_breaks_a_reader(form: Form | None, opening: str, depth: int) -> None:
    inner = "[" * depth + "]" * depth
    closing = {"[": "]", "{": "}"}
    text = opening + inner + "".join(closing[bracket] for bracket in reversed(opening) if bracket in closing)
    done = read(text, form, secret="password".__eq__)
    assert done is None or depth == 100


def test_four_megabytes_do_not_grow() -> None:
    name = "n" * 1_000_000
    before, after = ({name: {str(number): side for number in range(20_000)}} for side in (1, 2))
    sent = json.dumps({"before": {"a": before}, "after": {"a": after}})
    assert len(json.dumps(document_of(sent))) < len(sent) + 100
    patch = [{"op": "add", "path": f"/tags/{number}", "value": number} for number in range(50_000)]
    assert len(document_of(json.dumps(patch))["tags"]["added"]) == 50_000
    far = json.dumps([{"op": "add", "path": "/a" * 500_000, "value": 1}])
    assert read(far, secret="password".__eq__) is not None
