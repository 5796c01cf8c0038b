"""YAML files of people: every error says where it is, and no file harms the reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from exporter.document import load, loads
from exporter.errors import ConfigError


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner | None = None
    items: list[Inner] = []


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as failure:
        loads(text, "file.yaml").parse(Outer)
    return str(failure.value)


def test_a_valid_file_becomes_its_model() -> None:
    made = loads("inner: {number: 1}\nitems:\n  - number: 2\n", "file.yaml").parse(Outer)
    assert made == Outer(inner=Inner(number=1), items=[Inner(number=2)])


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n"])
def test_an_empty_file_is_all_defaults(text: str) -> None:
    assert loads(text, "file.yaml").parse(Outer) == Outer()


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("inner:\n  number: x\n", "file.yaml:2: inner.number: "),
        ("inner:\n  number: 1\n  colour: red\n", "file.yaml:3: inner.colour: unknown key"),
        ("\nitems:\n- number: 1\n- {}\n", "file.yaml:4: items.1.number: this key is required"),
        ("items: 1\n", "file.yaml:1: items: "),
        ("- 1\n", "file.yaml:1: "),
        ("inner: {number: 1}\ninner: {number: 2}\n", "file.yaml:2: inner: given twice"),
        ("inner:\n  number: 1\n number: 2\n", "file.yaml:3: not valid YAML: "),
        ("inner: [\n", "file.yaml:2: not valid YAML: "),
        ("\tinner: 1\n", "file.yaml:1: not valid YAML: "),
        ("inner: !!python/object/apply:os.system [ls]\n", "file.yaml:1: not valid YAML: "),
        ("a: 1\nb: !!int word\n", "file.yaml:1: not valid YAML: "),
        ("inner: 2024-02-31\n", "file.yaml:1: not valid YAML: "),
        ("inner: *nowhere\n", "file.yaml:1: not valid YAML: "),
        ("? [a]\n: b\n", "file.yaml:1: not valid YAML: "),
        ("a: \0\n", "file.yaml:1: not valid YAML: "),
        ("1: 2\n", "file.yaml:1: "),
    ],
)
def test_an_error_names_file_line_and_key(text: str, start: str) -> None:
    assert refusal(text).startswith(start)


def test_all_that_is_wrong_is_said_at_once_a_line_each() -> None:
    lines = refusal("colour: red\ninner:\n  number: x\nitems:\n- {}\n").splitlines()
    assert sorted(line.split(":")[1] for line in lines) == ["1", "3", "5"]


def test_aliases_of_aliases_are_refused_before_they_grow() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "too many or too deeply nested values" in refusal("\n".join(lines))


@pytest.mark.parametrize("text", ["a: " + "[" * 150 + "]" * 150, "&a [*a]", "a: &a {b: *a}"])
def test_nesting_without_end_is_refused(text: str) -> None:
    assert "deeply nested" in refusal(text)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match=r"binary\.yaml: not UTF-8: .* at byte 3"):
        load(binary)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@,?\n \t0.~<=") | st.characters(), max_size=25))
def test_no_text_is_anything_but_a_document_or_a_refusal(text: str) -> None:
    try:
        loads(text, "file.yaml").parse(Outer)
    except ConfigError as failure:
        assert str(failure).startswith("file.yaml:")
