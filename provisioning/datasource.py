"""The data source file: the operator's data source, and one for each tenant."""

from __future__ import annotations

from provisioning.models import DatabasePassword, Datasource, DatasourceFile, PostgresSettings
from provisioning.options import ProvisioningOptions, TenantOptions
from provisioning.yaml_file import literal


def datasource_file(options: ProvisioningOptions) -> DatasourceFile:
    """PostgreSQL as the reader, and as each tenant. Raises pydantic.ValidationError for what Grafana can't use."""
    datasource = Datasource(
        name=literal(options.datasource_name),
        uid=options.datasource_uid,
        url=literal(options.database_host),
        user=literal(options.database_user),
        jsonData=PostgresSettings.model_validate(
            {"database": literal(options.database_name), "sslmode": options.sslmode}
        ),
        secureJsonData=_password(options.password_variable),
    )
    return DatasourceFile(
        datasources=[datasource, *(_of_tenant(datasource, tenant, options) for tenant in options.tenants)]
    )


def _of_tenant(datasource: Datasource, tenant: TenantOptions, options: ProvisioningOptions) -> Datasource:
    """The same database, another role, in the tenant's organisation."""
    own = {
        "name": f"{datasource.name} {tenant.name}",
        "uid": options.dashboards_of(tenant).datasource_uid,
        "orgId": tenant.org_id,
        "user": literal(tenant.database_user),
        "secureJsonData": _password(tenant.password_variable),
    }
    return Datasource.model_validate(dict(datasource) | own)


def _password(variable: str | None) -> DatabasePassword | None:
    return None if variable is None else DatabasePassword(password=f"${variable}")
