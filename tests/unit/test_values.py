"""AnyValues as text and as JSON."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.otlp import jsonb, values
from exporter.otlp.decode import decode
from tests.records import any_value, int64s, record, request, scalars, texts


def rendered(*given_values: Any) -> tuple[list[Any], list[Any], list[bool]]:
    """The column of these values: text, JSON, whether a U+0000 was replaced."""
    made = request(*(record(body=value) for value in given_values))
    decoded = decode([made.SerializeToString()])
    nul = decoded.flags.get("nul_replaced")
    flags = [False] * len(given_values) if nul is None else nul.tolist()
    return decoded.columns["body"].to_list(), decoded.columns["body_json"].to_list(), flags


@pytest.mark.parametrize(
    ("value", "text", "as_json"),
    [
        (None, None, "null"),
        ("", "", '""'),
        ([], "[]", "[]"),
        ({}, "{}", "{}"),
        (0, "0", "0"),
        (False, "false", "false"),
        (0.0, "0.0", "0.0"),
        (b"", "", '""'),
        (b"\0\xff", "AP8=", '"AP8="'),
        (-(2**63), "-9223372036854775808", "-9223372036854775808"),
        (math.nan, "NaN", '"NaN"'),
        (math.inf, "Infinity", '"Infinity"'),
        (-math.inf, "-Infinity", '"-Infinity"'),
        ('say "hi"\\\n', 'say "hi"\\\n', r'"say \"hi\"\\\n"'),
        ([math.nan, b"\0", None, {"k": -math.inf}], *[r'["NaN","AA==",null,{"k":"-Infinity"}]'] * 2),
        ((("k", 1), ("k", 2)), *['{"k":2}'] * 2),
        ({"": {"": []}}, *['{"":{"":[]}}'] * 2),
    ],
)
def test_each_kind_of_value_has_one_form(value: Any, text: str | None, as_json: str) -> None:
    assert rendered(value) == ([text], [as_json], [False])


@pytest.mark.parametrize("value", ["\0", "a\0b\0", ["\0"], {"\0": 1}, {"k": [{"x": "\0"}]}])
def test_a_nul_is_replaced_and_reported_wherever_it_is(value: Any) -> None:
    texts_, jsons, flagged = rendered("clean", value, r"\u0000")
    assert flagged == [False, True, False]
    assert "\0" not in str(texts_) and "\\u0000" not in jsons[1] and "\ufffd" in jsons[1]
    assert jsons[2] == r'"\\u0000"'


def test_a_backslash_before_u0000_in_a_nested_value_is_no_nul() -> None:
    assert rendered([r"\u0000"]) == ([r'["\\u0000"]'], [r'["\\u0000"]'], [False])
    text, replaced = jsonb.dumps({"k": [r"\u0000", "\0"]})
    assert (orjson.loads(text), replaced) == ({"k": [r"\u0000", "\ufffd"]}, True)


@settings(max_examples=80, deadline=None)
@given(st.lists(scalars, min_size=1, max_size=6))
def test_a_column_of_mixed_values_gives_each_the_form_that_it_has_alone(column: list[Any]) -> None:
    alone = [rendered(value) for value in column]
    assert rendered(*column) == tuple([one[part][0] for one in alone] for part in range(3))


@settings(max_examples=150, deadline=None)
@given(st.lists(texts | st.none(), max_size=5))
def test_quoted_strings_are_read_back_unchanged(strings: list[str | None]) -> None:
    quoted = values.quote(pl.Series(strings, dtype=pl.String))
    assert [None if text is None else json.loads(text) for text in quoted] == strings


@settings(max_examples=150, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | int64s)
def test_numbers_are_read_back_unchanged_and_in_their_type(number: float) -> None:
    [text], [as_json], _ = rendered(number)
    read = json.loads(as_json)
    assert (read, type(read)) == (number, type(number))
    assert text == as_json


@given(st.binary(max_size=30))
def test_bytes_are_base64(data: bytes) -> None:
    assert rendered(data)[0] == [base64.b64encode(data).decode()]
    assert values.as_json(any_value(data)) == base64.b64encode(data).decode()
