"""The dashboard provider file."""

from __future__ import annotations

from pathlib import Path

from provisioning.models import Provider, ProviderFile, ProviderOptions
from provisioning.options import ProvisioningOptions
from provisioning.yaml_file import literal


def provider_file(options: ProvisioningOptions, rendered: Path) -> ProviderFile:
    """Feeds Grafana's folder from `rendered`, or from where the options say that Grafana sees it."""
    path = options.dashboards_path or str(rendered.absolute())
    return ProviderFile(
        providers=[
            Provider(
                name="auditgraf",
                folder=literal(options.folder),
                folderUid=options.folder_uid,
                options=ProviderOptions(path=literal(path)),
            )
        ]
    )
