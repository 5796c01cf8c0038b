"""What a command is run with: the variables, the configuration, and the database of an `up` in this folder."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector.home import running

if TYPE_CHECKING:
    from collector.config import Config


def configuration(context: click.Context) -> Config:
    """The configuration in force; logging is set up as it says. Raises ConfigError."""
    from collector.config import load_config  # noqa: PLC0415 --help and completion have no need of it

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
    from collector.config import SECRETS  # noqa: PLC0415 as above

    given: Path | None = context.find_root().obj
    variables = dict(os.environ) if given is None else {**os.environ, "AUDITGRAF_CONFIG": str(given)}
    connections = [variable for variable, (section, _) in SECRETS.items() if section == "database"]
    if context.info_name != "up" and not any(variables.get(variable) for variable in connections):
        variables |= running()
    return variables
