"""The spool's folder: a file a batch, written and flushed to the disk before anybody is told that it is kept."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.batch import Batch
from collector.spool import file
from collector.spool.file import DamagedError
from exporter.errors import ConfigError, StoreUnavailableError

log = logging.getLogger(__name__)

_SUFFIX, _PART, _DAMAGED = ".events", ".part", ".damaged"
_LONGEST_HEAD = 1024  # bytes of a file's first line
# What waiting does not change: the disk is broken, or somebody took the file away.
_LOST = {errno.EIO, errno.ENOENT}


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch that waits: its file's number (they ascend), how many bytes and events it has."""

    number: int
    bytes: int
    events: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a folder holds. `damaged`: files that were set aside because they can't be read."""

    entries: tuple[Entry, ...]
    damaged: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)

    @property
    def events(self) -> int:
        return sum(entry.events for entry in self.entries)


class Spool:
    """Batches on disk, of one collector at a time. Any thread may call.

    Everything is done in the folder that was locked, whatever stands under its name by now.
    `changed` is told how many bytes and events wait, whenever that changes.
    """

    def __init__(self, path: Path, max_bytes: int, changed: Callable[[int, int], None] = lambda size, events: None):
        """Takes possession of the folder. Raises ConfigError where that is not possible."""
        self.path = path
        self._max_bytes = max_bytes
        self._changed = changed
        self._lock = threading.Lock()
        self._folder = _opened(path)
        self._entries: dict[int, Entry] = {}
        self._bytes = self._events = 0
        try:
            for entry in self._found():
                self._remember(entry)
        except OSError as failure:
            os.close(self._folder)
            raise _unusable(path, failure) from None
        # Nor may a file that is set aside some day take the name of one that was before.
        self._next = 1 + max((int(path.stem) for path in path.iterdir() if path.stem.isdigit()), default=0)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def room(self) -> int:
        """How many bytes more it takes."""
        return self._max_bytes - self._bytes

    def entries(self) -> list[Entry]:
        """What waits now, the oldest first."""
        with self._lock:
            return list(self._entries.values())

    def add(self, batch: Batch) -> None:
        """Keeps a batch; once this returns it survives whatever happens to the machine but the loss of its disk.

        Raises StoreUnavailableError where there is no room, or the disk refuses.
        """
        content = file.write(batch)
        with self._lock:
            if len(content) > self.room:
                raise StoreUnavailableError(
                    f"the spool {self.path} is full: {self._bytes >> 20} of {self._max_bytes >> 20} MiB, see "
                    "spool.max_bytes"
                )
            entry = Entry(self._next, len(content), len(batch))
            self._next += 1
            try:
                self._write(entry, content)
            except OSError as failure:
                for suffix in (_PART, _SUFFIX):
                    with contextlib.suppress(OSError):
                        os.unlink(_name(entry, suffix), dir_fd=self._folder)
                raise StoreUnavailableError(f"the spool {self.path} can't be written: {failure.strerror}") from failure
            self._remember(entry)

    def read(self, entry: Entry) -> Batch:
        """A batch that waits; raises DamagedError, or OSError where the file may well be read another time."""
        try:
            with open(_name(entry), "rb", opener=self._opener) as content:
                return file.read(content.read())
        except OSError as failure:
            if failure.errno not in _LOST:
                raise
            raise DamagedError(f"it can't be read: {failure.strerror}") from failure

    def remove(self, entry: Entry) -> None:
        """Forgets a batch that is in PostgreSQL; raises OSError.

        Should its file come back after a crash, it is recognised there.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_name(entry), dir_fd=self._folder)
        self._forget(entry)

    def set_aside(self, entry: Entry, reason: str) -> None:
        """Forgets a file that can't be read, and keeps it under another name for somebody to look at."""
        _set_aside(self.path / _name(entry), reason, self._folder)
        self._forget(entry)

    def close(self) -> None:
        """Lets another collector have the folder."""
        os.close(self._folder)

    def _found(self) -> Iterator[Entry]:
        for part in self.path.glob(f"*{_PART}"):
            part.unlink()  # nobody was told that it is kept
        for found in sorted(self.path.glob(f"*{_SUFFIX}")):
            try:
                yield _entry(found)
            except (DamagedError, OSError) as failure:
                _set_aside(found, str(failure), self._folder)

    def _opener(self, name: str, flags: int) -> int:
        return os.open(name, flags, 0o600, dir_fd=self._folder)

    def _write(self, entry: Entry, content: bytes) -> None:
        part = _name(entry, _PART)
        with open(part, "xb", buffering=0, opener=self._opener) as sink:
            left = memoryview(content)
            while left:
                left = left[sink.write(left) :]
            os.fsync(sink.fileno())
        os.rename(part, _name(entry), src_dir_fd=self._folder, dst_dir_fd=self._folder)
        os.fsync(self._folder)

    def _remember(self, entry: Entry) -> None:
        self._entries[entry.number] = entry
        self._bytes += entry.bytes
        self._events += entry.events
        self._changed(self._bytes, self._events)

    def _forget(self, entry: Entry) -> None:
        with self._lock:
            del self._entries[entry.number]
            self._bytes -= entry.bytes
            self._events -= entry.events
            self._changed(self._bytes, self._events)


def waiting_in(path: Path) -> Waiting:
    """What waits in a folder, whoever uses it; raises OSError."""
    entries = []
    damaged = list(path.glob(f"*{_DAMAGED}"))
    for found in sorted(path.iterdir()):
        if found.suffix != _SUFFIX:
            continue
        with contextlib.suppress(FileNotFoundError):  # it was stored meanwhile
            try:
                entries.append(_entry(found))
            except DamagedError:
                damaged.append(found)
    return Waiting(tuple(entries), tuple(damaged))


def _name(entry: Entry, suffix: str = _SUFFIX) -> str:
    return f"{entry.number:012d}{suffix}"


def _entry(found: Path) -> Entry:
    with found.open("rb") as content:
        head = file.head(content.readline(_LONGEST_HEAD))
    if not found.stem.isdigit():
        raise DamagedError("its name is no number")
    return Entry(int(found.stem), found.stat().st_size, head.events)


def _set_aside(found: Path, reason: str, folder: int) -> None:
    kept = found.with_suffix(_DAMAGED)
    try:
        os.rename(found.name, kept.name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as failure:  # nobody is served by a thread that ends over it
        log.error("%s can't be stored: %s; nor set aside: %s", found, reason, failure.strerror)
        return
    remedy = "put what was written there back under its name, for the next start, or remove it"
    log.error("%s can't be stored: %s. It is kept as %s; %s", found, reason, kept, remedy)


def _opened(path: Path) -> int:
    """The folder, made where it is missing, locked until it is closed."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as failure:
        raise _unusable(path, failure) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(0, "it is not writable")
    except OSError as failure:
        os.close(descriptor)
        if isinstance(failure, BlockingIOError):
            raise ConfigError(
                f"spool.path: {path} is another collector's; give each a folder of its own (AUDITGRAF_SPOOL_PATH)"
            ) from None
        raise _unusable(path, failure) from None
    return descriptor


def _unusable(path: Path, failure: OSError) -> ConfigError:
    return ConfigError(
        f"spool.path: {path} can't be used: {failure.strerror}; name a folder that the collector may write "
        "(AUDITGRAF_SPOOL_PATH)"
    )
