"""The dashboard provider file: the operator's folder, and one for each tenant."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from provisioning.models import Provider, ProviderFile, ProviderOptions
from provisioning.options import ProvisioningOptions, TenantOptions
from provisioning.yaml_file import literal


def provider_file(options: ProvisioningOptions, rendered: Path) -> ProviderFile:
    """Feeds Grafana's folder from `rendered`, or from where the options say that Grafana sees it; those of tenants from
    the folders beside that one."""
    path = options.dashboards_path or str(rendered.absolute())
    provider = Provider(
        name="auditgraf",
        folder=literal(options.folder),
        folderUid=options.folder_uid,
        options=ProviderOptions(path=literal(path)),
    )
    return ProviderFile(providers=[provider, *(_of_tenant(tenant, options, path) for tenant in options.tenants)])


def tenant_folder(tenant: TenantOptions) -> str:
    """The name of the folder with the tenant's dashboards, beside that of the operator's."""
    return f"json-{tenant.name}"


def _of_tenant(tenant: TenantOptions, options: ProvisioningOptions, path: str) -> Provider:
    return Provider(
        # With the organisation in it: Grafana knows dashboards by their provider, and would not move them.
        name=f"auditgraf-{tenant.name}-{tenant.org_id}",
        orgId=tenant.org_id,
        folder=literal(tenant.folder),
        folderUid=f"{options.folder_uid}-{tenant.name}",
        options=ProviderOptions(path=literal(str(PurePosixPath(path).parent / tenant_folder(tenant)))),
    )
