"""The configuration: one YAML file plus AUDITGRAF_* variables, the variables winning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from collector.tenants import Tenants, password_variable, refuse_passwords, with_passwords
from exporter.document import Document, load
from exporter.durations import format_duration, parse_duration
from exporter.enrich.forwarded import TrustedProxies
from exporter.errors import ConfigError
from exporter.redaction import Redaction
from exporter.store.tenants import Tenant

# Variables and the place in the file that each stands for. Secrets have no place in the file: environment only.
VARIABLES: dict[str, tuple[str, ...]] = {
    "AUDITGRAF_GRPC_LISTEN": ("grpc", "listen"),
    "AUDITGRAF_HTTP_LISTEN": ("http", "listen"),
    "AUDITGRAF_METRICS_LISTEN": ("telemetry", "listen"),
    "AUDITGRAF_MAX_REQUEST_BYTES": ("limits", "max_request_bytes"),
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

# As exporter/store/roles.sql sets them: PostgreSQL applies a role's settings to logins only, not where one becomes it.
_ROLE_SETTINGS = {
    "auditgraf_writer": {"search_path": "audit", "lock_timeout": "8s"},
    "auditgraf_reader": {
        "search_path": "audit",
        "default_transaction_read_only": "on",
        "statement_timeout": "30s",
        "work_mem": "64MB",
        "jit": "off",
    },
}
# audit.ensure_partitions refuses more than 14 days; one of them is for clocks that differ.
_FURTHEST_AHEAD = timedelta(days=13)


def _listen(value: object) -> str:
    text = str(value)
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no host:port; write e.g. 127.0.0.1:4317 or [::1]:4317")
    return text


def _listen_or_off(value: object) -> str:
    if value is False or str(value).strip().lower() == "off":  # unquoted, YAML takes it for a boolean
        return "off"
    try:
        return _listen(value)
    except ValueError:
        raise ValueError(f"{value!r} is no host:port; write e.g. 127.0.0.1:8888, or off") from None


def _ahead(value: object) -> timedelta:
    span = parse_duration(value)
    if span is None or span > _FURTHEST_AHEAD:
        raise ValueError(f"too far ahead for a partition; write at most {_FURTHEST_AHEAD.days}d")
    return span


def _keep(value: object) -> timedelta | None:
    keep = parse_duration(value)
    if keep is not None and keep < timedelta(hours=1):
        raise ValueError("shorter than an hour; write at least 1h, or never")
    return keep


def _every(value: object) -> timedelta | None:
    every = parse_duration(value)
    if every is not None and not timedelta(minutes=1) <= every <= timedelta(days=1):
        raise ValueError("write a time from 1m to 1d, or never where another program runs it")
    return every


def _archive_place(value: object) -> object:
    if value is not None and not re.fullmatch(r"/.*|s3://[^/@\s]+(/\S*)?", str(value)):
        raise ValueError(f"{str(value)!r} is no place for archives; write an absolute folder or s3://bucket/prefix")
    return value


def _s3_endpoint(value: object) -> object:
    if value is not None and not re.fullmatch(r"https?://[^/@\s]+", str(value)):
        raise ValueError("write http(s)://host:port, without user, password and path")
    return value


def _quoted(value: object) -> object:
    if isinstance(value, int | float):  # 10.10 is not 10.1
        raise ValueError(f'{value!r} is a number; put it in quotes: "{value}"')
    return value


def _rollups(value: object) -> timedelta | None:
    span = parse_duration(value)
    if span is not None and span < timedelta(days=1):
        raise ValueError("counts are kept by the month; write at least 1d, or never")
    return span


Ahead = Annotated[timedelta, BeforeValidator(_ahead)]
Duration = Annotated[timedelta | None, BeforeValidator(parse_duration)]
Keep = Annotated[timedelta | None, BeforeValidator(_keep)]
Every = Annotated[timedelta | None, BeforeValidator(_every)]
Rollups = Annotated[timedelta | None, BeforeValidator(_rollups)]
Listen = Annotated[str, BeforeValidator(_listen)]
ListenOrOff = Annotated[str, BeforeValidator(_listen_or_off)]


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

    to: Annotated[str | None, BeforeValidator(_archive_place)] = None
    format: Literal["parquet", "jsonl.zst"] = "parquet"
    endpoint: Annotated[str | None, BeforeValidator(_s3_endpoint)] = None  # where S3 is not Amazon's
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
    version: Annotated[str, BeforeValidator(_quoted)] = "any"  # which Grafana alert rules are written for
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


class Config(Section):
    """Everything that can be configured."""

    database: Database = Database()
    grpc: Grpc = Grpc()
    http: Http = Http()
    telemetry: Telemetry = Telemetry()
    limits: Limits = Limits()
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


def shown(config: Config, *, secrets: bool = False) -> str:
    """The configuration in force as YAML that could be the file; connection URLs and passwords only when asked for."""
    values = config.model_dump(mode="python", exclude={"database", "retention"})
    values["retention"] = {name: format_duration(keep) for name, keep in config.classes.items()}
    lines = [yaml.safe_dump(_plain(values), sort_keys=False, allow_unicode=True)]
    held: dict[str, SecretStr | None] = {
        variable: getattr(getattr(config, section), name) for variable, (section, name) in SECRETS.items()
    }
    held |= {password_variable(name): settings.password for name, settings in config.tenants.items()}
    for variable, secret in held.items():
        if secret is not None:
            lines.append(f"# {variable}={secret.get_secret_value() if secrets else '(set, hidden)'}\n")
    return "".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, timedelta):
        return format_duration(value)
    return str(value) if isinstance(value, Path) else value


def as_role(url: str, role: str) -> str:
    """The same login, acting as `role` from the start, with the settings that the role's own login would have."""
    options = "".join(f"-c {name}={value} " for name, value in {"role": role, **_ROLE_SETTINGS[role]}.items())
    return f"{url}{'&' if '?' in url else '?'}options={quote(options.strip())}"


def as_login(url: str, user: str, password: str) -> str:
    """The same server and database, another login."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))


def load_config(environ: Mapping[str, str] | None = None, path: Path | None = None) -> Config:
    """Reads the file (`path`, else AUDITGRAF_CONFIG, else none) and the variables.

    Raises ConfigError that names the file and line, or the variable, and the remedy.
    """
    variables = os.environ if environ is None else environ
    given = path or (Path(variables["AUDITGRAF_CONFIG"]) if variables.get("AUDITGRAF_CONFIG") else None)
    document = load(given) if given else Document("(no file)", {}, {})
    if document.data is None:
        document = Document(document.name, {}, document.lines)
    if not isinstance(document.data, dict):
        raise document.error((), "the file must be a mapping of settings")
    _refuse_secrets(document)
    file_only = document.parse(Config)
    values = with_passwords(dict(document.data), variables)
    for variable, place in {**VARIABLES, **SECRETS}.items():
        if variables.get(variable):
            _put(values, place, variables[variable])
            # Each variable on its own, so that an error names it.
            single: dict[str, Any] = {}
            _put(single, place, variables[variable])
            Document(variable, single, {}).parse(Config)
    if values == document.data:
        return _anchored(file_only, given)
    return _anchored(Document(document.name, values, document.lines).parse(Config), given)


def _refuse_secrets(document: Document) -> None:
    """Raises ConfigError for what comes from the environment only, and is in the file."""
    if "database" in document.data:
        raise document.error(("database",), "connection URLs and passwords come from AUDITGRAF_* variables only")
    if isinstance(document.data.get("redaction"), dict) and "key" in document.data["redaction"]:
        raise document.error(("redaction", "key"), "the key comes from AUDITGRAF_REDACTION_KEY only; remove it here")
    if isinstance(grafana := document.data.get("grafana"), dict):
        for key in ("token", "user", "password"):
            if key in grafana:
                variable = f"AUDITGRAF_GRAFANA_{key.upper()}"
                raise document.error(("grafana", key), f"the login comes from {variable} only; remove it here")
    refuse_passwords(document)


def _anchored(config: Config, file: Path | None) -> Config:
    """Paths in the file are relative to the file."""
    if file is None:
        return config
    rules = tuple(file.parent / rule for rule in config.mapping.rules)
    alerts = tuple(file.parent / rules for rules in config.alerts.files)
    own = config.grafana.dashboards and file.parent / config.grafana.dashboards
    return config.model_copy(
        update={
            "mapping": config.mapping.model_copy(update={"rules": rules}),
            "grafana": config.grafana.model_copy(update={"dashboards": own}),
            "alerts": config.alerts.model_copy(update={"files": alerts}),
        }
    )


def unknown_variables(variables: Mapping[str, str], tenants: Iterable[str] = ()) -> list[str]:
    """AUDITGRAF_* variables that nothing reads, probably misspelt; `tenants`: the names of those that there are."""
    known = {*VARIABLES, *ENVIRONMENT_ONLY, *(password_variable(name) for name in tenants)}
    return sorted(name for name in variables if name.startswith("AUDITGRAF_") and name not in known)


def _put(values: dict[str, Any], place: tuple[str, ...], value: str) -> None:
    for key in place[:-1]:
        child = values.get(key)
        values[key] = dict(child) if isinstance(child, dict) else {}
        values = values[key]
    values[place[-1]] = value
