"""Tenants in a real Grafana: each data source shows its tenant's events, each folder's panels get them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from exporter.store.migrate import migrate
from provisioning.options import ProvisioningOptions, TenantOptions
from provisioning.write import render
from tests.collector_process import wait_until
from tests.conftest import CLASSES, new_database
from tests.grafana_server import UIDS, Grafana, started
from tests.tenant_world import PASSWORDS, TENANTS, fill

pytestmark = [
    pytest.mark.grafana,
    pytest.mark.skipif(
        not os.environ.get("GRAFANA_HOME"), reason="no Grafana to start: set GRAFANA_HOME to its folder"
    ),
]
Json = dict[str, Any]
VARIABLES = {f"AUDITGRAF_TENANT_{tenant.name.upper()}_PASSWORD": PASSWORDS[tenant.role] for tenant in TENANTS}


@dataclass(frozen=True, slots=True)
class Shared:
    """A Grafana in which both tenants have a folder, and what was rendered for it."""

    grafana: Grafana
    folder: Path
    options: ProvisioningOptions

    def dashboards(self, tenant: str) -> list[Json]:
        """The tenant's dashboards as they were rendered."""
        return [json.loads(path.read_bytes()) for path in sorted((self.folder / f"json-{tenant}").iterdir())]

    def ask(self, uid: str, sql: str, *, since: timedelta = timedelta(days=6), format: str = "table") -> Json:
        """What the data source answers, as Grafana has it."""
        seconds = int(since.total_seconds())
        asked = {"refId": "A", "datasource": {"type": "postgres", "uid": uid}, "rawSql": sql, "format": format}
        body = {"queries": [asked | {"intervalMs": 300_000}], "from": f"now-{seconds}s", "to": "now"}
        result: Json = self.grafana.call("/api/ds/query", body)["results"]["A"]
        return result

    def column(self, uid: str, sql: str) -> list[Any]:
        """The first column of the answer."""
        (frame,) = self.ask(uid, sql)["frames"]
        return list(frame["data"]["values"][0])


@pytest.fixture(scope="module")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("tenants")
    tenants = tuple(
        TenantOptions(tenant.name, tenant.role, tenant.schema, f"Audit {tenant.name}", variable)
        for tenant, variable in zip(TENANTS, VARIABLES, strict=True)
    )
    with new_database(postgres) as owner:
        migrate(owner, CLASSES, passwords=PASSWORDS, tenants=TENANTS)
        with psycopg.connect(owner, autocommit=True) as connection:
            fill(connection)
        parts = urlsplit(owner)
        options = ProvisioningOptions(f"{parts.hostname}:{parts.port}", parts.path[1:], tenants=tenants)
        render(folder / "provisioning", options)
        expected = {f"{tenant.name}-{uid}" for tenant in TENANTS for uid in UIDS - {"audit-health"}} | UIDS
        variables = VARIABLES | {"AUDITGRAF_READER_PASSWORD": PASSWORDS["auditgraf_reader"]}
        with started(folder, variables, expected) as grafana:
            yield Shared(grafana, folder / "provisioning", options)


def test_each_data_source_has_its_tenants_events_and_the_operators_has_all(shared: Shared) -> None:
    asked = "SELECT DISTINCT coalesce(tenant, '(none)') FROM {}.events ORDER BY 1"
    assert shared.column("auditgraf-acme", asked.format("audit_acme")) == ["acme"]
    assert shared.column("auditgraf-umbrella", asked.format("audit_umbrella")) == ["umb'r$$ella", "umbrella"]
    assert len(shared.column("auditgraf", asked.format("audit"))) == 4


@pytest.mark.parametrize("schema", ["audit", "audit_umbrella"])
def test_a_data_source_does_not_reach_what_is_not_its_tenants(shared: Shared, schema: str) -> None:
    with pytest.raises(AssertionError, match=f"permission denied for schema {schema}"):
        shared.ask("auditgraf-acme", f"SET default_transaction_read_only = off; SELECT * FROM {schema}.events")


def test_every_panel_of_a_tenant_gets_frames_without_an_error_and_of_its_own(shared: Shared) -> None:
    ((event, actor, target),) = zip(
        *shared.ask(
            "auditgraf-acme",
            "SELECT id::text, actor_id, target_id FROM events WHERE changes IS NOT NULL"
            " ORDER BY occurred_at DESC LIMIT 1",
        )["frames"][0]["data"]["values"],
        strict=True,
    )
    values = {"event_id": event, "who": f"id:{actor}", "which": f"id:5:model {target}"}
    answered = 0
    for dashboard in shared.dashboards("acme"):
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                result = shared.grafana.query(dashboard, target, values)
                assert "error" not in result, panel["title"]
                assert not re.search(r"umbrella|umb'r", json.dumps(result)), panel["title"]
                answered += bool(result["frames"])
    assert answered > 50


def test_each_tenant_has_a_folder_of_its_own(shared: Shared) -> None:
    for tenant in ("acme", "umbrella"):
        found = shared.grafana.call(f"/api/dashboards/uid/{tenant}-audit-overview")
        assert (found["meta"]["folderUid"], found["meta"]["folderTitle"]) == (f"auditgraf-{tenant}", f"Audit {tenant}")
        linked = shared.grafana.call(f"/api/search?tag={tenant}-audit")
        assert {item["folderUid"] for item in linked} == {f"auditgraf-{tenant}"}
        assert len(linked) == len(UIDS) - 1


def test_a_tenant_may_be_in_an_organisation_of_its_own(shared: Shared) -> None:
    admin = replace(shared.grafana, url=shared.grafana.url.replace("://", "://admin:admin@"))
    org = admin.call("/api/orgs", {"name": "Umbrella Inc."})["orgId"]
    acme, umbrella = shared.options.tenants
    moved = replace(umbrella, folder="Audit", org_id=org)
    render(shared.folder, replace(shared.options, tenants=(acme, moved)))
    for kind in ("datasources", "dashboards"):
        admin.call(f"/api/admin/provisioning/{kind}/reload", {})
    admin.call(f"/api/user/using/{org}", {})
    wait_until(lambda: admin.call("/api/search?tag=umbrella-audit"), "the dashboards are in the other organisation")
    assert [found["uid"] for found in admin.call("/api/datasources")] == ["auditgraf-umbrella"]
    found = admin.call("/api/dashboards/uid/umbrella-audit-overview")
    assert found["meta"]["folderTitle"] == "Audit"
    answer = replace(shared, grafana=admin).column("auditgraf-umbrella", "SELECT count(*) FROM audit_umbrella.events")
    assert answer == [300]
