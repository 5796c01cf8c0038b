"""What can be judged from files and variables alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import maxminddb

from collector import grafana
from collector.config import ENVIRONMENT_ONLY, VARIABLES, Config, unknown_variables
from collector.doctor.finding import Finding, guarded
from collector.spool.folder import waiting_in
from collector.tenants import password_variable
from exporter.enrich.geoip import GeoIp
from exporter.errors import AuditgrafError, ConfigError
from exporter.mapping.rules import load_all

# Providers publish every week or month; after a quarter whole networks have moved.
_OLD = timedelta(days=90)


def findings(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Configuration, rules, geo files, the spool, and whether Grafana is installed."""
    yield from guarded("configuration", lambda: _configuration(config, environ))
    yield from guarded("rules", lambda: _rules(config))
    for key, city, asn in (("geoip.city", config.geoip.city, None), ("geoip.asn", None, config.geoip.asn)):
        yield from guarded(key, partial(_geo, key, city, asn))
    yield from guarded("spool", lambda: _spool(config))
    yield from guarded("Grafana's program", lambda: _program(environ))


def _configuration(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    file = environ.get("AUDITGRAF_CONFIG")
    known = (*VARIABLES, *ENVIRONMENT_ONLY, *(password_variable(name) for name in config.tenants))
    used = sum(1 for name in known if environ.get(name))
    yield Finding("configuration", "ok", f"{file or 'no file'}, {used} variables")
    for name in unknown_variables(environ, config.tenants):
        near = get_close_matches(name, known, n=1)
        remedy = f"is {near[0]} meant?" if near else "unset it; auditgraf config prints what is in force"
        yield Finding("configuration", "warning", f"{name} is set, and nothing reads it", remedy)


def _rules(config: Config) -> Iterator[Finding]:
    try:
        ruleset = load_all(config.mapping.rules, tuple(config.classes), config.mapping.presets)
    except ConfigError as failure:
        yield Finding(
            "rules",
            "problem",
            str(failure),
            "correct the rules: docs/mapping.md; the collector does not start",
        )
        return
    own = f"{len(config.mapping.rules)} files of your own" if config.mapping.rules else "the defaults only"
    yield Finding("rules", "ok", f"{len(ruleset.rules)} rules, {own}")


def _geo(key: str, city: str | None, asn: str | None) -> Iterator[Finding]:
    given = city or asn
    if given is None:
        yield Finding(key, "ok", "not set: nothing is looked up, only what senders say is stored")
        return
    try:
        GeoIp(city, asn)
    except ConfigError as failure:
        yield Finding(key, "problem", str(failure), "the collector does not start: docs/geo.md")
        return
    if given == "bundled":
        yield Finding(
            key,
            "warning",
            "the bundled file knows the demonstration's addresses only",
            "docs/geo.md has others",
        )
        return
    built = _built(Path(given))
    age = datetime.now(UTC) - built
    if age > _OLD:
        text = f"{given}: built {built:%Y-%m-%d}, {age.days} days ago"
        yield Finding(key, "warning", text, "fetch a newer file: docs/geo.md; no restart is needed")
    else:
        yield Finding(key, "ok", f"{given}: built {built:%Y-%m-%d}")


def _built(path: Path) -> datetime:
    with maxminddb.open_database(path) as reader:
        return datetime.fromtimestamp(reader.metadata().build_epoch, UTC)


def _spool(config: Config) -> Iterator[Finding]:
    path, most = config.spool.path, config.spool.max_bytes
    if path is None:
        text = "none: while PostgreSQL is away, senders are asked to send again, and most give up after some minutes"
        yield Finding("spool", "ok", text)
        return
    try:
        waiting = waiting_in(path)
        free = shutil.disk_usage(path).free
    except OSError as failure:
        remedy = "the collector makes it at its start, where it may; spool.path, AUDITGRAF_SPOOL_PATH"
        yield Finding("spool", "warning", f"{path}: {failure.strerror}", remedy)
        return
    for damaged in waiting.damaged:
        remedy = "restore the file from a backup under the name it had, or remove it"
        yield Finding("spool", "problem", f"{damaged} can't be read: its events are not stored", remedy)
    text = f"{path}: {waiting.events:,} events wait, {waiting.bytes >> 20} of {most >> 20} MiB"
    if waiting.entries:
        remedy = "they are stored once a collector with this spool runs and PostgreSQL takes them; its log says more"
        yield Finding("spool", "warning", text, remedy)
    elif free < most:
        remedy = "make room, or lower spool.max_bytes"
        yield Finding("spool", "warning", f"{path}: its disk has {free >> 20} MiB left of {most >> 20}", remedy)
    else:
        yield Finding("spool", "ok", text)


def _program(environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        installed = grafana.find(environ)
    except AuditgrafError as failure:
        yield Finding("Grafana's program", "warning", str(failure), "correct or unset GRAFANA_HOME")
        return
    if installed is None:
        text = "none on this machine (GRAFANA_HOME, PATH): auditgraf up brings up everything but Grafana"
        yield Finding("Grafana's program", "ok", text)
        return
    yield Finding("Grafana's program", "ok", " ".join(installed.command))
