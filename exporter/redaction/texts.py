"""Secrets in texts, many at a time, and in the documents that texts may be: the engine below Redactor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from exporter.otlp.jsonb import NUL_REPLACEMENT
from exporter.redaction import pseudonyms
from exporter.redaction.actions import Actions
from exporter.redaction.detectors import CLOSER, QUICK
from exporter.redaction.documents import Document, looks_like_document, parse
from exporter.redaction.keys import Keys, Verdict
from exporter.redaction.options import Redaction
from exporter.redaction.searches import Found, searches
from exporter.redaction.siblings import Hint, in_document
from exporter.redaction.skim import skim

_CARD_DIGITS = 13  # the shortest number that may be a card's
# Documents within strings of documents: CloudTrail has one, kubectl's annotations another.
_DEEPEST = 4
_KUBERNETES = r'"kind\\*"[ \t\r\n]*:[ \t\r\n]*\\*"Secret(?:List)?\\*"'


@dataclass(frozen=True, slots=True)
class Item:
    """A text and the dotted name that it is the value of."""

    text: str
    path: str
    document: bool = False  # it is JSON, an object or array, and has to stay that
    number: bool = False  # it is a number, true or false, written as text
    beside: Hint | None = None  # what an attribute beside it says about it

    @property
    def hidden(self) -> Verdict | None:
        """What becomes of all of it because of what stands beside it."""
        return self.beside.verdict if self.beside and not self.beside.inner else None

    @property
    def kubernetes(self) -> Verdict | None:
        """What becomes of the data in it: it is a Secret of Kubernetes."""
        return self.beside.verdict if self.beside and self.beside.inner else None


@dataclass(slots=True)
class Outcome:
    """What became of an Item: its text, and (where, reason) with how often."""

    text: str
    document: bool = False  # the text is JSON, as the item's was
    found: Found = field(default_factory=Counter)


class Texts:
    """Redacts texts as the options say."""

    def __init__(self, options: Redaction, actions: Actions, keys: Keys) -> None:
        self._actions, self._keys = actions, keys
        self._searches = list(searches(options, actions, keys))
        self._pseudonyms = pseudonyms.chosen(options, actions)
        # Two expressions: together they would have more states than Rust keeps.
        self._closer = (f"{keys.suspicious}|{_KUBERNETES}", CLOSER)
        self._own = [rule.value for rule in options.rules if rule.value is not None]
        self._own += [pseudonym.mark for pseudonym in self._pseudonyms]

    def worth(self, texts: pl.Series) -> np.ndarray:
        """The indices (int64) of texts that may have something to redact in them."""
        chosen = _having(texts, QUICK)
        if len(chosen):
            few = texts.gather(chosen)
            chosen = chosen[np.union1d(*(_having(few, mark) for mark in self._closer))]
        for mark in self._own:
            chosen = np.union1d(chosen, _having(texts, mark))
        return chosen

    def worth_in(self, columns: pl.DataFrame) -> list[str]:
        """The columns of texts that are worth a closer look, asked in one call."""
        marks = (QUICK, *self._own)
        asked = [
            pl.any_horizontal(pl.col(name).str.contains(mark).any() for mark in marks).alias(name)
            for name in columns.columns
        ]
        found = columns.select(asked).row(0, named=True)
        return [name for name, worth in found.items() if worth]

    def redact(self, items: Sequence[Item], depth: int = 0) -> list[Outcome | None]:
        """What became of each; None where nothing was secret."""
        outcomes: list[Outcome | None] = [None] * len(items)
        if not items:
            return outcomes
        plain: list[int] = []
        documents: list[tuple[int, Document]] = []
        skimmed = self._skimmed(items, depth)
        for index, item in enumerate(items):
            if index in skimmed:
                continue
            document = None
            if item.document:
                document = parse(item.text, item.path)
            verdict = (self._keys.verdict(item.path) or item.hidden) if document is None else None
            if verdict is not None:
                outcomes[index] = self._hidden(item, verdict)
                continue
            if document is None and depth < _DEEPEST and looks_like_document(item.text):
                document = parse(item.text, item.path)
            if document is None:
                plain.append(index)
            else:
                documents.append((index, document))
        self._redact_documents(items, documents, outcomes, depth)
        self._redact_plain(items, plain, outcomes)
        return outcomes

    def _skimmed(self, items: Sequence[Item], depth: int) -> set[int]:
        """The documents that have nothing secret in them."""
        texts: dict[int, str] = {}
        for index, item in enumerate(items):
            if item.beside is None and (item.document or (depth < _DEEPEST and looks_like_document(item.text))):
                text = skim(item.text, item.path, self._keys)
                if text is not None:
                    texts[index] = storable(text)
        indices = np.array(list(texts), np.int64)
        worth = self.worth(pl.Series(list(texts.values()), dtype=pl.String))
        return set(texts) - set(indices[worth].tolist())

    def _hidden(self, item: Item, verdict: Verdict) -> Outcome | None:
        text = item.text if verdict.counted and item.number else self._actions.apply(verdict, item.text)
        return None if text == item.text else Outcome(text, found=Counter({(item.path, verdict.reason): 1}))

    def _redact_documents(
        self,
        items: Sequence[Item],
        documents: list[tuple[int, Document]],
        outcomes: list[Outcome | None],
        depth: int,
    ) -> None:
        replaced: list[dict[int, str]] = []
        found: list[Found] = []
        inner: list[Item] = []
        places: list[tuple[int, int]] = []  # of the inner items: document, leaf
        for place, (index, document) in enumerate(documents):
            item = items[index]
            replaced.append({})
            found.append(Counter())
            beside = in_document(document, self._keys, item.kubernetes)
            for number, leaf in enumerate(document.leaves):
                verdict = self._keys.verdict(leaf.path) or item.hidden or (beside(leaf) if beside else None)
                value = document.value(leaf)
                if verdict is not None and not (verdict.counted and not leaf.string):
                    text = self._actions.apply(verdict, value)
                    if text != value:
                        replaced[place][number] = text
                        found[place][leaf.path, verdict.reason] += 1
                elif leaf.string or len(value) >= _CARD_DIGITS:
                    inner.append(Item(storable(value), leaf.path))
                    places.append((place, number))
        worth = self.worth(pl.Series([item.text for item in inner], dtype=pl.String)).tolist()
        for index, outcome in zip(worth, self.redact([inner[index] for index in worth], depth + 1), strict=True):
            if outcome is not None:
                place, number = places[index]
                replaced[place][number] = outcome.text
                found[place] += outcome.found
        for (index, document), values, reasons in zip(documents, replaced, found, strict=True):
            if values:
                outcomes[index] = Outcome(document.replaced(values), items[index].document, reasons)

    def _redact_plain(self, items: Sequence[Item], plain: list[int], outcomes: list[Outcome | None]) -> None:
        texts = [items[index].text for index in plain]
        paths = [items[index].path for index in plain]
        found: list[Found] = [Counter() for _ in plain]
        for search in self._searches:
            search.run(texts, paths, found)
        for pseudonym in self._pseudonyms:
            for place, text in enumerate(texts):
                texts[place], count = pseudonym.apply(text)
                if count:
                    found[place][paths[place], pseudonym.reason] += count
        for index, text, reasons in zip(plain, texts, found, strict=True):
            if reasons:
                outcomes[index] = Outcome(text, found=reasons)


def _having(texts: pl.Series, pattern: str) -> np.ndarray:
    """The indices (int64) of texts that match."""
    # In one call: for short columns, calls cost more than the search.
    found = texts.to_frame("text").select(pl.col("text").str.contains(pattern).arg_true())
    return found.to_series().to_numpy()


def storable(text: str) -> str:
    """A text as PostgreSQL and Polars take it: without U+0000 and halves of surrogate pairs."""
    return text.replace("\0", NUL_REPLACEMENT).encode("utf-8", "replace").decode()
