"""The sections of the file, each with its defaults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from collector.config.values import (
    Ahead,
    ArchivePlace,
    Duration,
    Every,
    Listen,
    ListenOrOff,
    Quoted,
    S3Endpoint,
    SpoolPath,
)
from exporter.enrich.forwarded import TrustedProxies


class Section(BaseModel):
    """A part of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    """Where the events are. All of it comes from the environment, never from the file."""

    url: SecretStr | None = Field(None, exclude=True)
    writer_url: SecretStr | None = Field(None, exclude=True)
    reader_url: SecretStr | None = Field(None, exclude=True)
    writer_password: SecretStr | None = Field(None, exclude=True)
    reader_password: SecretStr | None = Field(None, exclude=True)


class Receiver(Section):
    """One OTLP receiver."""

    listen: Listen


class Grpc(Receiver):
    listen: Listen = "127.0.0.1:4317"


class Http(Receiver):
    listen: Listen = "127.0.0.1:4318"
    cors_allowed_origins: tuple[str, ...] = ()


class Telemetry(Section):
    """Where Prometheus scrapes the collector's own metrics; `off` for nowhere."""

    # Loopback, and the port at which the OpenTelemetry Collector has its own.
    listen: ListenOrOff = "127.0.0.1:8888"


class Limits(Section):
    """Bounds on what one sender can ask for."""

    # OTLP 1.11 recommends 64 MiB, inflated.
    max_request_bytes: int = Field(64 << 20, ge=1 << 10, le=1 << 30)
    # What it may hold at most: a record of two bytes costs as much to store as one of two hundred.
    max_request_records: int = Field(250_000, ge=1)
    max_request_sources: int = Field(5_000, ge=1)  # distinct places of origin: resources and scopes
    # One record, whatever it holds, is decoded at once.
    max_record_bytes: int = Field(4 << 20, ge=1 << 10)
    # Bytes of requests waiting for a commit; past that the answer is UNAVAILABLE / 503.
    max_waiting_bytes: int = Field(128 << 20, ge=1 << 20)


class Spool(Section):
    """Where events are kept while PostgreSQL can't take them; without `path`, senders are asked to send them again."""

    path: SpoolPath = None
    max_bytes: int = Field(1 << 30, ge=1 << 20)


class Window(Section):
    """Which times of records are believed, seen from their arrival; others are filed under it."""

    past: Duration = None  # None: as long as the record's class is kept
    future: Ahead = timedelta(days=1)


class Mapping_(Section):
    """How records become events."""

    presets: tuple[str, ...] = ()  # shapes of well-known systems, beside the two that are always there
    rules: tuple[Path, ...] = ()
    unmatched: Literal["keep", "drop", "reject"] = "keep"
    # Whose forwarding headers are believed: networks, addresses, `private`, `loopback`.
    trusted_proxies: tuple[str, ...] = ()

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        TrustedProxies(networks)
        return networks


class GeoIp(Section):
    """MaxMind-format files; `bundled` is the small one for demonstrations."""

    city: str | None = None
    asn: str | None = None


class Links(Section):
    """Where the dashboards lead to outside of the set."""

    trace: str = ""  # the URL of one trace, with {trace_id} in it


class RetentionJob(Section):
    """How often the collector runs retention; None: never, because something else does."""

    every: Every = timedelta(hours=1)


class Archive(Section):
    """Where expired partitions go before they are dropped; without `to`, nowhere. Credentials: AWS_* variables."""

    to: ArchivePlace = None
    format: Literal["parquet", "jsonl.zst"] = "parquet"
    endpoint: S3Endpoint = None  # where S3 is not Amazon's
    region: str | None = None


class Grafana(Section):
    """What the rendered files say about Grafana and its way to PostgreSQL."""

    url: str = "http://127.0.0.1:3000"
    datasource_uid: str = Field("auditgraf", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    folder: str = Field("Audit", min_length=1)
    colours: dict[str, str] = Field(default_factory=dict)  # action to #rrggbb, over the palette's
    refresh: str = "30s"  # Grafana's interval; empty for none
    links: Links = Links()
    dashboards: Path | None = None  # a folder with JSON files of your own
    folder_uid: str = Field("auditgraf", pattern=r"^[A-Za-z0-9_-]{1,40}$")
    dashboards_path: str | None = None  # where Grafana sees DIR/json; None: DIR/json itself
    database_host: str | None = None  # host:port or socket folder as Grafana sees it; None: as the collector does
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] | None = None
    version: Quoted = "any"  # which Grafana alert rules are written for
    alert_folder: str = Field("Audit alerts", min_length=1)
    # The login for `alerts test`: a service account's token, or a user. From the environment only.
    token: SecretStr | None = Field(None, exclude=True)
    user: SecretStr | None = Field(None, exclude=True)
    password: SecretStr | None = Field(None, exclude=True)

    @field_validator("alert_folder", mode="after")
    @classmethod
    def _apart(cls, folder: str, info: ValidationInfo) -> str:
        # Grafana makes folders of alerts by title: one that dashboards have would be there twice (grafana#125079).
        if folder == info.data.get("folder"):
            raise ValueError(f"{folder!r} is the dashboards' folder; give the alerts one of their own")
        return folder


class Alerts(Section):
    """Which rules Grafana watches; see provisioning/alerts."""

    files: tuple[Path, ...] = ()
    defaults: bool = False  # the rules that come with Auditgraf, as they are, where no file speaks of them
    runbooks: str | None = Field(None, pattern=r"^https?://[^\s{}$]+$")  # where messages find docs/runbooks


class Map(Section):
    """The map's background: `offline` is drawn from what Grafana ships, `default` is Grafana's own setting."""

    basemap: str = Field("offline", pattern=r"^(offline|default|https?://\S+)$")
