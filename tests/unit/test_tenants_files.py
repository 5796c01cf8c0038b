"""Tenants in the configuration and in Grafana's files: a data source, a folder and dashboards each."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.config import load_config, shown, unknown_variables
from collector.rendering import options, write
from dashboards.build import DashboardOptions, build
from dashboards.queries import SQL_FOLDER
from exporter.errors import ConfigError
from exporter.store.tenants import Tenant
from provisioning.options import TenantOptions
from provisioning.write import ProvisioningOptions, render

URL = {"AUDITGRAF_DATABASE_URL": "postgresql://owner@db:5432/audit"}
PASSWORDS = {"AUDITGRAF_TENANT_ACME_PASSWORD": "acme-secret", "AUDITGRAF_READER_PASSWORD": "reader-secret"}
FILE = """
tenants:
  acme:
  umbrella: {match: [umbrella, Umbrella Inc.], folder: Umbrella, org: 2}
"""
ACME = TenantOptions("acme", "auditgraf_tenant_acme", "audit_acme", "Audit acme", "AUDITGRAF_TENANT_ACME_PASSWORD")
OPTIONS = ProvisioningOptions(database_host="db:5432", database_name="audit", tenants=(ACME,))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "auditgraf.yaml"
    path.write_text(FILE)
    return path


def refusal(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(ConfigError) as failure:
        options(load_config(URL, file))
    return str(failure.value)


def rendered(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / name).read_bytes())


def test_a_tenants_name_is_what_its_events_say_unless_something_else_is_given(file: Path) -> None:
    assert load_config(URL, file).known_tenants() == [
        Tenant("acme", ("acme",)),
        Tenant("umbrella", ("umbrella", "Umbrella Inc.")),
    ]
    assert load_config({}).known_tenants() is None  # nothing is said of them, so none goes


def test_a_password_comes_from_the_environment_and_is_not_shown(file: Path) -> None:
    config = load_config(URL | PASSWORDS, file)
    assert config.passwords() == {"auditgraf_reader": "reader-secret", "auditgraf_tenant_acme": "acme-secret"}
    text = shown(config)
    assert "# AUDITGRAF_TENANT_ACME_PASSWORD=(set, hidden)" in text
    assert "secret" not in text + repr(config)
    assert "# AUDITGRAF_TENANT_ACME_PASSWORD=acme-secret" in shown(config, secrets=True)
    file.write_text(text)
    assert load_config(URL | PASSWORDS, file).tenants == config.tenants


def test_a_password_of_a_tenant_that_nobody_named_is_probably_misspelt(file: Path) -> None:
    variables = {"AUDITGRAF_TENANT_ACME_PASSWORD": "x", "AUDITGRAF_TENANT_AMCE_PASSWORD": "x"}
    assert unknown_variables(variables, load_config(URL, file).tenants) == ["AUDITGRAF_TENANT_AMCE_PASSWORD"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tenants:\n  Acme: {}\n", ":1: tenants: 'Acme' is no name of a tenant; write a lower-case letter"),
        ("tenants:\n  acme: {match: []}\n", "tenant acme: match is empty"),
        ("tenants:\n  acme: {match: ''}\n", "tenant acme: match: '' finds no event"),
        ("tenants:\n  acme: {mtach: a}\n", ":2: tenants.acme.mtach: unknown key"),
        ("tenants:\n  acme: {org: 0}\n", ":2: tenants.acme.org: "),
        ("tenants:\n  acme: {match: 5}\n", ":2: tenants.acme.match: "),
        ("tenants: [acme]\n", ":1: tenants: "),
        (
            "tenants:\n  acme:\n    password: hush\n",
            ":3: tenants.acme.password: the password comes from AUDITGRAF_TENANT_ACME_PASSWORD only; remove it here",
        ),
        ("tenants:\n  acme: {folder: Audit}\n", "tenants.acme.folder: 'Audit' is that of grafana.folder"),
        (
            "tenants:\n  a: {folder: One, org: 2}\n  b: {folder: One, org: 2}\n",
            "tenants.b.folder: 'One' is that of tenants.a; give it another one",
        ),
    ],
)
def test_a_mistake_is_named_by_file_line_and_key(file: Path, text: str, message: str) -> None:
    refused = refusal(file, text)
    assert message in refused
    assert "hush" not in refused


def test_two_organisations_may_have_folders_of_the_same_name(file: Path) -> None:
    file.write_text("tenants:\n  a: {folder: Audit, org: 2}\n  b: {folder: Audit, org: 3}\n")
    assert [tenant.org_id for tenant in options(load_config(URL, file)).tenants] == [2, 3]


def test_each_tenant_has_a_data_source_with_its_own_role_and_password(file: Path, tmp_path: Path) -> None:
    write(load_config(URL | PASSWORDS, file), tmp_path / "out")
    operators, acme, umbrella = rendered(tmp_path / "out", "datasources/auditgraf.yaml")["datasources"]
    own = {"name", "uid", "user", "secureJsonData", "orgId"}
    assert {key: value for key, value in acme.items() if key not in own} == {
        key: value for key, value in operators.items() if key not in own
    }
    assert (acme["name"], acme["uid"], acme["user"], acme["orgId"]) == (
        "Audit acme",
        "auditgraf-acme",
        "auditgraf_tenant_acme",
        1,
    )
    assert acme["secureJsonData"] == {"password": "$AUDITGRAF_TENANT_ACME_PASSWORD"}
    assert (umbrella["uid"], umbrella["orgId"]) == ("auditgraf-umbrella", 2)
    # Where the reader needs a password, so does every other role.
    assert umbrella["secureJsonData"] == {"password": "$AUDITGRAF_TENANT_UMBRELLA_PASSWORD"}


def test_no_secret_is_in_a_rendered_file(file: Path, tmp_path: Path) -> None:
    for path in write(load_config(URL | PASSWORDS, file), tmp_path / "out"):
        assert not re.search(rb"(acme|reader)-secret", path.read_bytes())


def test_each_tenant_has_a_folder_fed_from_its_own_files(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(load_config(URL, file), out)
    operators, acme, umbrella = rendered(out, "dashboards/auditgraf.yaml")["providers"]
    assert operators["options"]["path"] == str(out / "json")
    assert (acme["name"], acme["folder"], acme["folderUid"], acme["orgId"], acme["options"]["path"]) == (
        "auditgraf-acme-1",
        "Audit acme",
        "auditgraf-acme",
        1,
        str(out / "json-acme"),
    )
    assert (umbrella["folder"], umbrella["orgId"]) == ("Umbrella", 2)
    assert {path.name for path in (out / "json-acme").iterdir()} == {
        f"acme-{name}" for name in build() if name != "audit-health.json"
    }


def test_tenants_folders_are_beside_the_one_that_grafana_sees(tmp_path: Path) -> None:
    render(tmp_path, replace(OPTIONS, dashboards_path="/etc/grafana/json"))
    _, acme = rendered(tmp_path, "dashboards/auditgraf.yaml")["providers"]
    assert acme["options"]["path"] == "/etc/grafana/json-acme"


def test_files_of_a_tenant_that_is_gone_are_removed_and_those_of_others_stay(tmp_path: Path) -> None:
    render(tmp_path, OPTIONS)
    (tmp_path / "json-acme" / "mine.json").write_text("mine")
    render(tmp_path, replace(OPTIONS, tenants=()))
    assert [path.name for path in (tmp_path / "json-acme").iterdir()] == ["mine.json"]


def test_a_tenants_dashboards_ask_its_data_source_for_its_own_views_and_nothing_else() -> None:
    for name, content in build(DashboardOptions("auditgraf-acme", schema="audit_acme", tenant="acme")).items():
        dashboard = json.loads(content)
        assert name == f"{dashboard['uid']}.json" == f"acme-{dashboard['uid'].removeprefix('acme-')}.json"
        assert len(dashboard["uid"]) <= 40
        assert not re.search(rb"\baudit\.[a-z]", content), name
        assert b"audit_acme." in content
        assert set(re.findall(rb'"uid": "(auditgraf[^"]*)"', content)) == {b"auditgraf-acme"}


def test_a_tenants_dashboards_lead_to_one_another_and_never_to_the_operators() -> None:
    built = build(DashboardOptions(schema="audit_acme", tenant="acme"))
    led = set()
    for content in built.values():
        for link in re.findall(r"/d/([A-Za-z0-9_-]+)", content.decode()):
            led.add(f"{link}.json")
        dashboard = json.loads(content)
        assert [tag for tag in dashboard["tags"] if "audit" in tag] == ["acme-audit"]
        assert dashboard["links"][0]["tags"] == ["acme-audit"]
    assert {"acme-audit-event.json", "acme-audit-actor.json", "acme-audit-object.json"} <= led <= built.keys()


def test_without_a_tenant_nothing_changes() -> None:
    assert build(DashboardOptions()) == build(DashboardOptions(schema="audit", tenant=""))


def test_grafanas_own_alerts_are_not_shown_to_tenants() -> None:
    """They tell of everybody's events, and are no matter of the data source."""
    assert b'"type": "alertlist"' in build()["audit-overview.json"]
    for content in build(DashboardOptions(schema="audit_acme", tenant="acme")).values():
        assert b'"type": "alertlist"' not in content


def test_the_name_of_the_schema_stands_in_no_text_of_a_query() -> None:
    """It is replaced wherever it stands."""
    for path in SQL_FOLDER.rglob("*.sql"):
        assert not re.search(r"'[^'\n]*\baudit\.[^'\n]*'", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("values", [{"schema": "a.b"}, {"schema": 'a"'}, {"tenant": "A"}, {"tenant": "a" * 22}])
def test_a_schema_or_tenant_that_could_be_more_than_a_name_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        DashboardOptions(**values)


def test_a_uid_that_gets_too_long_is_refused_with_what_it_may_be(file: Path, tmp_path: Path) -> None:
    file.write_text("grafana: {datasource_uid: " + "u" * 38 + "}\ntenants: {acme: {}}\n")
    with pytest.raises(ConfigError, match=r"datasource_uid: .* 1 to 40"):
        write(load_config(URL, file), tmp_path / "out")
