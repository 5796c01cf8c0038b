"""Names of attributes and members, compared as people mean them: client_secret, clientSecret and Client-Secret are one.

A name is a path of segments (`http.request.header.authorization`), a segment is words (`api_key`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from exporter.mapping.patterns import check_glob, escape_regex, glob_regex

_SEPARATORS = re.compile(r"[./:\[\]#~]+")
_WORD_STARTS = re.compile(
    r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)
_JOINTS = re.compile(r"[-_\s]+")
_WILD = re.compile(r"[*?\[]")
# What is looked at of a path, from its end: senders choose names, also of a megabyte.
LONGEST_PATH = 1024


def segments(name: str) -> tuple[str, ...]:
    """The segments of a name, each as lower-case words joined by `_`."""
    return tuple(_words(part) for part in _SEPARATORS.split(name[-LONGEST_PATH:]) if part)


def squashed(segment: str) -> str:
    """A segment without what separates its words."""
    return segment.replace("_", "")


def _words(segment: str) -> str:
    return _JOINTS.sub("_", _WORD_STARTS.sub("_", segment)).strip("_").lower()


@dataclass(frozen=True, slots=True)
class Stem:
    """Words that follow each other in a name."""

    words: tuple[str, ...]
    inner: bool  # other letters may stand in front of them
    open: bool  # and behind

    def covers(self, other: Stem) -> bool:
        """Whether this is found wherever the other one is."""
        if self == other or not self.inner:
            return False
        mine, others = "_".join(self.words), "_".join(other.words)
        return mine in others if self.open else others.endswith(mine) and not other.open

    @property
    def regex(self) -> str:
        """A regular expression (Rust) for the words, however they are joined, in small letters."""
        return "[-_]?".join(escape_regex(word) for word in self.words)

    @property
    def capitals(self) -> str:
        """The same as it is written behind other words: userPin."""
        return "[-_]?".join(escape_regex(word.capitalize()) for word in self.words)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name or glob; with several segments it means the last ones of a path."""

    text: str
    parts: tuple[re.Pattern[str], ...]
    stem: Stem | None  # what every such name has in it; None: nothing in particular
    exact: str | None  # the squashed name where it is one segment without wildcards

    @classmethod
    def parse(cls, glob: object) -> Self:
        """Raises ValueError where it is no glob."""
        text = check_glob(glob)
        given = [part for part in _split(text) if part]
        if not given:
            raise ValueError(f"{text!r} has no letter or digit; write a name, e.g. password, or a glob, e.g. *_pin")
        wild = any(_WILD.search(part) for part in given)
        parts = [_words_of_glob(part) for part in given]
        regexes = tuple(re.compile(glob_regex(part)[1:-1]) for part in parts)
        exact = squashed(parts[0]) if len(parts) == 1 and not wild else None
        return cls(text, regexes, _stem(parts[-1]), exact)

    def matches(self, path: tuple[str, ...]) -> bool:
        """Whether the end of a path (see `segments`) is meant."""
        if len(path) < len(self.parts):
            return False
        if self.exact is not None and squashed(path[-1]) == self.exact:
            return True
        return all(part.fullmatch(segment) for part, segment in zip(self.parts, path[-len(self.parts) :], strict=True))


def _split(glob: str) -> list[str]:
    # A set may hold what separates segments.
    pieces = re.split(r"(\[!?\]?[^\]]*\])", glob)
    parts = [""]
    for index, piece in enumerate(pieces):
        if index % 2:
            parts[-1] += piece
            continue
        first, *others = re.split(r"[./:#~]+", piece)
        parts[-1] += first
        parts += others
    return parts


def _words_of_glob(glob: str) -> str:
    pieces = re.split(r"(\[!?\]?[^\]]*\]|[*?])", glob)
    words = [piece.lower() if index % 2 else _edges(piece) for index, piece in enumerate(pieces)]
    return "".join(words).strip("_") or glob


def _edges(literal: str) -> str:
    """As _words, but an underscore beside a wildcard stays."""
    return _JOINTS.sub("_", _WORD_STARTS.sub("_", literal)).lower()


def _stem(part: str) -> Stem | None:
    runs = re.split(r"(\[!?\]?[^\]]*\]|[*?])", part)
    longest = max(range(0, len(runs), 2), key=lambda index: len(runs[index].strip("_")))
    words = tuple(word for word in runs[longest].split("_") if word)
    inner = longest > 0 and not runs[longest].startswith("_")
    return Stem(words, inner, open=longest < len(runs) - 1) if words else None
