"""Secrets that a parsed text still has: what its attribute may not show, its source may not either."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson

from exporter.otlp.decode import Records
from exporter.redaction.actions import REPLACEMENT

# Shorter values are in any text by chance; and who can guess them needs no log.
_SHORTEST = 4


def without_parsed_secrets(before: Records, after: Records) -> Records:
    """The redacted records (`after`), whose parsed bodies have nothing that redaction changed in their attributes."""
    if after is before or after.parsed is None or "redacted" not in after.flags:
        return after
    body = after.columns["body"]
    rows = np.flatnonzero(after.flags["redacted"] & (after.parsed.is_not_null() & body.is_not_null()).to_numpy())
    texts: dict[int, str] = {}
    offsets = before.attributes.offsets
    for row in rows.tolist():
        start, end = int(offsets[row]), int(offsets[row + 1])
        known = before.attributes.text.slice(start, end - start).to_list()
        shown = after.attributes.text.slice(start, end - start).to_list()
        hidden = {old for old, new in zip(known, shown, strict=True) if old != new and old and len(old) >= _SHORTEST}
        text = original = body[row]
        for secret in sorted(hidden, key=len, reverse=True):
            text = text.replace(secret, REPLACEMENT)
        if text != original:
            texts[row] = text
    if not texts:
        return after
    columns = after.columns.with_columns(
        body=body.clone().scatter(list(texts), list(texts.values())),
        body_json=after.columns["body_json"].clone().scatter(
            list(texts), [orjson.dumps(text).decode() for text in texts.values()]
        ),
    )  # fmt: skip
    return replace(after, columns=columns)
