"""The configuration as a whole: its sections, and what follows from several of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from collector.config.roles import as_login, as_role
from collector.config.sections import (
    Alerts,
    Archive,
    Database,
    GeoIp,
    Grafana,
    Grpc,
    Http,
    Limits,
    Map,
    Mapping_,
    RetentionJob,
    Section,
    Spool,
    Telemetry,
    Window,
)
from collector.config.values import Keep, Rollups
from collector.tenants import Tenants
from exporter.errors import ConfigError
from exporter.redaction import Redaction
from exporter.store.tenants import Tenant


class Config(Section):
    """Everything that can be configured."""

    database: Database = Database()
    grpc: Grpc = Grpc()
    http: Http = Http()
    telemetry: Telemetry = Telemetry()
    limits: Limits = Limits()
    spool: Spool = Spool()
    accept: Window = Window()
    mapping: Mapping_ = Mapping_()
    redaction: Redaction = Redaction()
    retention: dict[str, Keep] = Field(default_factory=dict)
    retention_job: RetentionJob = RetentionJob()
    # How long audit.volume keeps a month's counts; they outlive the events.
    rollups: Rollups = timedelta(days=5 * 365)
    archive: Archive = Archive()
    geoip: GeoIp = GeoIp()
    grafana: Grafana = Grafana()
    map: Map = Map()
    alerts: Alerts = Alerts()
    tenants: Tenants = Field(default_factory=dict)  # name to whose events a data source of its own shows
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("retention", mode="after")
    @classmethod
    def _complete(cls, classes: dict[str, timedelta | None]) -> dict[str, timedelta | None]:
        for name in classes:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
                raise ValueError(f"{name!r} is no class name; use lower-case letters, digits and _")
            if re.search(r"_p\d{8}(_\d+)?$", name):
                raise ValueError(f"{name!r} would be a partition's name; end it otherwise")
        return {"default": timedelta(days=365), "log": timedelta(days=7)} | classes

    @property
    def classes(self) -> dict[str, timedelta | None]:
        """Retention class to how long its events are kept; None is for ever."""
        return self._complete(self.retention)

    def redaction_key(self) -> bytes | None:
        """The key of hashes and pseudonyms, as Redactor takes it; None where it isn't set."""
        return self.redaction.secret_key()

    def owner_url(self) -> str:
        """The owner's connection URL; raises ConfigError where it isn't set."""
        if self.database.url is None:
            raise ConfigError("AUDITGRAF_DATABASE_URL is not set; e.g. postgresql://user@127.0.0.1:5432/audit")
        return self.database.url.get_secret_value()

    def writer_url(self) -> str:
        """The writer's URL: as given, else the owner's, with the writer's password or role."""
        return self._role_url(self.database.writer_url, "auditgraf_writer", self.database.writer_password)

    def reader_url(self) -> str:
        """The reader's URL: as given, else the owner's, with the reader's password or role."""
        return self._role_url(self.database.reader_url, "auditgraf_reader", self.database.reader_password)

    def passwords(self) -> dict[str, str]:
        """Role name to the password it logs in with, where one is given."""
        given = {
            "auditgraf_writer": self.database.writer_password,
            "auditgraf_reader": self.database.reader_password,
        }
        given |= {settings.of(name).role: settings.password for name, settings in self.tenants.items()}
        return {role: password.get_secret_value() for role, password in given.items() if password is not None}

    def known_tenants(self) -> list[Tenant] | None:
        """Whose events get a role of their own, for exporter.store; None where nothing is said of tenants."""
        if "tenants" not in self.model_fields_set:
            return None
        return [settings.of(name) for name, settings in self.tenants.items()]

    def _role_url(self, given: SecretStr | None, role: str, password: SecretStr | None) -> str:
        if given is not None:
            return given.get_secret_value()
        if password is not None:
            return as_login(self.owner_url(), role, password.get_secret_value())
        return as_role(self.owner_url(), role)
