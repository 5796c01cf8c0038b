"""Every exception that Auditgraf raises on purpose.

A message names the place (file, key, record), the value, and the remedy.
"""

from __future__ import annotations


class AuditgrafError(Exception):
    """Base of all; the command line prints its message without a traceback and exits with 1."""


class ConfigError(AuditgrafError):
    """A configuration or rules file can't be used as it is."""


class MalformedRequestError(AuditgrafError):
    """A request is no ExportLogsServiceRequest: permanent, the sender must not retry."""


class RequestTooLargeError(AuditgrafError):
    """A request holds more than the limits allow: permanent, the sender must send less at once."""


class RejectedRequestError(AuditgrafError):
    """A well-formed request that the configuration refuses (`unmatched: reject`): permanent."""


class StoreUnavailableError(AuditgrafError):
    """PostgreSQL can't take events now: passes, the sender retries after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MigrationError(AuditgrafError):
    """The schema can't be brought to this version."""


class RetentionError(AuditgrafError):
    """Events can't be retired, held, archived, restored or pseudonymised as asked for."""
