"""Where archives are: a folder, or a bucket of anything that speaks S3's protocol."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pyarrow import fs

from exporter.errors import RetentionError

Format = Literal["parquet", "jsonl.zst"]
_PARTIAL = ".partial"
_PROBE = "auditgraf-doctor"
_CHUNK = 1 << 20
_CLASS = r"[a-z][a-z0-9_]*"  # a folder for each retention class


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """`to`: a folder or s3://bucket/prefix. `endpoint`: where S3 is not Amazon's. Credentials: the environment's."""

    to: str
    format: Format = "parquet"
    endpoint: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was written: its name below the place, its size, its SHA-256."""

    name: str
    bytes: int
    sha256: str


class Place:
    """Files below a folder or a bucket's prefix. Whatever fails is a RetentionError that names the place."""

    def __init__(self, options: ArchiveOptions, *, patience_s: int | None = None) -> None:
        """`patience_s`: how long a bucket is waited for; None: as long as it takes to archive into it."""
        self.location = options.to
        self.format = options.format
        self._local = not options.to.startswith("s3://")
        if self._local:
            self._files, self._root = fs.LocalFileSystem(), str(Path(options.to).absolute())
        else:
            self._files, self._root = _bucket(options, patience_s), options.to.removeprefix("s3://").rstrip("/")

    @contextmanager
    def writing(self, name: str) -> Iterator[HashedSink]:
        """A sink for a file under a temporary name, on the disk (or in the bucket) when the context ends."""
        path = self._path(name + _PARTIAL)
        with self._failing(f"{name} can't be written"):
            if self._local:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            with self._files.open_output_stream(path) as stream:
                yield HashedSink(stream)
            if self._local:
                _sync(Path(path))

    def settle(self, names: list[str]) -> None:
        """Gives files their own names, for good: what is partial until then is nothing."""
        for name in names:
            with self._failing(f"{name} can't be written"):
                self._files.move(self._path(name + _PARTIAL), self._path(name))
                if self._local:
                    self._sync_folders(name)

    @contextmanager
    def reading(self, name: str, *, partial: bool = False) -> Iterator[Any]:
        """A seekable file (pyarrow.NativeFile)."""
        path = self._path(name + _PARTIAL * partial)
        with self._failing(f"{name} can't be read"), self._files.open_input_file(path) as file:
            yield file

    def check(self, stored: Stored, *, partial: bool = False) -> None:
        """Reads a file through; raises RetentionError where it is not what was written."""
        digest, size = hashlib.sha256(), 0
        with self.reading(stored.name, partial=partial) as file:
            while data := file.read(_CHUNK):
                digest.update(data)
                size += len(data)
        if (size, digest.hexdigest()) != (stored.bytes, stored.sha256):
            raise RetentionError(
                f"archive {self.location}: {stored.name} is damaged: {stored.bytes} bytes with SHA-256 {stored.sha256} "
                f"were written, and it has {size} with {digest.hexdigest()}; restore it from a backup"
            )

    def text(self, name: str) -> str:
        """A small file as text."""
        with self.reading(name) as file:
            return bytes(file.read()).decode()

    def names(self, suffix: str) -> list[str]:
        """The files with names that end so, sorted; none where the folder or prefix is not there yet."""
        with self._failing("it can't be listed"):
            top = self._files.get_file_info(fs.FileSelector(self._root, allow_not_found=True))
            # A disk's own folders lie there too: lost+found is closed to everybody.
            folders = [info.path for info in top if re.fullmatch(_CLASS, info.base_name)]
            found = [
                info
                for folder in folders
                for info in self._files.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
            ]
        own = [info.path.removeprefix(self._root).lstrip("/") for info in found if info.type == fs.FileType.File]
        return sorted(name for name in own if name.endswith(suffix))

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        with self._failing(f"{name} can't be looked for"):
            info = self._files.get_file_info([self._path(name)])[0]
        return bool(info.type == fs.FileType.File)

    def remove_like(self, stem: str) -> None:
        """Removes the files of an archive, partial or not; the manifest first: without it, the others are none."""
        own = [name for name in self.names("") if name.startswith((f"{stem}-", f"{stem}."))]
        for name in sorted(own, key=lambda name: not name.startswith(f"{stem}.")):
            with self._failing(f"{name} can't be removed"):
                self._files.delete_file(self._path(name))
                if self._local:
                    _sync(Path(self._path(name)).parent)

    def discard(self, stem: str) -> None:
        """Removes what was written of an archive that failed, where that makes room: in a folder, if it can be."""
        if self._local:
            with suppress(RetentionError):
                self.remove_like(stem)

    def probe(self) -> None:
        """Writes a small file and removes it; raises RetentionError where that can't be done."""
        try:
            with self.writing(_PROBE) as sink:
                sink.write(b"written by auditgraf doctor, and not removed by it\n")
        except RetentionError:
            # On a full disk an empty one is there.
            with suppress(OSError, pa.ArrowException):
                self._files.delete_file(self._path(_PROBE + _PARTIAL))
            raise
        with self._failing(f"{_PROBE} can't be removed"):
            self._files.delete_file(self._path(_PROBE + _PARTIAL))

    def _sync_folders(self, name: str) -> None:
        """Makes a name survive a power cut, and the folders that were made for it."""
        folder = Path(self._path(name)).parent
        _sync(folder)
        while folder != Path(self._root):
            folder = folder.parent
            _sync(folder)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as failure:
            reason = " ".join(str(failure).split())
            raise RetentionError(
                f"archive {self.location}: {what}: {reason}; nothing is dropped without its archive: make room, or "
                "make the place reachable and writable"
            ) from failure


class HashedSink:
    """A file that knows its size and SHA-256. Arrow writes to it as to any of Python's files."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self._stream.write(data)
        self._digest.update(data)
        self.bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """All of it is flushed when the place closes the file."""

    def close(self) -> None:
        self.closed = True

    def stored(self, name: str) -> Stored:
        return Stored(name, self.bytes, self._digest.hexdigest())


def _bucket(options: ArchiveOptions, patience_s: int | None) -> Any:
    if not hasattr(fs, "S3FileSystem"):
        raise RetentionError(f"archive {options.to}: this installation of pyarrow has no S3; archive into a folder")
    scheme, _, host = (options.endpoint or "").rpartition("://")
    given: dict[str, Any] = {"region": options.region} if options.region else {}
    if host:
        given |= {"endpoint_override": host, "scheme": scheme or "https"}
    return fs.S3FileSystem(
        connect_timeout=patience_s or 5,
        request_timeout=patience_s or 60,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1 if patience_s else 3),
        **given,
    )


def _sync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
