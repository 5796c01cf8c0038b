"""Names and matches as rules and steps have them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, ValidatorFunctionWrapHandler

from exporter.mapping.conditions import MAX_DEPTH, Match
from exporter.mapping.contradictions import contradictions
from exporter.mapping.section import refuse

EVERYTHING = Match.model_construct()  # `match: all`
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError(f"{value!r} is no rule name; use up to 63 letters, digits, '.', '_' and '-'")


Name = Annotated[str, BeforeValidator(_name)]


def read_match(value: object, handler: ValidatorFunctionWrapHandler) -> Match:
    """A match, or `all`; refuses what is nested too deeply and what no record can satisfy."""
    if value == "all":
        return EVERYTHING
    if _depth(value) > MAX_DEPTH:
        raise ValueError(f"any, all and not are nested more than {MAX_DEPTH} deep; make several rules of it")
    match: Match = handler(value)
    problems = list(contradictions(match))
    if problems:
        refuse(problems)
    return match


def _depth(value: object, limit: int = MAX_DEPTH) -> int:
    if not isinstance(value, dict) or limit < 0:
        return 0
    inner = [part for key in ("any", "all") if isinstance(value.get(key), list) for part in value[key]]
    return 1 + max((_depth(part, limit - 1) for part in (*inner, value.get("not"))), default=0)
