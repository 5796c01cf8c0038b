"""Redaction of decoded records: what Transform calls, and `explain` shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import orjson
import polars as pl

from exporter.otlp.decode import Attributes, Records, Source
from exporter.redaction.actions import Actions
from exporter.redaction.documents import quoted
from exporter.redaction.keys import Keys
from exporter.redaction.options import Redaction
from exporter.redaction.siblings import Hint, in_attributes
from exporter.redaction.texts import Item, Outcome, Texts, storable

# Distinct sources that are remembered; a service has few as long as it runs.
_REMEMBERED = 1024


# Columns with texts of the sender's, and the JSON form beside them.
_FIELDS = {"body": "body_json", "event_name": None, "severity_text": None}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was redacted. `where`: `body`, `attributes.db.password`; `reason`: `key *password`, `value jwt`."""

    record: int  # index in the group
    where: str
    reason: str
    count: int = 1


class Redactor:
    """Takes secrets out of records, sources and texts. For one thread at a time: it remembers names."""

    def __init__(self, options: Redaction, key: bytes | None) -> None:
        """Raises ConfigError where hashes or pseudonyms are asked for without a key."""
        self._enabled = options.enabled
        self._actions = Actions(options, key)
        self._keys = Keys(options)
        self._texts = Texts(options, self._actions, self._keys)
        self._sources: dict[bytes, Source] = {}

    def records(self, records: Records) -> tuple[Records, list[Finding]]:
        """The records without what is secret, flagged `redacted` where there was any; `raw` stays as it came."""
        if not self._enabled or not len(records):
            return records, []
        findings: list[Finding] = []
        attributes = self._attributes(records.attributes, findings)
        columns = self._fields(records.columns, findings)
        if not findings:
            return records, []
        redacted = np.zeros(len(records), bool)
        redacted[[finding.record for finding in findings]] = True
        findings.sort(key=lambda finding: finding.record)
        flags = {**records.flags, "redacted": redacted}
        return replace(records, attributes=attributes, columns=columns, flags=flags), findings

    def source(self, source: Source) -> Source:
        """A source without secrets in its resource's and its scope's attributes; it keeps its digest."""
        if not self._enabled:
            return source
        known = self._sources.get(source.digest)
        if known is None:
            if len(self._sources) >= _REMEMBERED:
                self._sources.clear()
            known = self._sources[source.digest] = self._redacted(source)
        return known

    def text(self, text: str) -> str:
        """Free text, such as an error's, without what is secret in it."""
        if not self._enabled or not text:
            return text
        item = Item(storable(text), "")
        if not len(self._texts.worth(pl.Series([item.text]))):
            return text
        [outcome] = self._texts.redact([item])
        return text if outcome is None else outcome.text

    def documents(self, texts: pl.Series) -> pl.Series:
        """JSON documents (String, null for none) without what is secret in them; JSON they stay."""
        if not self._enabled:
            return texts
        chosen = self._texts.worth(texts)
        items = [Item(text, "", document=True) for text in texts.gather(chosen).to_list()]
        outcomes = zip(chosen.tolist(), self._texts.redact(items), strict=True)
        changed = {index: outcome.text for index, outcome in outcomes if outcome is not None}
        return texts.clone().scatter(list(changed), list(changed.values())) if changed else texts

    def is_secret(self, key: str) -> bool:
        """Whether what this name (dotted, in a document) holds is secret because of it."""
        return self._enabled and self._keys.verdict(key) is not None

    def _attributes(self, attributes: Attributes, findings: list[Finding]) -> Attributes:
        secret = np.array([self._keys.verdict(key) is not None for key in attributes.keys], bool)
        chosen = self._texts.worth(attributes.text)
        if secret.any():
            chosen = np.union1d(chosen, np.flatnonzero(secret[attributes.key]))
        beside = in_attributes(attributes, self._keys)
        if beside:
            chosen = np.union1d(chosen, list(beside))
        if not len(chosen):
            return attributes
        paths = [attributes.keys[code] for code in attributes.key[chosen]]
        changes = self._changes(attributes.text, attributes.json, chosen, paths, beside)
        owners = np.searchsorted(attributes.offsets, list(changes), side="right") - 1
        for owner, outcome in zip(owners.tolist(), changes.values(), strict=True):
            findings += _findings(owner, outcome, "attributes.")
        text, json = _changed(attributes.text, attributes.json, changes)
        return replace(attributes, text=text, json=json)

    def _fields(self, columns: pl.DataFrame, findings: list[Finding]) -> pl.DataFrame:
        for name in self._texts.worth_in(columns.select(*_FIELDS)):
            texts, json = columns[name], _FIELDS[name]
            encoded = columns[json] if json else None
            chosen = self._texts.worth(texts)
            changes = self._changes(texts, encoded, chosen, [name] * len(chosen))
            if not changes:
                continue
            for row, outcome in changes.items():
                findings += _findings(row, outcome, "")
            text, encoded = _changed(texts, encoded if encoded is not None else texts, changes)
            columns = columns.with_columns(text.alias(name), *([encoded.alias(json)] if json else []))
        return columns

    def _changes(
        self,
        texts: pl.Series,
        json: pl.Series | None,
        chosen: np.ndarray,
        paths: list[str],
        beside: dict[int, Hint] | None = None,
    ) -> dict[int, Outcome]:
        """What the values of these indices become, of those that change."""
        values = texts.gather(chosen).to_list()
        forms = [""] * len(chosen) if json is None else json.gather(chosen).str.slice(0, 1).to_list()
        hints = [(beside or {}).get(row) for row in chosen.tolist()]
        items = [
            Item(value or "", path, form in ("{", "["), form not in ("", '"', "{", "["), hint)
            for value, form, path, hint in zip(values, forms, paths, hints, strict=True)
        ]
        outcomes = zip(chosen.tolist(), self._texts.redact(items), strict=True)
        return {index: outcome for index, outcome in outcomes if outcome is not None}

    def _redacted(self, source: Source) -> Source:
        resource, scope = self._document(source.resource), self._document(source.scope)
        return replace(source, resource=resource, scope=scope)

    def _document(self, value: dict[str, object]) -> dict[str, object]:
        text = orjson.dumps(value).decode()
        [outcome] = self._texts.redact([Item(text, "", document=True)])
        return value if outcome is None else cast("dict[str, object]", orjson.loads(outcome.text))


def _findings(record: int, outcome: Outcome, prefix: str) -> list[Finding]:
    return [Finding(record, prefix + where, reason, count) for (where, reason), count in outcome.found.items()]


def _changed(text: pl.Series, json: pl.Series, changes: dict[int, Outcome]) -> tuple[pl.Series, pl.Series]:
    """Copies of the two forms of values, with the changed ones in both."""
    rows = list(changes)
    texts = [outcome.text for outcome in changes.values()]
    forms = [outcome.text if outcome.document else quoted(outcome.text) for outcome in changes.values()]
    return text.clone().scatter(rows, texts), json.clone().scatter(rows, forms)
