"""Tenants: each has a role and a schema of its own, in which no events but its own exist.

The role may use that schema and no other of ours, so whatever SQL it sends, PostgreSQL is the border.
"""

from exporter.store.tenants.keep import create_roles, known, make_anew, remove_schemas, settle
from exporter.store.tenants.tenant import Tenant

__all__ = ["Tenant", "create_roles", "known", "make_anew", "remove_schemas", "settle"]
