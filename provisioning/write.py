"""Lays out Grafana's provisioning folder: all files or none, and nothing of others is touched."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from dashboards.build import build
from exporter.errors import ConfigError
from provisioning.datasource import datasource_file
from provisioning.options import ProvisioningOptions
from provisioning.own import own_dashboards
from provisioning.provider import provider_file
from provisioning.yaml_file import to_yaml

__all__ = ["ProvisioningOptions", "render"]

# Says which files are ours. Grafana reads the folders it knows and nothing beside them.
MANIFEST = ".auditgraf.json"
_FOLDERS = ("datasources", "dashboards", "alerting", "json")
# Grafana 9.4 logs an error for each of these that it does not find.
_EMPTY_FOLDERS = ("plugins", "notifiers")


def render(out: Path, options: ProvisioningOptions) -> list[Path]:
    """Writes everything that `options` ask for under `out`; returns its files, in order.

    Files of an earlier call that are no longer asked for are removed, files of others stay. The same options give the
    same bytes; a file that has them already is left alone. Where anything fails, `out` is as it was before.
    Raises ConfigError for a value that Grafana can't use or a folder that can't be written.
    """
    files = _files(out, options)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in (*_FOLDERS, *_EMPTY_FOLDERS):
            (out / folder).mkdir(exist_ok=True)
        _exchange(out, files)
    except OSError as failure:
        place = failure.filename or out
        raise ConfigError(
            f"{place}: can't be written: {failure.strerror}; choose another folder or change its permissions"
        ) from failure
    return [out / name for name in sorted(files) if name != MANIFEST]


def _files(out: Path, options: ProvisioningOptions) -> dict[str, bytes]:
    try:
        files = {
            "datasources/auditgraf.yaml": to_yaml(datasource_file(options)),
            "dashboards/auditgraf.yaml": to_yaml(provider_file(options, out / "json")),
        }
    except ValidationError as failure:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in error['loc'])}: {error['input']!r}: {error['msg']}"
            for error in failure.errors(include_url=False)
        )
        raise ConfigError(f"Grafana can't use these settings: {problems}") from None
    dashboards = build(options.dashboards)
    if options.own_dashboards is not None:
        dashboards |= own_dashboards(options.own_dashboards, options.datasource_uid, beside=dashboards)
    files |= {f"json/{name}": content for name, content in dashboards.items()}
    listing = json.dumps({"files": sorted(files)}, indent=2) + "\n"
    return files | {MANIFEST: listing.encode()}


def _exchange(out: Path, files: Mapping[str, bytes]) -> None:
    """Puts the files in place of those of the last call; puts the old ones back where that fails half-way."""
    new = {name: content for name, content in files.items() if _content(out / name) != content}
    gone = [name for name in _ours(out) if name not in files and (out / name).is_file()]
    if not new and not gone:
        return
    # Within `out`, which may be a mount of its own: a rename can't cross file systems.
    staging = Path(tempfile.mkdtemp(prefix=".auditgraf-", dir=out))
    saved: list[str] = []
    placed: list[str] = []
    try:
        for name, content in new.items():
            path = staging / "new" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name in (*new, *gone):
            if (out / name).is_file():
                (staging / "old" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(out / name, staging / "old" / name)
                saved.append(name)
        for name in new:
            (staging / "new" / name).replace(out / name)
            placed.append(name)
        for name in gone:
            (out / name).unlink()
    except BaseException:
        for name in placed:
            if name not in saved:
                (out / name).unlink(missing_ok=True)
        for name in saved:
            (staging / "old" / name).replace(out / name)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _ours(out: Path) -> list[str]:
    """Files of the last call, by the manifest; only names that it could have written."""
    content = _content(out / MANIFEST)
    if content is None:
        return []
    try:
        names = json.loads(content)["files"]
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{out / MANIFEST}: not readable any more; remove it and render again") from None
    return [name for name in names if _is_plain(name)]


def _is_plain(name: object) -> bool:
    if not isinstance(name, str):
        return False
    path = PurePosixPath(name)
    return len(path.parts) == 2 and path.parts[0] in _FOLDERS and path.parts[1] not in {".", ".."}
