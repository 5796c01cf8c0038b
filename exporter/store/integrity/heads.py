"""The last link of each chain, to be kept where whoever rules the database can't reach it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from exporter.errors import ConfigError
from exporter.store.queries import query
from exporter.store.retention import clock
from exporter.store.retention.owner import as_owner

log = logging.getLogger(__name__)
_PACKAGE = __package__
_VERSION = 1
_LINE = '{"version":'
_REMEDY = "give a file that auditgraf verify --heads wrote, or a log of a collector that runs retention"


@dataclass(frozen=True, slots=True)
class Heads:
    """Chain to its last link: sequence and digest."""

    made_at: datetime
    links: Mapping[int, tuple[int, bytes]]

    def text(self) -> str:
        """As JSON, for a file."""
        return json.dumps(self._document(), indent=2) + "\n"

    def line(self) -> str:
        """As JSON in one line, for a log."""
        return json.dumps(self._document(), separators=(",", ":"))

    def _document(self) -> dict[str, Any]:
        chains = [
            {"chain": chain, "sequence": sequence, "digest": digest.hex()}
            for chain, (sequence, digest) in sorted(self.links.items())
        ]
        return {"version": _VERSION, "made_at": self.made_at.astimezone(UTC).isoformat(), "chains": chains}

    @classmethod
    def parse(cls, text: str, name: str) -> Heads:
        """What `text` or `line` wrote. Raises ConfigError that names the place and what is wrong."""
        try:
            read = _File.model_validate_json(text)
        except ValidationError as failure:
            first = failure.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise ConfigError(f"{name}: {place}: {first['msg']}; {_REMEDY}") from None
        links = {each.chain: (each.sequence, bytes.fromhex(each.digest)) for each in read.chains}
        if len(links) < len(read.chains):
            raise ConfigError(f"{name}: chains: a chain is there twice; {_REMEDY}")
        return cls(read.made_at, links)


def parse_heads(text: str, name: str) -> tuple[Heads, ...]:
    """The heads in a file of `--heads`, or all of those in a log. Raises ConfigError."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if _LINE in line]
    if not lines:
        return (Heads.parse(text, name),)
    return tuple(Heads.parse(line[line.index(_LINE) :], f"{name}:{number}") for number, line in lines)


def log_heads(url: str) -> Heads:
    """Tells the last links as they are now, in one line of the log at INFO, which `verify --against` reads.

    Wherever logs are kept is a place that whoever rules the database may not reach. `url`: the owner's. Raises
    RetentionError, StoreUnavailableError.
    """
    with as_owner(url, "auditgraf verify") as connection:
        links = {row[0]: (row[1], row[2]) for row in connection.execute(query("heads", _PACKAGE))}
        heads = Heads(clock.now(connection), links)
    log.info("heads of the chains: %s", heads.line())
    return heads


class _Chain(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    chain: Annotated[int, Field(ge=0, le=33)]
    sequence: Annotated[int, Field(ge=1)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=_VERSION, le=_VERSION)]
    made_at: AwareDatetime
    chains: list[_Chain]
