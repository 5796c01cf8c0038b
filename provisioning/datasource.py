"""The data source file."""

from __future__ import annotations

from provisioning.models import DatabasePassword, Datasource, DatasourceFile, PostgresSettings
from provisioning.options import ProvisioningOptions
from provisioning.yaml_file import literal


def datasource_file(options: ProvisioningOptions) -> DatasourceFile:
    """PostgreSQL, as the reader. Raises pydantic.ValidationError for a value that Grafana can't use."""
    settings = PostgresSettings.model_validate({"database": literal(options.database_name), "sslmode": options.sslmode})
    password = None
    if options.password_variable is not None:
        password = DatabasePassword(password=f"${options.password_variable}")
    return DatasourceFile(
        datasources=[
            Datasource(
                name=literal(options.datasource_name),
                uid=options.datasource_uid,
                url=literal(options.database_host),
                user=literal(options.database_user),
                jsonData=settings,
                secureJsonData=password,
            )
        ]
    )
