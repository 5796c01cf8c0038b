"""The connection URLs of the database's roles, made from the owner's."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

# As exporter/store/roles.sql sets them: PostgreSQL applies a role's settings to logins only, not where one becomes it.
_ROLE_SETTINGS = {
    "auditgraf_writer": {"search_path": "audit", "lock_timeout": "8s"},
    "auditgraf_reader": {
        "search_path": "audit",
        "default_transaction_read_only": "on",
        "statement_timeout": "30s",
        "work_mem": "64MB",
        "jit": "off",
    },
}


def as_role(url: str, role: str) -> str:
    """The same login, acting as `role` from the start, with the settings that the role's own login would have."""
    options = "".join(f"-c {name}={value} " for name, value in {"role": role, **_ROLE_SETTINGS[role]}.items())
    return f"{url}{'&' if '?' in url else '?'}options={quote(options.strip())}"


def as_login(url: str, user: str, password: str) -> str:
    """The same server and database, another login."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))
