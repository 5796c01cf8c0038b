"""The AUDITGRAF_* variables: which there are, and what each stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.tenants import password_variable

# Variables and the place in the file that each stands for. Secrets have no place in the file: environment only.
VARIABLES: dict[str, tuple[str, ...]] = {
    "AUDITGRAF_GRPC_LISTEN": ("grpc", "listen"),
    "AUDITGRAF_HTTP_LISTEN": ("http", "listen"),
    "AUDITGRAF_METRICS_LISTEN": ("telemetry", "listen"),
    "AUDITGRAF_MAX_REQUEST_BYTES": ("limits", "max_request_bytes"),
    "AUDITGRAF_SPOOL_PATH": ("spool", "path"),
    "AUDITGRAF_UNMATCHED": ("mapping", "unmatched"),
    "AUDITGRAF_RETENTION_EVERY": ("retention_job", "every"),
    "AUDITGRAF_ARCHIVE_TO": ("archive", "to"),
    "AUDITGRAF_GEOIP_CITY": ("geoip", "city"),
    "AUDITGRAF_GEOIP_ASN": ("geoip", "asn"),
    "AUDITGRAF_GRAFANA_URL": ("grafana", "url"),
    "AUDITGRAF_GRAFANA_DATABASE_HOST": ("grafana", "database_host"),
    "AUDITGRAF_GRAFANA_SSLMODE": ("grafana", "sslmode"),
    "AUDITGRAF_ALERT_DEFAULTS": ("alerts", "defaults"),
    "AUDITGRAF_MAP_BASEMAP": ("map", "basemap"),
    "AUDITGRAF_LOG_LEVEL": ("log_level",),
}
SECRETS: dict[str, tuple[str, ...]] = {
    "AUDITGRAF_DATABASE_URL": ("database", "url"),
    "AUDITGRAF_WRITER_DATABASE_URL": ("database", "writer_url"),
    "AUDITGRAF_READER_DATABASE_URL": ("database", "reader_url"),
    "AUDITGRAF_WRITER_PASSWORD": ("database", "writer_password"),
    "AUDITGRAF_READER_PASSWORD": ("database", "reader_password"),
    "AUDITGRAF_REDACTION_KEY": ("redaction", "key"),
    "AUDITGRAF_GRAFANA_TOKEN": ("grafana", "token"),
    "AUDITGRAF_GRAFANA_USER": ("grafana", "user"),
    "AUDITGRAF_GRAFANA_PASSWORD": ("grafana", "password"),
}
ENVIRONMENT_ONLY = ("AUDITGRAF_CONFIG", "AUDITGRAF_HOME", *SECRETS)


def unknown_variables(variables: Mapping[str, str], tenants: Iterable[str] = ()) -> list[str]:
    """AUDITGRAF_* variables that nothing reads, probably misspelt; `tenants`: the names of those that there are."""
    known = {*VARIABLES, *ENVIRONMENT_ONLY, *(password_variable(name) for name in tenants)}
    return sorted(name for name in variables if name.startswith("AUDITGRAF_") and name not in known)
