"""Tenants: each has a role and a schema of its own, in which no events but its own exist.

The role may use that schema and no other of ours, so whatever SQL it sends, PostgreSQL is the border. The configuration
imports this, and with it every command; who brings a database in line imports exporter.store.tenants.keep.
"""

from exporter.store.tenants.tenant import Tenant

__all__ = ["Tenant"]
