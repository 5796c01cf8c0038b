"""A quick look at a document: most of those that came so far have no secret, and need not be taken apart."""

from __future__ import annotations

import re

import orjson

from exporter.redaction import defaults
from exporter.redaction.detectors import FORMS
from exporter.redaction.keys import Keys
from exporter.redaction.names import segments
from exporter.redaction.siblings import hint, referring

_SPARING = [(re.compile(form.pattern), re.compile(form.spares)) for form in FORMS if form.spares]
_CARD_DIGITS = 10**12  # numbers below have fewer digits than any card's


def skim(text: str, path: str, keys: Keys) -> str | None:
    """All texts of the document, one below the other; None where a name in it is secret, or it is no whole JSON.

    `path` is the document's own.
    """
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    texts: list[str] = []
    waiting = [(path, tree)]
    while waiting:
        above, node = waiting.pop()
        if isinstance(node, dict):
            members = [(f"{above}.{name}" if above else name, name, value) for name, value in node.items()]
        elif isinstance(node, list):
            members = [(above, "", value) for value in node]
        else:
            members = [(above, "", node)]
        for below, name, value in members:
            if isinstance(value, dict | list):
                waiting.append((below, value))
            elif value is None or isinstance(value, bool):
                continue
            elif keys.verdict(below) is not None or (
                len(name) <= defaults.LONGEST_NAMING and _names(name, value, keys)
            ):
                return None
            elif isinstance(value, str):
                if not _spared(below, value):
                    texts.append(value)
            elif abs(value) >= _CARD_DIGITS:
                texts.append(str(value))
    return "\n".join(texts)


def _spared(path: str, value: str) -> bool:
    """Whether a value has a secret's form, but is none below this name."""
    for form, names in _SPARING:
        if form.fullmatch(value):
            parts = segments(path)
            return bool(parts and names.fullmatch(parts[-1]))
    return False


def _names(name: str, value: object, keys: Keys) -> bool:
    """Whether a member says that another one beside it is secret."""
    if not isinstance(value, str):
        return False
    return hint(name, value, keys) is not None or referring(name, value, keys) is not None
