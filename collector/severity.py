"""Severities by name and number."""

from __future__ import annotations

from exporter.errors import ConfigError

# First number of each range of four: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "fatal": 21}
HIGHEST_SEVERITY = 24


def parse_severity(text: str) -> int:
    """A severity number (0 to 24) or name (`warn`, `error`, ...) as the number. Raises ConfigError."""
    number = int(text) if text.isascii() and text.isdigit() else SEVERITIES.get(text.lower(), -1)
    if not 0 <= number <= HIGHEST_SEVERITY:
        known = ", ".join(SEVERITIES)
        raise ConfigError(f"--level: {text!r} is none; use 0 to {HIGHEST_SEVERITY} or one of {known}")
    return number
