"""What a command is run with: the variables, the configuration, and the database of an `up` in this folder."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from collector.config import SECRETS, Config, load_config
from collector.home import running


def configuration(context: click.Context) -> Config:
    """The configuration in force; logging is set up as it says. Raises ConfigError."""
    config = load_config(environment(context))
    logging.basicConfig(
        level=config.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        force=True,
    )
    return config


def environment(context: click.Context) -> Mapping[str, str]:
    """The variables, with the file that --config names, and the database of an `up` that runs in this folder."""
    given: Path | None = context.find_root().obj
    variables = dict(os.environ) if given is None else {**os.environ, "AUDITGRAF_CONFIG": str(given)}
    connections = [variable for variable, (section, _) in SECRETS.items() if section == "database"]
    if context.info_name != "up" and not any(variables.get(variable) for variable in connections):
        variables |= running()
    return variables
