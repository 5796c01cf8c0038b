"""`auditgraf up`: everything on this machine, without Docker."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg

from collector import grafana, rendering
from collector.config import Alerts, Config, GeoIp, load_config
from collector.embedded import EmbeddedPostgres
from collector.home import note
from collector.server import Ports, serve
from exporter.errors import AuditgrafError
from exporter.store.migrate import migrate

_BACKFILL = timedelta(hours=24)
_BACKFILL_COUNT = 3000
_DEMO_RATE = 2.0


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What to bring up, and where its files go."""

    home: Path
    demo: bool = False
    with_grafana: bool = True


def up(options: UpOptions, config: Config, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Runs until SIGINT or SIGTERM, then stops all it started. Raises AuditgrafError for what can't be started."""
    options.home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if config.database.url is None:
            config = _with_embedded(options, config, environ, stack, say)
        if config.spool.path is None:
            config = config.model_copy(update={"spool": config.spool.model_copy(update={"path": _spool(options)})})
        if config.geoip.city is None and config.geoip.asn is None:
            # Approximate, and good enough to see the map live; a real file in the configuration wins.
            config = config.model_copy(update={"geoip": GeoIp(city="bundled", asn="bundled")})
        if options.demo and not config.alerts.files:
            # So that the demonstration's story also sets off the alarms; nobody is told.
            config = config.model_copy(update={"alerts": Alerts(defaults=True)})
        migrate(
            config.owner_url(),
            config.classes,
            passwords=config.passwords(),
            tenants=config.known_tenants(),
            report=say,
        )
        provisioning = options.home / "grafana" / "provisioning"
        rendering.write(config, provisioning)
        stop = threading.Event()
        stack.callback(stop.set)

        def started(ports: Ports) -> None:
            say(f"OTLP gRPC   {config.grpc.listen}")
            say(f"OTLP HTTP   http://{config.http.listen}/v1/logs")
            threading.Thread(
                target=_beside_the_collector,
                args=(options, config, environ, provisioning, ports, stop, stack, say),
                name="up",
                daemon=True,
            ).start()

        asyncio.run(serve(config, started=started))
        say("stopping")


def _spool(options: UpOptions) -> Path:
    return options.home.resolve() / "spool"


def _with_embedded(
    options: UpOptions, config: Config, environ: Mapping[str, str], stack: ExitStack, say: Callable[[str], None]
) -> Config:
    server = EmbeddedPostgres(options.home / "postgres")
    say("PostgreSQL  starting (embedded)")
    server.start()
    stack.callback(server.stop)
    say(f"PostgreSQL  127.0.0.1:{server.port}, database audit (auditgraf config --secrets shows the URL)")
    made = {
        "AUDITGRAF_DATABASE_URL": server.url(),
        "AUDITGRAF_WRITER_PASSWORD": server.credentials.writer_password,
        "AUDITGRAF_READER_PASSWORD": server.credentials.reader_password,
        "AUDITGRAF_SPOOL_PATH": str(config.spool.path or _spool(options)),
    }
    noted = note(options.home)
    noted.touch(mode=0o600)
    noted.write_text(json.dumps(made), encoding="utf-8")
    stack.callback(noted.unlink, missing_ok=True)
    return load_config({**environ, **made})


def _beside_the_collector(
    options: UpOptions,
    config: Config,
    environ: Mapping[str, str],
    provisioning: Path,
    ports: Ports,
    stop: threading.Event,
    stack: ExitStack,
    say: Callable[[str], None],
) -> None:
    """Grafana and the demo, once the collector serves. Their failure is told, and stops nothing else."""
    try:
        if options.with_grafana:
            _start_grafana(options, config, environ, provisioning, stack, say)
    except AuditgrafError as failure:
        say(f"Grafana     {failure}")
    if not options.demo:
        say("ready       Ctrl-C stops all of it")
        return
    try:
        _run_demo(config, ports, stop, say)
    except AuditgrafError as failure:
        say(f"demo        {failure}")


def _start_grafana(
    options: UpOptions,
    config: Config,
    environ: Mapping[str, str],
    provisioning: Path,
    stack: ExitStack,
    say: Callable[[str], None],
) -> None:
    installed = grafana.find(environ)
    if installed is None:
        say(f"Grafana     not found (GRAFANA_HOME, PATH); its provisioning is in {provisioning}")
        return
    server = grafana.Grafana(
        installed,
        url=config.grafana.url,
        provisioning=provisioning.resolve(),
        data=(options.home / "grafana" / "data").resolve(),
        passwords=rendering.passwords(config),
    )
    stack.callback(server.stop)
    server.start()
    say(f"Grafana     {config.grafana.url}/d/audit-overview")


def _run_demo(config: Config, ports: Ports, stop: threading.Event, say: Callable[[str], None]) -> None:
    from collector.demo import DemoOptions, run  # noqa: PLC0415 needs the extra `demo`

    empty = _is_empty(config)
    say(f"demo        {_DEMO_RATE:g} events a second{', after those of the last 24 hours' if empty else ''}")
    options = DemoOptions(
        endpoint=f"127.0.0.1:{ports.grpc}",
        protocol="grpc",
        rate=_DEMO_RATE,
        backfill=_BACKFILL if empty else timedelta(0),
        backfill_count=_BACKFILL_COUNT if empty else 0,
    )
    told = False

    def progress(emitted: int) -> None:
        nonlocal told
        if not told and emitted >= options.backfill_count:
            told = True
            say("ready       Ctrl-C stops all of it")

    run(options, stop=stop, progress=progress)


def _is_empty(config: Config) -> bool:
    with psycopg.connect(config.owner_url()) as connection:
        # Retention may have told of its first run already.
        return connection.execute("SELECT FROM audit.events WHERE service <> 'auditgraf' LIMIT 1").fetchone() is None
