"""What the configuration says about tenants: whose events get a role, a data source and dashboards of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from exporter.document import Document
from exporter.errors import ConfigError
from exporter.store.tenants import Tenant


def password_variable(name: str) -> str:
    """The variable that holds the password of a tenant's role, for `auditgraf migrate` and in Grafana's environment."""
    return f"AUDITGRAF_TENANT_{name.upper()}_PASSWORD"


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class TenantSettings(BaseModel):
    """One tenant. `match`: what its events have in their column tenant; the tenant's name where nothing is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Annotated[tuple[str, ...] | None, BeforeValidator(_several)] = None
    folder: str | None = Field(None, min_length=1)  # None: grafana.folder and the name
    org: int = Field(1, ge=1)  # Grafana's number of the organisation
    password: SecretStr | None = Field(None, exclude=True)  # from the environment only

    def of(self, name: str) -> Tenant:
        """As exporter.store knows it. Raises ConfigError for what can't be a tenant."""
        return Tenant(name, (name,) if self.match is None else self.match)


def _bare(value: object) -> object:
    """`acme:` with nothing after it is a tenant with every default."""
    if isinstance(value, Mapping):
        return {name: {} if settings is None else settings for name, settings in value.items()}
    return value


def _usable(given: dict[str, TenantSettings]) -> dict[str, TenantSettings]:
    for name, settings in given.items():
        try:
            settings.of(name)
        except ConfigError as failure:
            # Said again as a validator must, so that file and line stand before it.
            raise ValueError(str(failure)) from None
    return given


Tenants = Annotated[dict[str, TenantSettings], BeforeValidator(_bare), AfterValidator(_usable)]


def refuse_passwords(document: Document) -> None:
    """Raises ConfigError for a tenant's password in the file."""
    tenants = document.data.get("tenants")
    for name, settings in tenants.items() if isinstance(tenants, dict) else ():
        if isinstance(settings, dict) and "password" in settings:
            message = f"the password comes from {password_variable(str(name))} only; remove it here"
            raise document.error(("tenants", name, "password"), message)


def with_passwords(values: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The file's settings with the passwords that the variables have for the tenants that it names."""
    named = values.get("tenants")
    if not isinstance(named, dict):
        return values
    tenants = {}
    for name, settings in named.items():
        password = variables.get(password_variable(str(name)))
        tenants[name] = {**(settings or {}), "password": password} if password else settings
    return values if tenants == named else {**values, "tenants": tenants}
