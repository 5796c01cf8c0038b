"""Globs and regular expressions of conditions, as PostgreSQL's engine reads them.

Conditions are written for Rust's regex (exporter/mapping/patterns.py). What means the same in PostgreSQL is put in its
words, what does not is refused: https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from exporter.mapping.patterns import check_glob, check_regex, glob_regex

# PostgreSQL counts no further (DUPMAX).
_MOST_REPEATS = 255
_FLAGS = re.compile(r"\(\?([a-z]+)\)")
_GROUP = re.compile(r"\((?:\?:|\?P?<\w+>)?")
_REPEAT = re.compile(r"(?:[*+?]|\{(\d+)(,?)(\d*)\})\??")
_POSIX = re.compile(r"\[:(\^?)([a-z]+):\]")
_CODE = re.compile(r"\\(?:x\{([0-9a-fA-F]{1,8})\}|u\{([0-9a-fA-F]{1,8})\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_CLASSES = {name: f"\\{name}" for name in "dwDW"}
# Unicode's White_Space, as in Rust; PostgreSQL's own \s knows fewer.
_SPACES = "\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
_ANCHORS = {"A": "\\A", "z": "\\Z", "b": "\\y", "B": "\\Y"}
# In Rust these are ASCII's, in PostgreSQL the locale's.
_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": "\\t ",
    "digit": "0-9",
    "lower": "a-z",
    "space": "\\t-\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


def postgres_glob(glob: str) -> str:
    """The glob as an anchored regular expression of PostgreSQL. Raises ValueError for what is none."""
    _without_nul(check_glob(glob))
    # PostgreSQL has no (?s:...), and needs none: its `.` matches line breaks too.
    return "^(?:" + glob_regex(glob).removeprefix("^(?s:")


def postgres_regex(pattern: str) -> str:
    """The pattern in PostgreSQL's syntax; it finds the same texts, but for \\d and \\w beyond ASCII.

    Those two ask the database's locale. Raises ValueError with a remedy where the pattern is none, or where PostgreSQL
    can't run it: flags that are not in front, classes of Unicode (\\p), set operations, a repeated repetition.
    """
    _without_nul(check_regex(pattern))
    flags = _FLAGS.match(pattern)
    given = set(flags[1]) if flags else set()
    if given - {"i", "s"}:
        raise _unknown(pattern, flags[0] if flags else "", "only (?i), (?s) and (?is) work on stored events")
    body = _Body(pattern, flags.end() if flags else 0, dot="." if "s" in given else "[^\\n]")
    return ("(?i)" if "i" in given else "") + "".join(body.pieces())


class _Body:
    """Reads a pattern that Rust's regex accepts, from left to right."""

    def __init__(self, pattern: str, start: int, *, dot: str) -> None:
        self._pattern = pattern
        self._at = start
        self._dot = dot

    def pieces(self) -> Iterator[str]:
        repeatable = False
        while self._at < len(self._pattern):
            repeat = _REPEAT.match(self._pattern, self._at)
            if repeat:
                if not repeatable:
                    raise _unknown(self._pattern, repeat[0], "put what it repeats into (?:...)")
                yield self._repeat(repeat)
                repeatable = False
            else:
                piece = self._piece()
                repeatable = piece not in {"^", "$", "|", "(", "(?:", *_ANCHORS.values()}
                yield piece

    def _repeat(self, found: re.Match[str]) -> str:
        self._at = found.end()
        if max(int(found[1] or 0), int(found[3] or 0)) > _MOST_REPEATS:
            raise _unknown(self._pattern, found[0], f"PostgreSQL counts to {_MOST_REPEATS}; write fewer, or + or *")
        return found[0]

    def _piece(self) -> str:
        character = self._pattern[self._at]
        if character == "[":
            return self._set()
        if character == "(":
            return self._group()
        if character == "\\":
            return self._escape(within_set=False)
        self._at += 1
        if character == ".":
            return self._dot
        return character if character in "^$|)" else _literal(character)

    def _group(self) -> str:
        found = _GROUP.match(self._pattern, self._at)
        assert found is not None
        if found[0] == "(" and self._pattern.startswith("?", found.end()):
            raise _unknown(self._pattern, self._pattern[self._at : self._at + 5], "write flags once, in front of all")
        self._at = found.end()
        return "(?:"

    def _escape(self, *, within_set: bool) -> str:
        coded = _CODE.match(self._pattern, self._at)
        if coded:
            self._at = coded.end()
            code = int(next(filter(None, coded.groups())), 16)
            if not code:
                raise _unknown(self._pattern, coded[0], "PostgreSQL has no text with a NUL character; leave it out")
            return _literal(chr(code))
        name = self._pattern[self._at + 1]
        self._at += 2
        if name in "sS":
            return f"[{'^' if name == 'S' else ''}{_SPACES}]" if not within_set else self._spaces_of_set(name)
        if name in _CONTROLS:
            return _literal(_CONTROLS[name])
        if name in _CLASSES and not (within_set and name.isupper()):
            return _CLASSES[name]
        if name in _ANCHORS and not within_set:
            return _ANCHORS[name]
        if name.isascii() and name.isalnum():
            raise _unknown(self._pattern, f"\\{name}", "PostgreSQL has nothing like it; name the characters: [...]")
        return _literal(name)

    def _spaces_of_set(self, name: str) -> str:
        if name == "S":
            raise _unknown(self._pattern, "\\S", "PostgreSQL has nothing like it within [...]; write [^...] or (?:a|b)")
        return _SPACES

    def _set(self) -> str:
        negated = self._pattern.startswith("[^", self._at)
        self._at += 2 if negated else 1
        members: list[str] = []
        while self._pattern[self._at] != "]" or not members:
            members.append(self._member())
        self._at += 1
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _member(self) -> str:
        first = self._single()
        if self._pattern[self._at] != "-" or self._pattern[self._at + 1] in "-]":
            return first
        self._at += 1
        return f"{first}-{self._single()}"

    def _single(self) -> str:
        pattern, at = self._pattern, self._at
        if pattern[at] == "[":
            found = _POSIX.match(pattern, at)
            if not found or found[1] or found[2] not in _POSIX_CLASSES:
                raise _unknown(pattern, pattern[at : at + 9], "PostgreSQL has no sets within sets; write \\[ for a [")
            self._at = found.end()
            return _POSIX_CLASSES[found[2]]
        if pattern[at : at + 2] in {"&&", "--", "~~"}:
            raise _unknown(pattern, pattern[at : at + 2], "PostgreSQL has no operations on sets; name the characters")
        if pattern[at] == "\\":
            return self._escape(within_set=True)
        self._at += 1
        return _literal(pattern[at])


def _literal(character: str) -> str:
    if character.isalnum() or ord(character) > 0x7F:
        return character
    return f"\\u{ord(character):04x}" if not character.isprintable() else f"\\{character}"


def _without_nul(pattern: str) -> None:
    if "\0" in pattern:
        raise ValueError(f"{pattern!r}: PostgreSQL has no text with a NUL character; leave it out")


def _unknown(pattern: str, part: str, remedy: str) -> ValueError:
    return ValueError(f"{pattern!r}: {part!r} can't be searched for in stored events: {remedy}")
