"""Values of contact points' settings, as text that Grafana's provisioning takes as it is meant.

Grafana expands `$NAME` in these files, `${NAME}` even twice, which cuts what has a `$` in it (grafana#97185), and reads
`$$` as a dollar sign. No error quotes a value that may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from exporter.mapping.section import kind
from provisioning.yaml_file import literal as escaped

VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_BRACED = re.compile(r"\$\{.*\}|\$__(env|file)\{.*\}", re.DOTALL)
_BRACED_PROBLEM = "Grafana cuts the value of a variable in braces at a $; write the bare $NAME"


def _is_variable(value: str) -> bool:
    return VARIABLE.fullmatch(value) is not None


def _secret(value: object) -> str:
    if isinstance(value, str) and _is_variable(value):
        return value
    if isinstance(value, str) and _BRACED.fullmatch(value):
        raise ValueError(f"{_BRACED_PROBLEM}, and nothing beside it")
    raise ValueError("a secret has no place in this file; write $NAME, and set that variable for Grafana's server")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {kind(value)}; put it in quotes")
    if not value.strip():
        raise ValueError("is empty; write a value or remove this line")
    if "\0" in value:
        raise ValueError("has a NUL character; leave it out")
    if _BRACED.fullmatch(value):
        raise ValueError(_BRACED_PROBLEM)
    return value if _is_variable(value) else escaped(value)


def _address(value: object) -> str:
    text = value if isinstance(value, str) else ""
    if _is_variable(text):
        return text
    if "$" in text:
        raise ValueError("a $ within an address; put the whole address into a variable and write $NAME")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("must be an address such as https://example.com/alerts, or $NAME for one in a variable")
    if parts.username or parts.password:
        raise ValueError("has a user or a password in it; put the whole address into a variable and write $NAME")
    return text


def _separated(separator: str, one: Callable[[object], str]) -> Callable[[object], str]:
    def join(value: object) -> str:
        if not isinstance(value, list | tuple):
            return one(value)
        if not value:
            raise ValueError("an empty list; name at least one")
        return separator.join(one(part) for part in value)

    return join


def _mail(value: object) -> str:
    text = _text(value)
    if _is_variable(text):
        return text
    for part in re.split(r"[;,\n]", text):
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", part.strip()):
            raise ValueError(f"{part.strip()!r} is no mail address")
    return text


def _number(least: int, most: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return check


def number(least: int, most: int) -> tuple[BeforeValidator, WithJsonSchema]:
    """A whole number; as text, too, which is how Grafana's own export writes it."""
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return BeforeValidator(_number(least, most)), WithJsonSchema(schema)


_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]
Secret = Annotated[
    str, BeforeValidator(_secret), WithJsonSchema({"type": "string", "pattern": f"^{VARIABLE.pattern}$"})
]
Address = Annotated[str, BeforeValidator(_address), WithJsonSchema({"type": "string", "minLength": 1})]
Addresses = Annotated[str, BeforeValidator(_separated(",", _address)), WithJsonSchema(_TEXTS)]
Mails = Annotated[str, BeforeValidator(_separated(";", _mail)), WithJsonSchema(_TEXTS)]
Texts = Annotated[str, BeforeValidator(_separated(",", _text)), WithJsonSchema(_TEXTS)]
