"""Records without their secrets: in every column, and in every form that a value may have."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from exporter.otlp.decode import Records, decode
from exporter.redaction import Redaction
from exporter.redaction.redactor import Finding, Redactor
from tests.records import log_records, record, request, scalars, texts

DEFAULT = Redactor(Redaction(), None)
KEY = b"0123456789abcdef0123456789abcdef"
SECRETS = ("hunter2hunter", "AKIAIOSFODNN7EXAMPLE", "4111111111111111", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln")


def decoded(*records: LogRecord, resource: Any = ()) -> Records:
    return decode([request(*records, resource=resource).SerializeToString()])


def everything(records: Records) -> str:
    """All texts of the records that anything is made of."""
    columns = records.columns.select("body", "body_json", "event_name", "severity_text").rows()
    return repr((columns, records.attributes.text.to_list(), records.attributes.json.to_list()))


def attributes(records: Records) -> dict[str, tuple[str | None, Any]]:
    """The attributes of the first record: text, and JSON as what it says."""
    found = records.attributes
    end = found.offsets[1]
    return {
        found.keys[code]: (text, orjson.loads(form))
        for code, text, form in zip(found.key[:end], found.text[:end], found.json[:end], strict=True)
    }


def redacted(
    given: Any, options: Redaction | None = None, key: bytes | None = KEY
) -> dict[str, tuple[str | None, Any]]:
    """The attributes of one record, redacted."""
    return attributes(Redactor(options or Redaction(), key).records(decoded(record(given)))[0])


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "made",
    [
        lambda secret: record({"db.password": secret}),
        lambda secret: record({"note": f"it was password={secret}, then"}),
        lambda secret: record({"config": {"db": {"password": secret, "port": 5432}}}),
        lambda secret: record({"passwords": [secret, "other"]}),
        lambda secret: record({"headers": [{"name": "Authorization", "value": secret}]}),
        lambda secret: record({"password": {"before": secret, "after": None}}),
        lambda secret: record({"change": {"op": "replace", "path": "/spec/password", "value": secret}}),
        lambda secret: record({"request": {"kind": "Secret", "data": {"a": {"b": secret}}}}),
        lambda secret: record({"request": json.dumps({"stringData": {"a": secret}, "kind": "Secret"})}),
        lambda secret: record({"key": "DB_PASSWORD", "value": secret}),
        lambda secret: record({"setting.name": "DB_PASSWORD", "setting.value": secret}),
        lambda secret: record({"name": "DB_PASSWORD", "value.before": secret, "value.after": {"a": [secret]}}),
        lambda secret: record({"kind": "Secret", "data": {"a": secret}}),
        lambda secret: record({"kind": "Secret", "data": json.dumps({"a": secret}), "stringData.b": secret}),
        lambda secret: record({"kind": "SecretList", "items": [{"data": {"a": secret}}]}),
        lambda secret: record({"object": {"kind": "SecretList", "items": [{"data": {"a": secret}}]}}),
        lambda secret: record({"auditd.a0": "mysql", "auditd.a9": "--password", "auditd.a10": secret}),
        lambda secret: record({"change": "password", "from": secret, "to": secret}),
        lambda secret: record({"details": {"change": "password", "from": secret, "to": secret}}),
        lambda secret: record(
            {"x": [{"displayName": "StrongAuthenticationPassword", "oldValue": "", "newValue": f'["{secret}"]'}]}
        ),
        lambda secret: record({"credentials": {"a": 1}, "list": [{"type": "password", "value": secret}]}),
        lambda secret: record(body={"token": secret}),
        lambda secret: record(body=json.dumps({"a": {"client_secret": secret}})),
        lambda secret: record(body=json.dumps({"a": json.dumps({"b": json.dumps({"password": secret})})})),
        lambda secret: record(body=f'{{"user": "bob", "password": "{secret}", "cut": "of'),
        lambda secret: record(body=f'{{"user": "bob", "password": "{secret}'),
        lambda secret: record(body=f"[warn] token: {secret}"),
        lambda secret: record(event_name=f"login?token={secret}"),
        lambda secret: record(severity_text=f"pwd={secret}"),
        lambda secret: record({"a": ["x", f"https://u:{secret}@example.org/"]}),
    ],
)
def test_no_secret_is_left_in_any_column(secret: str, made: Any) -> None:
    records = decoded(record({"a": "b"}), made(secret), record(body="ordinary"))
    assert secret in everything(records)
    without, findings = DEFAULT.records(records)
    assert secret not in everything(without)
    assert {finding.record for finding in findings} == {1}
    assert without.flags["redacted"].tolist() == [False, True, False]


KUBERNETES = {"verb": "patch", "objectRef": {"resource": "secrets", "name": "n"}}


@pytest.mark.parametrize(
    "change",
    [
        {"requestObject": {"stringData": {"a": "hunter2hunter"}}},
        {"requestObject": {"data": {"a": {"b": "hunter2hunter"}}}},
        {"requestObject": [{"op": "replace", "path": "/data/a", "value": "hunter2hunter"}]},
        {"requestObject": [{"op": "add", "path": "/stringData", "value": {"a": "hunter2hunter"}}]},
        {"responseObject": {"items": [{"data": {"a": "hunter2hunter"}}]}},
    ],
)
def test_what_kubernetes_says_of_a_secret_is_hidden_as_a_document_and_as_attributes(change: dict[str, Any]) -> None:
    event = KUBERNETES | change
    flat = {"objectRef.resource": "secrets"}
    flat |= {f"{name}.data.a" if isinstance(value, dict) else name: value for name, value in change.items()}
    for made in (record(body=json.dumps(event)), record(body=event), record(event), record({"e": event}), record(flat)):
        assert "hunter2hunter" not in everything(DEFAULT.records(decoded(made))[0])
    event["objectRef"] = {"resource": "configmaps"}
    for made in (record(body=json.dumps(event)), record(event), record(flat | {"objectRef.resource": "configmaps"})):
        assert "hunter2hunter" in everything(DEFAULT.records(decoded(made))[0])


def test_a_name_speaks_only_of_what_stands_beside_it_in_the_same_record() -> None:
    first = {"name": "DB_PASSWORD", "other.value": "a", "count": 3, "valued": "b"}
    second = {"name": "mail", "value": "c", "a.name": "DB_PASSWORD", "b.value": "d", "value.c": "e"}
    third = {"name": "user.password.changed", "data": "f", "kind": "ConfigMap", "type": "login", "value": "g"}
    patch = {"objectRef": KUBERNETES["objectRef"], "requestObject": [{"path": "/metadata/labels/x", "value": "h"}]}
    records = decoded(record(first), record(second), record(third), record(patch))
    assert DEFAULT.records(records) == (records, [])


def test_what_is_allowed_is_no_secret_beside_its_name_either() -> None:
    given = {"name": "DB_PASSWORD", "value": "x", "kind": "Secret", "data": "y"}
    allowing = Redactor(Redaction(allow=("db_password", "secret")), None)
    records = decoded(record(given))
    assert allowing.records(records) == (records, [])


def test_what_is_no_secret_stays_to_the_byte() -> None:
    kept = {"user.id": "u-1", "n": 1.5, "yes": True, "none": None, "raw": b"\0\1", "deep": {"a": [1, {"b": "ä\n\"'"}]}}
    body = '{ "user" : "bob",  "n": 1.00, "big": 123456789012345678901234567890, "password":"x" }'
    records = decoded(record(kept | {"password": "x"}, body=body))
    without, _ = DEFAULT.records(records)
    assert without.columns["body"][0] == body.replace('"x"', '"[redacted]"')
    assert orjson.loads(without.columns["body_json"][0]) == without.columns["body"][0]
    before, after = attributes(records), attributes(without)
    assert after.pop("password") == ("[redacted]", "[redacted]")
    assert after == {key: value for key, value in before.items() if key != "password"}
    assert list(without.columns.columns) == list(records.columns.columns)


def test_records_without_secrets_are_the_very_same() -> None:
    records = decoded(record({"user.id": "u-1"}, body="it was so"), record())
    assert DEFAULT.records(records) == (records, [])
    nothing = decoded()
    assert DEFAULT.records(nothing) == (nothing, [])


def test_the_records_given_stay_as_they_were() -> None:
    records = decoded(record({"password": "hunter2", "a": {"token": "hunter2"}}, body="password=hunter2"))
    before = everything(records)
    without, _ = DEFAULT.records(records)
    assert everything(records) == before
    assert without.raw is records.raw
    assert "redacted" not in records.flags


def test_a_finding_says_where_and_why() -> None:
    made = record(
        {"db.password": "x", "cfg": {"oauth": {"client_secret": "y"}}, "note": "4111111111111111 4111-1111-1111-1111"},
        body="Bearer abc.def.123",
    )
    findings = DEFAULT.records(decoded(record(), made))[1]
    assert sorted(findings, key=lambda finding: finding.where) == [
        Finding(1, "attributes.cfg.oauth.client_secret", "key *secret"),
        Finding(1, "attributes.db.password", "key *password"),
        Finding(1, "attributes.note", "value card number", 1),
        Finding(1, "body", "value bearer token"),
    ]


@pytest.mark.parametrize(
    "flag", [True, False, None, "", "true", "****", "[FILTERED]", "HIDDEN_DUE_TO_SECURITY_REASONS"]
)
def test_flags_and_what_is_masked_already_stay_below_a_secret_name(flag: Any) -> None:
    records = decoded(record({"password": flag, "a": {"token": flag}, "b": [{"pin": flag}]}))
    assert DEFAULT.records(records) == (records, [])


def test_a_number_below_a_secret_name_is_hidden_but_a_count_is_not() -> None:
    given = {"otp": 123456, "pin": [1234], "tokens": 512, "usage": {"tokens": 7}, "card": 4111111111111111}
    found = redacted(given)
    assert found["otp"] == ("[redacted]", "[redacted]")
    assert found["pin"][1] == ["[redacted]"]
    assert found["tokens"] == ("512", 512)
    assert found["usage"][1] == {"tokens": 7}
    assert found["card"] == ("[redacted]", "[redacted]")


def test_what_describes_a_secret_stays_below_its_name() -> None:
    secret = {"app": "crypto", "model_name": "token", "pk": "1", "name": "ci", "expires_at": "soon", "value": "hunter2"}
    assert redacted({"secret": secret})["secret"][1] == secret | {"value": "[redacted]"}


def test_identifiers_stay() -> None:
    given = {
        "userIdentity": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "arn": "arn:aws:iam::123456789012:user/bob"},
        "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
        "event.time_ns": 4111111111111111,
        "order.id": "4111111111111111",
        "user": {"email": "bob@example.org", "ip": "203.0.113.7", "id": "01890a5d-ac96-774b-bcce-b302099a8057"},
        "hash": "sha256:" + "ab" * 32,
        "client_token": "hmac-sha256:" + "ab" * 32,
    }
    records = decoded(record(given))
    assert DEFAULT.records(records) == (records, [])


def test_a_source_is_redacted_and_keeps_its_digest() -> None:
    resource = {
        "service.name": "shop",
        "process.command_args": ["run", "--token", "x", "pwd=hunter2"],
        "api_key": "k-1",
    }
    source = decoded(record(), resource=resource).sources[0]
    without = DEFAULT.source(source)
    assert without.digest == source.digest
    assert without.resource["api_key"] == "[redacted]"
    assert without.resource["process.command_args"] == ["run", "--token", "x", "pwd=[redacted]"]
    assert without.resource["service.name"] == "shop"
    assert DEFAULT.source(source) is without
    plain = decoded(record(), resource={"service.name": "shop"}).sources[0]
    assert DEFAULT.source(plain) == plain


def test_nothing_is_redacted_where_it_is_off() -> None:
    off = Redactor(Redaction(enabled=False), None)
    records = decoded(record({"password": "x"}, body="password=x"), resource={"password": "x"})
    assert off.records(records) == (records, [])
    assert off.source(records.sources[0]) is records.sources[0]
    assert off.text("password=x") == "password=x"


def test_a_hash_is_the_same_for_the_same_value_and_another_for_another_key() -> None:
    options = Redaction(action="hash")
    one = redacted({"password": "a", "x": {"password": "a"}, "token": "b", "note": "password=a"}, options)
    hashed = one["password"][0]
    assert hashed is not None and hashed.startswith("[hash:") and len(hashed) == 39
    assert one["x"][1] == {"password": hashed}
    assert one["note"][0] == f"password={hashed}"
    assert one["token"][0] != hashed
    assert redacted({"password": "a"}, options)["password"][0] == hashed
    assert redacted({"password": "a"}, options, KEY[::-1])["password"][0] != hashed


def test_truncation_keeps_the_first_characters_and_never_all() -> None:
    options = Redaction(action="truncate", keep=4)
    found = redacted({"token": "abcdefgh", "pin": "1234"}, options)
    assert found["token"][0] == "abcd[redacted]"
    assert found["pin"][0] == "[redacted]"


def test_own_rules_match_by_key_by_value_and_by_both() -> None:
    options = Redaction.model_validate(
        {
            "rules": [
                {"name": "people", "key": ["user.id", "*_by"], "action": "hash"},
                {"name": "customers", "value": r"C-[0-9]{3,}", "action": "truncate", "keep": 2},
                {"name": "notes", "key": "note", "value": "bo+b"},
            ]
        }
    )
    given = {
        "user.id": "bob",
        "x": {"approved_by": "bob"},
        "msg": "C-123 and C-4567",
        "note": "to bob",
        "other": "to bob",
    }
    found = redacted(given, options)
    hashed = found["user.id"][0]
    assert hashed is not None and hashed.startswith("[hash:")
    assert found["x"][1] == {"approved_by": hashed}
    assert found["msg"][0] == "C-[redacted] and C-[redacted]"
    assert found["note"][0] == "to [redacted]"
    assert found["other"][0] == "to bob"
    findings = Redactor(options, KEY).records(decoded(record(given)))[1]
    assert {finding.reason for finding in findings} == {"rule people", "rule customers", "rule notes"}


def test_a_rule_by_value_finds_texts_of_any_length() -> None:
    options = Redaction.model_validate({"rules": [{"name": "short", "value": "^x$"}]})
    assert redacted({"a": "x", "b": "xx", "c": ["x"]}, options)["a"][0] == "[redacted]"


def test_email_addresses_become_well_formed_pseudonyms_everywhere() -> None:
    found = redacted(
        {
            "user.email": "Bob@example.org",
            "x": {"to": ["bob@example.org"]},
            "note": "mail to <bob@example.org>, eve@x.de.",
        },
        Redaction(emails="hash"),
    )
    pseudonym = found["user.email"][0]
    assert pseudonym is not None and pseudonym.startswith("p-") and pseudonym.endswith("@pseudonym.invalid")
    assert found["x"][1] == {"to": [pseudonym]}
    note = found["note"][0]
    assert note is not None and note.startswith(f"mail to <{pseudonym}>, p-") and note.endswith("@pseudonym.invalid.")


@pytest.mark.parametrize(
    ("text", "truncated"),
    [
        ("203.0.113.7", "203.0.113.0"),
        ("2001:db8:1:2::3", "2001:db8:1::"),
        ("::ffff:203.0.113.7", "203.0.113.0"),
        ("203.0.113.7:4318", "203.0.113.0:4318"),
        ("[2001:db8:1:2::3]:443", "[2001:db8:1::]:443"),
        ("from 203.0.113.7, via 10.1.2.3", "from 203.0.113.0, via 10.1.2.0"),
        ("addr:203.0.113.7", "addr:203.0.113.0"),
        ("peer 2001:db8:1:2::3: reset", "peer 2001:db8:1::: reset"),
        ("at 12:34:56 by 1.2.3", "at 12:34:56 by 1.2.3"),
        ("999.1.1.1", "999.1.1.1"),
        ("01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8057"),
    ],
)
def test_addresses_are_truncated_and_nothing_else(text: str, truncated: str) -> None:
    assert redacted({"a": text}, Redaction(addresses="truncate"))["a"][0] == truncated


def test_a_hashed_address_is_an_address_and_the_same_for_the_same() -> None:
    found = redacted({"a": "203.0.113.7", "b": "::ffff:203.0.113.7", "c": "2001:db8::1"}, Redaction(addresses="hash"))
    first = found["a"][0]
    assert first is not None and first.startswith("fd")
    assert found["b"][0] == first
    assert found["c"][0] != first


SECRET_NAMES = st.sampled_from(["password", "a.token", "client-secret", "note", "user.id", "x"])


@settings(max_examples=120, deadline=None)
@given(st.lists(log_records(SECRET_NAMES | texts), min_size=1, max_size=4))
def test_any_record_is_redacted_and_nothing_else_about_it_changes(records: list[LogRecord]) -> None:
    given = decoded(*records)
    without, findings = DEFAULT.records(given)
    before, after = given.attributes, without.attributes
    assert np.array_equal(before.offsets, after.offsets)
    assert before.keys == after.keys
    changed = {finding.record for finding in findings}
    owners = before.record
    for index, (text, form) in enumerate(zip(after.text, after.json, strict=True)):
        orjson.loads(form)
        if owners[index] not in changed:
            assert (text, form) == (before.text[index], before.json[index])
    for form in without.columns["body_json"]:
        orjson.loads(form)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(texts, scalars), max_size=3), st.lists(st.booleans(), max_size=8))
def test_a_secret_is_found_beside_and_below_anything(neighbours: list[tuple[str, Any]], within: list[bool]) -> None:
    nested: Any = (*neighbours, ("password", "hunter2hunter"))
    for is_map in within:
        nested = (*neighbours, ("inner", nested)) if is_map else [nested, *(value for _, value in neighbours)]
    made = decoded(record({"x": nested}, body=nested))
    assert "hunter2hunter" not in everything(DEFAULT.records(made)[0])


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=40), st.sampled_from(["", "{", '{"password": "', "password=", '{"a": {"token":', "[[", '"\\ud800'])
)
def test_any_text_is_redacted_without_an_exception(text: str, front: str) -> None:
    assert isinstance(DEFAULT.text(front + text), str)


def test_half_of_a_surrogate_pair_and_a_nul_in_escapes_stay_json() -> None:
    body = '{"a": "\\ud800", "password": "\\ud800\\u0000x", "b": "pwd=\\u0000\\udc00y"}'
    without = DEFAULT.text(body)
    assert json.loads(without)["password"] == "[redacted]"
    assert json.loads(without)["a"] == "\ud800"
    assert DEFAULT.text("password=\ud800\0x") == "password=[redacted]"
