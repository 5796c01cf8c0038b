"""Refuses the passwords of .env.example, which everybody can read. Compose runs this before anything else starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from exporter.errors import ConfigError

# As in .env.example; tests/acceptance/test_compose.py compares.
EXAMPLES: Mapping[str, str] = {
    "AUDITGRAF_OWNER_PASSWORD": "example-owner-password",
    "AUDITGRAF_WRITER_PASSWORD": "example-writer-password",
    "AUDITGRAF_READER_PASSWORD": "example-reader-password",
    "GRAFANA_ADMIN_PASSWORD": "example-grafana-password",
}
_DEMO_PROFILES = {"demo", "*"}


def refuse_examples(environ: Mapping[str, str]) -> None:
    """Raises ConfigError where a password is any of the examples', unless COMPOSE_PROFILES has `demo` in it."""
    profiles = {name.strip() for name in environ.get("COMPOSE_PROFILES", "").split(",")}
    if profiles & _DEMO_PROFILES:
        return
    known = set(EXAMPLES.values())
    unsafe = [name for name in EXAMPLES if environ.get(name, "").strip() in known]
    if unsafe:
        raise ConfigError(
            f"{', '.join(unsafe)}: still the example's, which everybody knows. Put passwords of your own into .env; "
            "for a demonstration set COMPOSE_PROFILES=demo in the environment (the option --profile is not enough)"
        )


if __name__ == "__main__":
    try:
        refuse_examples(os.environ)
    except ConfigError as refused:
        sys.exit(f"Error: {refused}")
