"""From the configuration to what Grafana's files say."""

from __future__ import annotations

from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from collector.config import Config
from collector.tenants import password_variable
from dashboards.options import DashboardOptions
from exporter.errors import ConfigError
from provisioning.alerts.file import Alerts, load_alerts
from provisioning.options import ProvisioningOptions, TenantOptions
from provisioning.version import Version
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
            tenants=_tenants(config, has_password=has_password),
            grafana_url=config.grafana.url,
            version=version(config),
            alert_folder=config.grafana.alert_folder,
            alerts=alerts(config),
            runbooks=config.alerts.runbooks,
        )
    except ValueError as failure:
        raise ConfigError(f"grafana: {failure}") from None


def version(config: Config) -> Version:
    """Which Grafana the files are for. Raises ConfigError for one that there is not, or that is too old."""
    try:
        return Version.parse(config.grafana.version)
    except ValueError as failure:
        raise ConfigError(f"grafana.version: {failure}") from None


def alerts(config: Config) -> Alerts:
    """The alert rules of the configuration's files. Raises ConfigError with a line for each thing that is wrong."""
    return load_alerts(config.alerts.files, version(config), defaults=config.alerts.defaults)


def _tenants(config: Config, *, has_password: bool) -> tuple[TenantOptions, ...]:
    """Raises ConfigError where two folders of one organisation would have the same name."""
    folders = {(1, config.grafana.folder): "grafana.folder", (1, config.grafana.alert_folder): "grafana.alert_folder"}
    tenants = []
    for name, settings in config.tenants.items():
        tenant = settings.of(name)
        folder = settings.folder or f"{config.grafana.folder} {name}"
        if other := folders.get((settings.org, folder)):
            raise ConfigError(f"tenants.{name}.folder: {folder!r} is that of {other}; give it another one")
        folders[settings.org, folder] = f"tenants.{name}"
        asked = has_password or settings.password is not None
        variable = password_variable(name) if asked else None
        tenants.append(TenantOptions(name, tenant.role, tenant.schema, folder, variable, settings.org))
    return tuple(tenants)


def passwords(config: Config) -> dict[str, str]:
    """What Grafana's environment must have: the variables that the data sources name, as far as they are known here."""
    given = {PASSWORD_VARIABLE: config.database.reader_password}
    given |= {password_variable(name): settings.password for name, settings in config.tenants.items()}
    return {variable: password.get_secret_value() for variable, password in given.items() if password is not None}


def write(config: Config, out: Path) -> list[Path]:
    """Renders everything to `out`; the files written. Raises ConfigError."""
    return render(out, options(config))


def _host(host: str, port: str) -> str:
    if host.startswith("/"):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
