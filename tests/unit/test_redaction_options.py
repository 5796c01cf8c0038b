"""The `redaction:` part of the configuration: what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.config import load_config, shown
from exporter.errors import ConfigError
from exporter.redaction import Redaction
from exporter.redaction.redactor import Redactor


def refusal(folder: Path, text: str) -> str:
    file = folder / "auditgraf.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as failure:
        load_config({}, file)
    return str(failure.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redaction:\n  vaules: {}\n", "FILE:2: redaction.vaules: unknown key; did you mean values?"),
        ("redaction:\n  values:\n    githb: false\n", "FILE:3: redaction.values.githb: no detector of that name"),
        ("redaction:\n  values: {githb: false}\n", "did you mean github?"),
        ("redaction:\n  values:\n    jwt: 1\n", "FILE:3: redaction.values.jwt: must be true or false"),
        ("redaction:\n  values: [jwt]\n", "FILE:2: redaction.values: must be a mapping of detectors"),
        ("redaction:\n  keys: {a: b}\n", "FILE:2: redaction.keys: must be a name, or a list of names"),
        ("redaction:\n  keys: ['a', '[b']\n", "the [ is never closed"),
        ("redaction:\n  keys: ['...']\n", "has no letter or digit"),
        ("redaction:\n  action: hide\n", "FILE:2: redaction.action: "),
        ("redaction:\n  emails: truncate\n", "FILE:2: redaction.emails: "),
        ("redaction:\n  keep: 0\n", "FILE:2: redaction.keep: "),
        ("redaction:\n  enabled: sometimes\n", "FILE:2: redaction.enabled: must be true or false"),
        ("redaction:\n  key: abc\n", "FILE:2: redaction.key: the key comes from AUDITGRAF_REDACTION_KEY only"),
        ("redaction:\n  rules:\n  - name: a\n", "FILE:3: redaction.rules.0: the rule matches nothing"),
        ("redaction:\n  rules:\n  - {name: a, value: '(b'}\n", "'(b' is no regular expression: unclosed group"),
        ("redaction:\n  rules:\n  - {name: a, value: '(?=b)'}\n", "look-around and backreferences don't exist here"),
        ("redaction:\n  rules:\n  - {name: a, kee: b}\n", "FILE:3: redaction.rules.0.kee: unknown key; did you mean"),
        ("redaction:\n  rules:\n  - {name: '', key: b}\n", "is no name of a rule"),
        ("redaction:\n  rules:\n  - {name: a, key: b}\n  - {name: a, key: c}\n", "FILE:4: redaction.rules.1.name"),
        ("redaction:\n  rules:\n  - {name: a, value: '(?P<secret>b)'}\n", "has a named group"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_file_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "options",
    [
        {"action": "hash"},
        {"emails": "hash"},
        {"addresses": "hash"},
        {"rules": [{"name": "people", "key": "user.id", "action": "hash"}]},
    ],
)
def test_what_needs_a_key_is_refused_without_one(options: dict[str, object]) -> None:
    redaction = Redaction.model_validate(options)
    with pytest.raises(ConfigError, match=r"hash: needs a key.*AUDITGRAF_REDACTION_KEY"):
        Redactor(redaction, None)
    Redactor(redaction, b"0123456789abcdef")
    Redactor(redaction.model_copy(update={"enabled": False}), None)


def test_a_key_that_can_be_guessed_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="5 characters can be guessed") as failure:
        Redactor(Redaction(), b"abcde")
    assert "abcde" not in str(failure.value)


def test_the_key_comes_from_the_environment_and_is_never_shown() -> None:
    config = load_config({"AUDITGRAF_REDACTION_KEY": "hush-hush-hush-hush"})
    assert config.redaction_key() == b"hush-hush-hush-hush"
    assert "hush" not in shown(config) + repr(config) + config.model_dump_json()
    assert load_config({}).redaction_key() is None


def test_what_is_shown_could_be_the_file(tmp_path: Path) -> None:
    file = tmp_path / "auditgraf.yaml"
    file.write_text(
        "redaction: {keys: [a, 'b_*'], allow: c, values: {cards: false}, keep: 2, emails: keep,\n"
        "  rules: [{name: x y, key: [k], value: 'v+', action: truncate, keep: 3}, {name: z, value: w}]}\n"
    )
    config = load_config({}, file)
    again = tmp_path / "again.yaml"
    again.write_text(shown(config))
    assert load_config({}, again).redaction == config.redaction
