"""A Transform as the configuration wants it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from collector.config import Config
from exporter.enrich.forwarded import TrustedProxies
from exporter.enrich.geoip import GeoIp
from exporter.mapping.compile import Mapper
from exporter.mapping.rules import load_all
from exporter.redaction.redactor import Redactor
from exporter.transform import Transform, Window

_ANY_TIME = Window(past=timedelta(days=36500), future=timedelta(days=36500))


def transform_of(
    config: Config, *, presets: Sequence[str] = (), rules: Sequence[Path] = (), any_time: bool = False
) -> Transform:
    """What maps records to events, with further presets and rules files beside the configuration's.

    `any_time`: times are believed however far from now they are.

    Raises ConfigError where rules, redaction or a geo file can't be used.
    """
    names = tuple(dict.fromkeys((*config.mapping.presets, *presets)))
    ruleset = load_all((*config.mapping.rules, *rules), tuple(config.classes), names)
    proxies = TrustedProxies(config.mapping.trusted_proxies) if config.mapping.trusted_proxies else None
    geo = GeoIp(config.geoip.city, config.geoip.asn) if config.geoip.city or config.geoip.asn else None
    return Transform(
        Mapper(ruleset, proxies),
        config.classes,
        geo=geo,
        redactor=Redactor(config.redaction, config.redaction_key()),
        unmatched=config.mapping.unmatched,
        window=_ANY_TIME if any_time else Window(past=config.accept.past, future=config.accept.future),
    )
