"""Lays out Grafana's provisioning folder: all files or none, and nothing of others is touched."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from dashboards.build import build
from exporter.errors import ConfigError
from provisioning import manifest
from provisioning.alerts.rendering import AlertingOptions, alerting_file, in_order, remembered
from provisioning.datasource import datasource_file
from provisioning.manifest import Manifest
from provisioning.options import ProvisioningOptions
from provisioning.own import own_dashboards
from provisioning.provider import provider_file, tenant_folder
from provisioning.yaml_file import to_yaml

__all__ = ["ProvisioningOptions", "render"]

_FOLDERS = ("datasources", "dashboards", "alerting", "json")
_OF_A_TENANT = re.compile(r"json-[a-z][a-z0-9_]*")
# Grafana 9.4 logs an error for each of these that it does not find.
_EMPTY_FOLDERS = ("plugins", "notifiers")


def render(out: Path, options: ProvisioningOptions) -> list[Path]:
    """Writes everything that `options` ask for under `out`; returns its files, in order.

    Files of an earlier call that are no longer asked for are removed, files of others stay. The same options give the
    same bytes; a file that has them already is left alone. Where anything fails, `out` is as it was before.
    Raises ConfigError for a value that Grafana can't use or a folder that can't be written.
    """
    before = manifest.read(out)
    files = _files(out, options, before)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in (*_FOLDERS, *_EMPTY_FOLDERS, *map(tenant_folder, options.tenants)):
            (out / folder).mkdir(exist_ok=True)
        _exchange(out, files, before)
    except OSError as failure:
        place = failure.filename or out
        raise ConfigError(
            f"{place}: can't be written: {failure.strerror}; choose another folder or change its permissions"
        ) from failure
    return [out / name for name in sorted(files) if name != manifest.NAME]


def _files(out: Path, options: ProvisioningOptions, before: Manifest) -> dict[str, bytes]:
    alerting = AlertingOptions(
        options.grafana_url, options.datasource_uid, options.alert_folder, options.version, options.runbooks
    )
    try:
        files = {
            "datasources/auditgraf.yaml": to_yaml(datasource_file(options)),
            "dashboards/auditgraf.yaml": to_yaml(provider_file(options, out / "json")),
        }
        told, names = alerting_file(options.alerts, alerting, before.alerting)
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
    for tenant in options.tenants:
        for name, content in build(options.dashboards_of(tenant)).items():
            files[f"{tenant_folder(tenant)}/{name}"] = content
    for name, part in in_order(told).items():
        if part.model_dump(exclude={"apiVersion"}, exclude_none=True):
            files[f"alerting/{name}"] = to_yaml(part)
    listing = Manifest(tuple(sorted(files)), remembered(before.alerting, names))
    return files | {manifest.NAME: manifest.written(listing)}


def _exchange(out: Path, files: Mapping[str, bytes], before: Manifest) -> None:
    """Puts the files in place of those of the last call; puts the old ones back where that fails half-way."""
    new = {name: content for name, content in files.items() if _content(out / name) != content}
    gone = [name for name in filter(_is_plain, before.files) if name not in files and (out / name).is_file()]
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


def _is_plain(name: str) -> bool:
    """Whether a render could have written a file of this name."""
    path = PurePosixPath(name)
    ours = path.parts[:1] and (path.parts[0] in _FOLDERS or _OF_A_TENANT.fullmatch(path.parts[0]))
    return len(path.parts) == 2 and bool(ours) and path.parts[1] not in {".", ".."}
