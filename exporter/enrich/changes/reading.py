"""Text to changes, by the name of its form or by its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import orjson

from exporter.enrich.changes import fields, lists, patch
from exporter.enrich.changes.document import Changes, collect
from exporter.enrich.changes.values import Secret, never
from exporter.otlp.jsonb import dumps

Form = Literal[
    "auditgraf",
    "documents",
    "authentik",
    "fields",
    "pairs",
    "ecs",
    "created",
    "deleted",
    "json_patch",
    "django_admin",
    "list",
]
# Reads a document into changes; False where it hasn't this form. The last argument: the form was asked for by name.
_Reader = Callable[[Any, Changes, bool], bool]

_READERS: dict[Form, _Reader] = {
    "auditgraf": fields.auditgraf,
    "documents": fields.documents,
    "authentik": fields.authentik,
    "fields": fields.fields,
    "pairs": fields.pairs,
    "ecs": fields.ecs,
    "created": fields.created,
    "deleted": fields.deleted,
    "json_patch": patch.json_patch,
    "django_admin": lists.django_admin,
    "list": lists.items,
}
# The first that fits is it, so what could be taken for something else comes last.
_BY_SHAPE: tuple[_Reader, ...] = (
    fields.auditgraf,
    fields.both_documents,
    fields.authentik,
    fields.fields,
    fields.pairs,
    fields.ecs,
    fields.documents,
    patch.json_patch,
    lists.django_admin,
    lists.items,
)


@dataclass(frozen=True, slots=True)
class Read:
    """A document of changes in the stored form."""

    document: dict[str, Any]  # {} where nothing changed
    had_nul: bool  # a U+0000, which jsonb can't hold, was replaced
    json: str  # the document as it is stored
    complete: bool  # False: the sender's text says more than the changes do


class _OtherFormError(Exception):
    """The document hasn't the form of this reader."""


def read(text: str, form: Form | None = None, *, secret: Secret = never) -> Read | None:
    """The changes that a JSON text tells of; without a form, one is recognised by its shape.

    None where the text is no such document, or can't be stored. Where `secret` holds for the path or the name of a
    field, or of a member anywhere in a value, its values are not in the result.
    """
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    for reader in _BY_SHAPE if form is None else (_READERS[form],):
        try:
            changes = collect(partial(_fill, reader, data, form is not None), secret)
        except _OtherFormError:
            continue
        return _stored(changes)
    return None


def parse(text: str) -> tuple[str, bool] | None:
    """The JSON as it is stored and whether a U+0000 was replaced in it; None where the text has not the stored form.

    Half of a pair may be missing: {"after": y} alone is a field that was not there before.
    """
    found = read(text, "auditgraf")
    return None if found is None else (found.json, found.had_nul)


def only_what_is_shown(found: Read, shown: str | None, *, secret: Secret = never) -> Read:
    """Changes of which another text, the sender's without its secrets, tells less: what differs is only said to be so.

    Comparing the redacted states alone would not find that a secret changed.
    """
    other = None if shown is None else read(shown, secret=secret)
    known = {} if other is None else other.document
    document = {
        name: change if known.get(name) == change else {"changed": True} for name, change in found.document.items()
    }
    return Read(document, found.had_nul, dumps(document)[0], found.complete)


def from_pairs(pairs: Mapping[str, tuple[str | None, str | None]], *, secret: Secret = never) -> Read | None:
    """The changes of attributes `<field>.before` and `<field>.after`: each field with its two values' JSON.

    None stands for an attribute that isn't there; text that is no JSON stands for itself. The result is None where a
    value can't be stored.
    """
    values = [((field,), fields.loaded(before), fields.loaded(after)) for field, (before, after) in pairs.items()]

    def fill(changes: Changes) -> None:
        for path, before, after in values:
            changes.pair(path, before, after)

    return _stored(collect(fill, secret))


def _fill(reader: _Reader, data: Any, named: bool, changes: Changes) -> None:
    if not reader(data, changes, named):
        raise _OtherFormError


def _stored(changes: Changes) -> Read | None:
    document = changes.finished()
    try:
        json, had_nul = dumps(document)
    except orjson.JSONEncodeError:  # reads 1024 levels, but writes 254
        return None
    return Read(orjson.loads(json) if had_nul else document, had_nul, json, not changes.incomplete)
