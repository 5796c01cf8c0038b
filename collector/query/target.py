"""Where an export goes: a file that is there once it is complete, or whoever reads standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, Self

import pyarrow as pa

from collector.printable import printable, printable_json
from exporter.errors import AuditgrafError, ConfigError

Format = Literal["jsonl", "csv", "parquet"]

_SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_ZSTD = ".zst"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an export is: kept beside a file that is not complete. `bytes` of it are good."""

    asked: Mapping[str, str | None]
    span: Mapping[str, str | None]  # the very time that was asked for, by "from" and "to"
    events: int = 0
    bytes: int = 0
    occurred_at: str | None = None  # of the last event
    id: str | None = None

    def after(self, events: int, size: int, position: tuple[str, str]) -> Self:
        """Further by so many events and bytes."""
        return replace(
            self, events=self.events + events, bytes=self.bytes + size, occurred_at=position[0], id=position[1]
        )


def format_of(path: Path, given: Format | None) -> tuple[Format, bool]:
    """The format, as given or as the file's name says, and whether it is compressed by zstd. Raises ConfigError."""
    packed = path.suffix == _ZSTD
    found = given or _SUFFIXES.get(Path(path.stem).suffix if packed else path.suffix)
    if found is None:
        known = ", ".join(_SUFFIXES)
        raise ConfigError(f"--output {path}: no format is known by that name; end it with {known}, or give --format")
    if packed and found == "parquet":
        raise ConfigError(f"--output {path}: Parquet is compressed within; leave {_ZSTD} away")
    return found, packed


def is_complete(output: str) -> bool:
    """The file of an export is there, and no part that could be gone on with."""
    path = Path(output)
    return output != "-" and path.exists() and not _part(path).exists()


class FileTarget:
    """A file under another name until all of it is there; what a crash leaves can be gone on with.

    Compressed, it is one zstd frame after another, which any reader takes for one.
    """

    def __init__(
        self,
        path: Path,
        asked: Mapping[str, str | None],
        span: Mapping[str, str | None],
        *,
        packed: bool,
        resume: bool,
    ) -> None:
        """Opens FILE.part. Raises ConfigError where a file is in the way or was begun otherwise, OSError."""
        self.path = path
        self.part = _part(path)
        self._note = path.with_name(f"{path.name}.part.json")
        self._codec = pa.Codec("zstd") if packed else None
        if path.exists() and not (resume and self.part.exists()):
            raise ConfigError(f"--output {path}: the file is there already; remove it, or choose another name")
        self.progress = self._begun(asked, span) if resume else Progress(asked, span)
        self._noted = self.progress
        self._file = self._open(resume=resume)
        # A disk takes as long to keep a page as PostgreSQL to send the next one.
        self._disk = ThreadPoolExecutor(max_workers=1)
        self._keeping: Future[None] | None = None

    def packed(self, data: bytes) -> bytes:
        """The data as the file has it. Any thread may call."""
        return bytes(self._codec.compress(data, asbytes=True)) if self._codec else data

    def append(self, packed: bytes) -> None:
        """Appends what `packed` gave."""
        self._file.write(packed)

    def flush(self) -> None:
        """What was appended can be read from the file. Raises OSError."""
        self._file.flush()

    def keep(self, events: int, position: tuple[str, str]) -> None:
        """All that was written is good: `events` more, up to this position. Raises OSError, of an earlier call too."""
        self._file.flush()
        self._wait()
        self.progress = self.progress.after(events, self._file.tell() - self.progress.bytes, position)
        self._keeping = self._disk.submit(self._keep, self.progress)

    def finish(self, made: Path | None = None) -> None:
        """The file gets its name: FILE.part, or `made` of it. Raises OSError."""
        self._file.flush()
        self._wait()
        os.fsync(self._file.fileno())
        self._file.close()
        (made or self.part).replace(self.path)
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def kept(self) -> str:
        """What to say when an export ends before its time."""
        events = self._noted.events
        return f"; {events:,} events are kept in {self.part}, go on with --resume" if events else ""

    def close(self) -> None:
        """Leaves what was kept for a later --resume; nothing where there is nothing."""
        self._disk.shutdown()
        self._file.close()
        if not self._noted.events:
            self.part.unlink(missing_ok=True)

    def _keep(self, progress: Progress) -> None:
        os.fsync(self._file.fileno())
        written = self._note.with_name(f"{self._note.name}.new")
        written.write_text(json.dumps(asdict(progress)), encoding="utf-8")
        written.replace(self._note)
        self._noted = progress

    def _wait(self) -> None:
        if self._keeping is not None:
            self._keeping.result()

    def _open(self, *, resume: bool) -> IO[bytes]:
        if not resume or not self.part.exists():
            try:
                return self.part.open("xb")
            except FileExistsError:
                remedy = "go on with --resume, or remove it"
                raise ConfigError(f"--output: {self.part} is there from an export that did not end; {remedy}") from None
        file = self.part.open("r+b")
        file.truncate(self.progress.bytes)
        file.seek(0, os.SEEK_END)
        return file

    def _begun(self, asked: Mapping[str, str | None], span: Mapping[str, str | None]) -> Progress:
        if not self._note.exists() or not self.part.exists():
            return Progress(asked, span)
        try:
            values: dict[str, Any] = json.loads(self._note.read_text(encoding="utf-8"))
            progress = Progress(**values)
        except (ValueError, TypeError):
            raise ConfigError(f"--resume: {self._note} can't be read; remove it and {self.part}") from None
        for name, value in progress.asked.items():
            if value != asked.get(name):
                was, now = value or "nothing", asked.get(name) or "nothing"
                raise ConfigError(f"--resume: {self.part} was begun with {name} {was}, not {now}; ask the same again")
        return progress


class OutputTarget:
    """Standard output: nothing can be gone on with."""

    def __init__(self, form: Format) -> None:
        if sys.stdout is None:
            raise AuditgrafError("standard output is closed; leave it open, or write to a file by --output FILE")
        self.progress = Progress({}, {})
        self._file = sys.stdout.buffer
        self._escape = (printable_json if form == "jsonl" else _printable_lines) if sys.stdout.isatty() else None

    def packed(self, data: bytes) -> bytes:
        """The data as it is; on a terminal without anything that steers it."""
        return self._escape(data.decode()).encode() if self._escape else data

    def append(self, packed: bytes) -> None:
        """Raises BrokenPipeError where nobody reads any more."""
        self._file.write(packed)

    def keep(self, events: int, position: tuple[str, str]) -> None:
        """Counts."""
        self._file.flush()
        self.progress = self.progress.after(events, 0, position)

    def kept(self) -> str:
        """Nothing can be said."""
        return ""


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
