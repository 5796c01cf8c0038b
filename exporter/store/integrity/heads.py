"""The last link of each chain, to be kept where whoever rules the database can't reach it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from exporter.errors import ConfigError

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Heads:
    """Chain to its last link: sequence and digest."""

    made_at: datetime
    links: Mapping[int, tuple[int, bytes]]

    def text(self) -> str:
        """As JSON, for a file."""
        chains = [
            {"chain": chain, "sequence": sequence, "digest": digest.hex()}
            for chain, (sequence, digest) in sorted(self.links.items())
        ]
        made_at = self.made_at.astimezone(UTC).isoformat()
        return json.dumps({"version": _VERSION, "made_at": made_at, "chains": chains}, indent=2) + "\n"

    @classmethod
    def parse(cls, text: str, name: str) -> Heads:
        """What `text` wrote. Raises ConfigError that names the file and what is wrong."""
        try:
            read = _File.model_validate_json(text)
        except ValidationError as failure:
            first = failure.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise ConfigError(
                f"{name}: {place}: {first['msg']}; give a file that auditgraf verify --heads wrote"
            ) from None
        links = {each.chain: (each.sequence, bytes.fromhex(each.digest)) for each in read.chains}
        if len(links) < len(read.chains):
            raise ConfigError(
                f"{name}: chains: a chain is there twice; give a file that auditgraf verify --heads wrote"
            )
        return cls(read.made_at, links)


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
