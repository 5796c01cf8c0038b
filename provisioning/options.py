"""What a deployment says about its Grafana."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from dashboards.options import DashboardOptions
from provisioning.alerts.file import Alerts
from provisioning.version import ANY, Version


@dataclass(frozen=True, slots=True)
class TenantOptions:
    """A tenant's own data source, folder and dashboards. `database_schema`: where its role finds the views."""

    name: str
    database_user: str
    database_schema: str
    folder: str
    password_variable: str | None = None
    org_id: int = 1


@dataclass(frozen=True, slots=True)
class ProvisioningOptions:
    """`database_host` is host:port or a socket's folder, as Grafana sees it.

    `password_variable`: name of the variable that holds the password in Grafana's environment; None where the database
    asks for none. `dashboards_path`: where Grafana sees the rendered `json` folder; None for the rendered one itself.
    `grafana_url`: where people see Grafana, for links in messages; `version`: which Grafana the alert rules are for;
    `runbooks`: where people find docs/runbooks.
    `own_dashboards`: a folder with dashboards of the administrator's own, which are rendered beside ours.
    """

    database_host: str
    database_name: str
    database_user: str = "auditgraf_reader"
    sslmode: str = "disable"
    password_variable: str | None = "AUDITGRAF_READER_PASSWORD"  # noqa: S105 the name, no password
    datasource_name: str = "Audit"
    folder: str = "Audit"
    folder_uid: str = "auditgraf"
    dashboards_path: str | None = None
    own_dashboards: Path | None = None
    dashboards: DashboardOptions = field(default_factory=DashboardOptions)
    tenants: tuple[TenantOptions, ...] = ()
    grafana_url: str = "http://127.0.0.1:3000"
    version: Version = ANY
    alert_folder: str = "Audit alerts"
    alerts: Alerts = field(default_factory=Alerts)
    runbooks: str | None = None

    def __post_init__(self) -> None:
        for tenant in self.tenants:
            self.dashboards_of(tenant)

    def dashboards_of(self, tenant: TenantOptions) -> DashboardOptions:
        """Those of everybody, with the tenant's data source and views. Raises ValueError where a uid gets too long."""
        uid = f"{self.datasource_uid}-{tenant.name}"
        return replace(self.dashboards, datasource_uid=uid, schema=tenant.database_schema, tenant=tenant.name)

    @property
    def datasource_uid(self) -> str:
        """One uid: what the dashboards ask for is what the data source file offers."""
        return self.dashboards.datasource_uid
