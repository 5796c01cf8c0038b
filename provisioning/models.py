"""Grafana's provisioning files as it reads them (`apiVersion: 1`), checked before they are written.

Grafana drops unknown keys without a word, and does not start with values it can't use: both are refused here.
Names are Grafana's own. Source: pkg/services/provisioning/{datasources,dashboards}/types.go of Grafana 9.4.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Uid = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")


class Part(BaseModel):
    """A part of a file: nothing that Grafana would not read, no number as text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PostgresSettings(Part):
    """`jsonData` of a PostgreSQL data source. Grafana's default for maxOpenConns is no limit."""

    # From 12.2 on a panel without it is refused (grafana#112418).
    database: str = Field(min_length=1)
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"]
    maxOpenConns: int = Field(10, ge=1)
    maxIdleConns: int = Field(2, ge=0)
    connMaxLifetime: int = Field(14400, ge=0)  # seconds
    postgresVersion: int = 1500
    timescaledb: bool = False


class DatabasePassword(Part):
    """`secureJsonData`: bare `$NAME` only, Grafana expands `${NAME}` twice (grafana#97185)."""

    password: str = Field(pattern=r"^\$[A-Z_][A-Z0-9_]*$")


class Datasource(Part):
    """One data source. `url` is host:port or the folder of a socket, without scheme and database."""

    name: str = Field(min_length=1)
    uid: str = Uid
    type: Literal["postgres"] = "postgres"
    access: Literal["proxy"] = "proxy"
    orgId: int = 1
    url: str = Field(pattern=r"^(/\S*|[^/\s@]+)$")
    user: str = Field(min_length=1)
    editable: bool = False
    jsonData: PostgresSettings
    secureJsonData: DatabasePassword | None = None


class DatasourceFile(Part):
    """`datasources/*.yaml`."""

    apiVersion: Literal[1] = 1
    datasources: list[Datasource]


class ProviderOptions(Part):
    """Where Grafana finds the JSON files; must be text, or Grafana stops."""

    path: str = Field(min_length=1)
    foldersFromFilesStructure: bool = False


class Provider(Part):
    """One dashboard provider: one folder of Grafana's, fed from one folder of files."""

    name: str = Field(min_length=1)
    orgId: int = 1
    folder: str = Field(min_length=1)
    folderUid: str = Uid
    type: Literal["file"] = "file"
    disableDeletion: bool = False
    updateIntervalSeconds: int = Field(30, ge=1)
    allowUiUpdates: bool = False
    options: ProviderOptions


class ProviderFile(Part):
    """`dashboards/*.yaml`."""

    apiVersion: Literal[1] = 1
    providers: list[Provider]
