"""What a deployment says about its Grafana."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dashboards.options import DashboardOptions


@dataclass(frozen=True, slots=True)
class ProvisioningOptions:
    """`database_host` is host:port or a socket's folder, as Grafana sees it.

    `password_variable`: name of the variable that holds the password in Grafana's environment; None where the database
    asks for none. `dashboards_path`: where Grafana sees the rendered `json` folder; None for the rendered one itself.
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

    @property
    def datasource_uid(self) -> str:
        """One uid: what the dashboards ask for is what the data source file offers."""
        return self.dashboards.datasource_uid
