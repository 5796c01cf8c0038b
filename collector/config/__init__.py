"""The configuration: one YAML file plus AUDITGRAF_* variables, the variables winning.

`sections` has what can be set, `values` what a single value may be, `configuration` the whole of it, `loading` how it
is read. Whatever runs begins with importing this, so nothing in here imports Polars, Arrow or psycopg.
"""

from collector.config.configuration import Config
from collector.config.loading import load_config
from collector.config.roles import as_login, as_role
from collector.config.sections import Alerts, Archive, Database, GeoIp, Grafana, Limits, RetentionJob
from collector.config.showing import shown
from collector.config.variables import ENVIRONMENT_ONLY, SECRETS, VARIABLES, unknown_variables

__all__ = [
    "ENVIRONMENT_ONLY",
    "SECRETS",
    "VARIABLES",
    "Alerts",
    "Archive",
    "Config",
    "Database",
    "GeoIp",
    "Grafana",
    "Limits",
    "RetentionJob",
    "as_login",
    "as_role",
    "load_config",
    "shown",
    "unknown_variables",
]
