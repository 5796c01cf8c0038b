"""From the configuration to what Grafana's files say."""

from __future__ import annotations

from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from collector.config import Config
from dashboards.options import DashboardOptions
from exporter.errors import ConfigError
from provisioning.options import ProvisioningOptions
from provisioning.write import render

READER = "auditgraf_reader"
PASSWORD_VARIABLE = "AUDITGRAF_READER_PASSWORD"  # noqa: S105 the name, no password


def options(config: Config) -> ProvisioningOptions:
    """Raises ConfigError where a setting can't stand in Grafana's files."""
    given = conninfo_to_dict(config.reader_url())
    host = config.grafana.database_host or _host(str(given.get("host") or "127.0.0.1"), str(given.get("port") or 5432))
    # Without a password of its own the reader can only be who the server lets in without one.
    has_password = config.database.reader_password is not None or config.database.reader_url is not None
    try:
        return ProvisioningOptions(
            database_host=host,
            database_name=str(given.get("dbname") or "audit"),
            database_user=READER if config.database.reader_url is None else str(given.get("user") or READER),
            sslmode=config.grafana.sslmode or "disable",
            password_variable=PASSWORD_VARIABLE if has_password else None,
            folder=config.grafana.folder,
            folder_uid=config.grafana.folder_uid,
            dashboards_path=config.grafana.dashboards_path,
            dashboards=DashboardOptions(
                datasource_uid=config.grafana.datasource_uid,
                basemap=config.map.basemap,
                refresh=config.grafana.refresh,
                colours=tuple(sorted(config.grafana.colours.items())),
                trace_url=config.grafana.links.trace,
            ),
            own_dashboards=config.grafana.dashboards,
        )
    except ValueError as failure:
        raise ConfigError(f"grafana: {failure}") from None


def write(config: Config, out: Path) -> list[Path]:
    """Renders everything to `out`; the files written. Raises ConfigError."""
    return render(out, options(config))


def _host(host: str, port: str) -> str:
    if host.startswith("/"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
