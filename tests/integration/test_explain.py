"""The commands that show what the mapping does, given what their user gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.otlp.encode import request
from tests.in_process import auditgraf
from tests.records import record

LINE = '{"event_type": "door.opened", "actor": {"id": "u-7"}, "ip": "198.51.100.7", "password": "hunter2hunter2"}'
CASES = """\
presets: [json]
cases:
  - name: a door
    record: {json: {event_type: door.opened, actor: {id: u-7}}}
    expect: {action: %s, actor_id: u-7, class: default}
"""


def explained(*arguments: str, text: str | None = None) -> list[dict[str, Any]]:
    done = auditgraf("explain", "--json", "--preset", "json", *arguments, text=text)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_plain_lines_are_explained_and_no_secret_is_shown() -> None:
    one, two = explained("--service", "doors", "-", text=f"{LINE}\nnothing to see\n")
    assert one["parsed_by"] == "json-body"
    assert one["event"]["action"] == "door.opened"
    assert one["origins"]["actor_id"] == {"rule": "json.actor", "source": "actor.id"}
    assert one["origins"]["client_ip"] == {"rule": "json.names", "source": "ip"}
    assert [found["where"] for found in one["redacted"]] == ["attributes.password"]
    assert "hunter2" not in json.dumps(one)
    assert (one["service"], one["retention_class"]) == ("doors", "default")
    assert (two["event"]["message"], two["retention_class"], two["rules"]) == ("nothing to see", "log", [])


@pytest.mark.parametrize("form", ["protobuf", "json", "json lines"])
def test_otlp_is_explained_in_every_form(form: str, tmp_path: Path) -> None:
    made = request(record({"user.id": "u-7"}, event_name="door.opened"), resource={"service.name": "doors"})
    body = {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "doors"}}]},
                "scopeLogs": [
                    {
                        "logRecords": [
                            {
                                "eventName": "door.opened",
                                "attributes": [{"key": "user.id", "value": {"stringValue": "u-7"}}],
                            }
                        ]
                    }
                ],
            }
        ]
    }
    file = tmp_path / "records"
    if form == "protobuf":
        file.write_bytes(made.SerializeToString())
    else:
        file.write_text(json.dumps(body, indent=2) if form == "json" else f"{json.dumps(body)}\n" * 2)
    found = explained(str(file))
    assert len(found) == (2 if form == "json lines" else 1)
    assert {(one["service"], one["event"]["action"], one["event"]["actor_id"]) for one in found} == {
        ("doors", "door.opened", "u-7")
    }
    assert found[0]["origins"]["action"] == {"rule": None, "source": "record:event_name"}


def test_people_see_where_a_value_came_from(tmp_path: Path) -> None:
    file = tmp_path / "lines.log"
    file.write_text(LINE)
    done = auditgraf("explain", str(file), "--preset", "json")
    assert "door.opened   ← json.names, event_type" in done.stdout
    assert "redacted: attributes.password: key" in done.stdout


def test_a_record_that_a_rule_discards_says_which(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\nrules:\n"
        "  - {name: no-probes, match: {body: {glob: '*probe*'}}, discard: unmatched}\n"
        "  - {name: no-doors, match: {attributes: {event_type: door.opened}}, discard: even_audit_events}\n"
        "  - {name: not-this-way, match: all, discard: unmatched, keep_one_in: 1000000}\n"
    )
    found = explained("--rules", str(rules), "-", text=f"a probe\n{LINE}\n")
    assert [one["left_out_by"] for one in found] == ["no-probes", "no-doors"]
    assert [one["retention_class"] for one in found] == [None, None]


def test_a_record_that_is_left_out_shows_what_it_would_have_been(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\nrules:\n"
        "  - {name: no-doors, match: {attributes: {event_type: door.opened}}, discard: even_audit_events}\n"
    )
    (one,) = explained("--rules", str(rules), "-", text=LINE)
    assert (one["left_out_by"], one["event"]["actor_id"]) == ("no-doors", "u-7")
    assert one["origins"]["actor_id"]["source"] == "actor.id"


def test_a_refused_line_takes_no_other_line_along(tmp_path: Path) -> None:
    config = tmp_path / "auditgraf.yaml"
    config.write_text("mapping: {presets: [json], unmatched: reject}\n")
    done = auditgraf("--config", str(config), "explain", "--json", "-", text=f"{LINE}\nnothing to see\n{LINE}\n")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["left_out_by"] for one in found] == [None, "rejected", None]
    assert [one["record"] for one in found] == [0, 1, 2]


def test_a_secret_in_the_service_is_not_shown(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    (one,) = explained("--service", secret, "-", text="nothing to see\n")
    assert one["service"]
    assert secret not in json.dumps(one)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"resourceLogs": [{"scopeLogs": [{"logRec', "cut.json: the body is no JSON"),
        ('{\n  "resourceLogs": [\n    {"scopeLogs": [', "cut.json: the body is no JSON"),
        ('{"resourceLogs": []}\n\n{"resourceLogs": [{"sco', "cut.json:3: the body is no JSON"),
    ],
)
def test_otlp_that_is_cut_off_is_not_taken_for_lines_of_a_log(text: str, place: str, tmp_path: Path) -> None:
    file = tmp_path / "cut.json"
    file.write_text(text)
    done = auditgraf("explain", str(file))
    assert done.returncode != 0
    assert place in done.stderr
    assert not done.stdout


def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert auditgraf("explain", str(empty)).stderr.strip().endswith("empty: is empty")
    assert "can't be read" in auditgraf("explain", str(tmp_path / "missing")).stderr
    assert "no preset 'jsn'; did you mean json?" in auditgraf("explain", str(empty), "--preset", "jsn").stderr
    bad = tmp_path / "bad.json"
    bad.write_text('{"resourceLogs": [{"scopeLogs": 7}]}')
    assert "bad.json" in auditgraf("explain", str(bad)).stderr


def test_cases_of_ones_own_are_run(tmp_path: Path) -> None:
    (tmp_path / "doors.yaml").write_text(CASES % "door.opened")
    good = auditgraf("map", "test", str(tmp_path))
    assert (good.returncode, good.stdout) == (0, "1 of 1 cases as expected\n")
    (tmp_path / "doors.yaml").write_text(CASES % "door.closed")
    bad = auditgraf("map", "test", str(tmp_path))
    assert bad.returncode == 1
    assert 'doors.yaml:3: a door: action: expected "door.closed", found "door.opened"' in bad.stdout
    assert "0 of 1 cases as expected" in bad.stdout


def test_a_folder_without_cases_and_a_case_with_a_mistake_say_so(tmp_path: Path) -> None:
    assert "no *.yaml in there" in auditgraf("map", "test", str(tmp_path)).stderr
    (tmp_path / "doors.yaml").write_text("cases: [{name: x, record: {jsn: 1}, expect: {}}]")
    assert "doors.yaml:1: cases.0.record.jsn: unknown key" in auditgraf("map", "test", str(tmp_path)).stderr


def test_an_expected_column_that_does_not_exist_is_refused_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "doors.yaml").write_text("cases: [{name: x, record: {line: y}, expect: {actr_id: null}}]")
    done = auditgraf("map", "test", str(tmp_path))
    assert done.returncode != 0
    assert "cases.0.expect.actr_id: no column of an event; did you mean actor_id?" in done.stderr


def test_cases_run_with_the_whole_configuration(tmp_path: Path) -> None:
    config = tmp_path / "auditgraf.yaml"
    config.write_text("mapping: {trusted_proxies: [10.1.0.1], unmatched: drop}\n")
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "cases:\n"
        "  - name: behind a proxy\n"
        "    record:\n"
        "      attributes: {network.peer.address: 10.1.0.1, http.request.header.x-forwarded-for: 198.51.100.7}\n"
        "    expect: {client_ip: 198.51.100.7, left_out_by: unmatched}\n"
    )
    done = auditgraf("--config", str(config), "map", "test", str(cases))
    assert (done.returncode, done.stdout) == (0, "1 of 1 cases as expected\n"), done.stderr


def test_presets_and_the_schema_of_rules_are_printed() -> None:
    assert "kubernetes" in auditgraf("map", "presets").stdout.splitlines()
    committed = Path(__file__).parents[2] / "docs" / "rules.schema.json"
    assert auditgraf("map", "schema").stdout == committed.read_text()
