"""Single values of the file: addresses, durations, places. What is none of them is refused with the remedy."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from exporter.durations import parse_duration

# audit.ensure_partitions refuses more than 14 days; one of them is for clocks that differ.
_FURTHEST_AHEAD = timedelta(days=13)


def _listen(value: object) -> str:
    text = str(value)
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no host:port; write e.g. 127.0.0.1:4317 or [::1]:4317")
    return text


def _listen_or_off(value: object) -> str:
    if value is False or str(value).strip().lower() == "off":  # unquoted, YAML takes it for a boolean
        return "off"
    try:
        return _listen(value)
    except ValueError:
        raise ValueError(f"{value!r} is no host:port; write e.g. 127.0.0.1:8888, or off") from None


def _ahead(value: object) -> timedelta:
    span = parse_duration(value)
    if span is None or span > _FURTHEST_AHEAD:
        raise ValueError(f"too far ahead for a partition; write at most {_FURTHEST_AHEAD.days}d")
    return span


def _keep(value: object) -> timedelta | None:
    keep = parse_duration(value)
    if keep is not None and keep < timedelta(hours=1):
        raise ValueError("shorter than an hour; write at least 1h, or never")
    return _within_dates(keep)


def _every(value: object) -> timedelta | None:
    every = parse_duration(value)
    if every is not None and not timedelta(minutes=1) <= every <= timedelta(days=1):
        raise ValueError("write a time from 1m to 1d, or never where another program runs it")
    return every


def _archive_place(value: object) -> object:
    if value is not None and not re.fullmatch(r"/.*|s3://[^/@\s]+(/\S*)?", str(value)):
        raise ValueError(f"{str(value)!r} is no place for archives; write an absolute folder or s3://bucket/prefix")
    return value


def _spool_path(value: object) -> object:
    if value is not None and not str(value).startswith("/"):
        raise ValueError(f"{str(value)!r} depends on where the collector is started; write an absolute folder")
    return value


def _s3_endpoint(value: object) -> object:
    if value is not None and not re.fullmatch(r"https?://[^/@\s]+", str(value)):
        raise ValueError("write http(s)://host:port, without user, password and path")
    return value


def _quoted(value: object) -> object:
    if isinstance(value, int | float):  # 10.10 is not 10.1
        raise ValueError(f'{value!r} is a number; put it in quotes: "{value}"')
    return value


def _rollups(value: object) -> timedelta | None:
    span = parse_duration(value)
    if span is not None and span < timedelta(days=1):
        raise ValueError("counts are kept by the month; write at least 1d, or never")
    return _within_dates(span)


def _within_dates(span: timedelta | None) -> timedelta | None:
    # PostgreSQL counts no further than 294276, and Python than 9999: what goes when would be an error everywhere.
    if span is not None and span > timedelta(days=365_000):
        raise ValueError("longer than a thousand years; write never for what has no end")
    return span


Ahead = Annotated[timedelta, BeforeValidator(_ahead)]
Duration = Annotated[timedelta | None, BeforeValidator(parse_duration)]
Keep = Annotated[timedelta | None, BeforeValidator(_keep)]
Every = Annotated[timedelta | None, BeforeValidator(_every)]
Rollups = Annotated[timedelta | None, BeforeValidator(_rollups)]
Listen = Annotated[str, BeforeValidator(_listen)]
ListenOrOff = Annotated[str, BeforeValidator(_listen_or_off)]
ArchivePlace = Annotated[str | None, BeforeValidator(_archive_place)]
SpoolPath = Annotated[Path | None, BeforeValidator(_spool_path)]
S3Endpoint = Annotated[str | None, BeforeValidator(_s3_endpoint)]
Quoted = Annotated[str, BeforeValidator(_quoted)]
