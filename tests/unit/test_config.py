"""The configuration: what wins, what is refused and how, and what is never shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from collector.config import (
    SECRETS,
    VARIABLES,
    Config,
    load_config,
    shown,
    unknown_variables,
)
from exporter.durations import format_duration, parse_duration
from exporter.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "auditgraf.yaml"


def refusal(file: Path, text: str = "", **variables: str) -> str:
    file.write_text(text)
    with pytest.raises(ConfigError) as failure:
        load_config(variables, file)
    return str(failure.value)


def test_without_a_file_and_variables_everything_has_a_default() -> None:
    config = load_config({})
    assert (config.grpc.listen, config.http.listen) == ("127.0.0.1:4317", "127.0.0.1:4318")
    assert config.classes == {"default": timedelta(days=365), "log": timedelta(days=7)}
    assert config.mapping.unmatched == "keep"


def test_a_variable_wins_over_the_file_and_an_empty_one_does_not(file: Path) -> None:
    file.write_text("grpc: {listen: '127.0.0.1:1'}\nhttp: {listen: '127.0.0.1:2'}\nlog_level: debug\n")
    variables = {"AUDITGRAF_GRPC_LISTEN": "[::1]:3", "AUDITGRAF_LOG_LEVEL": "", "AUDITGRAF_UNMATCHED": "drop"}
    config = load_config(variables, file)
    assert (config.grpc.listen, config.http.listen) == ("[::1]:3", "127.0.0.1:2")
    assert (config.log_level, config.mapping.unmatched) == ("debug", "drop")


def test_a_variable_leaves_its_sections_other_settings(file: Path) -> None:
    file.write_text("http: {cors_allowed_origins: ['https://example.org']}\n")
    config = load_config({"AUDITGRAF_HTTP_LISTEN": "127.0.0.1:2"}, file)
    assert config.http.listen == "127.0.0.1:2"
    assert config.http.cors_allowed_origins == ("https://example.org",)


def test_the_file_is_named_by_a_variable_too_and_the_argument_goes_first(file: Path, tmp_path: Path) -> None:
    file.write_text("log_level: debug\n")
    other = tmp_path / "other.yaml"
    other.write_text("log_level: error\n")
    assert load_config({"AUDITGRAF_CONFIG": str(file)}).log_level == "debug"
    assert load_config({"AUDITGRAF_CONFIG": str(file)}, other).log_level == "error"


def test_every_variable_has_a_setting() -> None:
    for variable, place in {**VARIABLES, **SECRETS}.items():
        section: object = Config()
        for name in place:
            assert hasattr(section, name), variable
            section = getattr(section, name)


def test_paths_of_rules_are_relative_to_the_file(file: Path) -> None:
    file.write_text("mapping: {rules: [rules/a.yaml, /etc/b.yaml]}\n")
    assert load_config({}, file).mapping.rules == (file.parent / "rules/a.yaml", Path("/etc/b.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grcp: {}\n", "{file}:1: grcp: unknown key"),
        ("\ngrpc:\n  lisen: x\n", "{file}:3: grpc.lisen: unknown key"),
        ("grpc:\n  listen: 4317\n", "{file}:2: grpc.listen: '4317' is no host:port"),
        ("limits:\n  max_request_bytes: 1\n", "{file}:2: limits.max_request_bytes: "),
        ("retention:\n  log: soon\n", "{file}:2: retention.log: 'soon' is no duration"),
        ("retention:\n  log: 99999999999y\n", "{file}:2: retention.log: '99999999999y' is too long"),
        ("retention:\n  Log: 1d\n", "'Log' is no class name"),
        ("retention:\n  log: 1m\n", "log: shorter than an hour"),
        ("accept:\n  future: 14d\n", "{file}:2: accept.future: too far ahead"),
        ("accept:\n  future: never\n", "{file}:2: accept.future: too far ahead"),
        ("mapping:\n  unmatched: maybe\n", "{file}:2: mapping.unmatched: "),
        ("log_level: loud\n", "{file}:1: log_level: "),
        (
            "database:\n  url: postgresql://u:secret@h/db\n",
            "{file}:1: database: connection URLs and passwords come",
        ),
        ("- 1\n", "{file}:1: the file must be a mapping"),
        ("a: [\n", "{file}:2: not valid YAML"),
    ],
)
def test_a_mistake_in_the_file_is_named_by_file_line_and_key(file: Path, text: str, message: str) -> None:
    refused = refusal(file, text)
    assert message.format(file=file) in refused
    assert "secret" not in refused


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUDITGRAF_GRPC_LISTEN", "nowhere"),
        ("AUDITGRAF_MAX_REQUEST_BYTES", "many"),
        ("AUDITGRAF_UNMATCHED", "no"),
    ],
)
def test_a_mistake_in_a_variable_is_named_by_the_variable(file: Path, variable: str, value: str) -> None:
    assert refusal(file, "log_level: info\n", **{variable: value}).startswith(f"{variable}:")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read"):
        load_config({"AUDITGRAF_CONFIG": str(tmp_path / "none.yaml")})


def test_misspelt_variables_are_found() -> None:
    variables = {"AUDITGRAF_GRPC_LISTEN": "", "AUDITGRAF_GRCP_LISTEN": "", "AUDITGRAF_CONFIG": "", "PATH": ""}
    assert unknown_variables(variables) == ["AUDITGRAF_GRCP_LISTEN"]


def test_secrets_are_hidden_wherever_the_configuration_is_shown() -> None:
    variables = {name: f"postgresql://u:hush{index}@h/db" for index, name in enumerate(SECRETS)}
    config = load_config(variables)
    for text in (shown(config), repr(config), str(config.database), config.model_dump_json()):
        assert "hush" not in text
    assert shown(config).count("(set, hidden)") == len(SECRETS)
    assert all(value in shown(config, secrets=True) for value in variables.values())


def test_what_is_shown_could_be_the_file(file: Path, tmp_path: Path) -> None:
    file.write_text(
        "retention: {security: 2y, log: 1.5h, ever: never}\naccept: {past: 30d, future: 0s}\n"
        f"mapping: {{rules: [{tmp_path}/a.yaml]}}\ngrafana: {{colours: {{user.login: '#00ff00'}}}}\n"
    )
    config = load_config({}, file)
    again = tmp_path / "again.yaml"
    again.write_text(shown(config))
    assert load_config({}, again) == config.model_copy(update={"retention": config.classes})
    assert yaml.safe_load(shown(config))["retention"] == {
        "default": "365d",
        "log": "90m",
        "security": "730d",
        "ever": "never",
    }


def test_a_role_without_a_url_of_its_own_uses_the_owners() -> None:
    url = "postgresql://owner:pw@db:5432/audit?sslmode=require"
    config = load_config({"AUDITGRAF_DATABASE_URL": url})
    assert config.owner_url() == url
    assert config.writer_url().startswith(f"{url}&options=-c%20role%3Dauditgraf_writer")
    named = load_config({"AUDITGRAF_DATABASE_URL": url, "AUDITGRAF_READER_PASSWORD": "p@/:"})
    assert named.reader_url() == "postgresql://auditgraf_reader:p%40%2F%3A@db:5432/audit?sslmode=require"
    own = load_config({"AUDITGRAF_DATABASE_URL": url, "AUDITGRAF_WRITER_DATABASE_URL": "postgresql:///x"})
    assert own.writer_url() == "postgresql:///x"


def test_a_missing_database_url_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="AUDITGRAF_DATABASE_URL is not set"):
        load_config({}).owner_url()


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", timedelta(days=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("2W", timedelta(weeks=2)),
        (" 1y", timedelta(days=365)),
        ("0.000001s", timedelta(microseconds=1)),
        ("never", None),
        ("Forever", None),
    ],
)
def test_durations_are_written_as_people_do(text: str, span: timedelta | None) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "7", "d", "7 days", "-1d", "1d,", "1e3s", "9" * 400 + "d", "3000000y", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no duration|is too long"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0)) | st.none() | st.integers(0, 10**7).map(lambda s: timedelta(seconds=s)))
def test_a_duration_is_read_back_as_it_was_written(span: timedelta | None) -> None:
    assert parse_duration(format_duration(span)) == span
