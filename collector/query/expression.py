"""The expression language of the command line: conditions of rules in one line.

    action=user.login outcome!=success actor~"al*" severity>=error (country=DE or country=FR) not service=billing

Comparisons that stand side by side all have to hold; `or`, `not` and parentheses do what they say. Its grammar, with
white space between any two parts where it does not change them:

    any        := all ("or" all)*
    all        := one (["and"] one)*
    one        := "not" one | "(" any ")" | field [operator value ("," value)*]
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from rich.cells import cell_len

from collector.printable import printable
from collector.query import fields
from collector.query.fields import FieldError, Value, ValueProblem
from collector.query.moments import parse_moment
from exporter.errors import ConfigError
from exporter.mapping.conditions import MAX_DEPTH
from exporter.store.conditions import EventMatch

_LONGEST = 10_000
# Characters of the text before and behind the place of an error, so that the mark stands below it on any terminal.
_SHOWN = 30
_SPACE = re.compile(r"\s*")
_KEYWORD = re.compile(r"(and|or|not)(?=[\s()]|$)", re.IGNORECASE)
_FIELD = re.compile(r"[^\s()=!~<>,\"'.]+(?:\.(?:\"[^\"]*\"|'[^']*'|[^\s()=!~<>,\"']+))?")
_OPERATOR = re.compile(r"!=~|=~|!=|!~|>=|<=|=|~|>|<")
_WORD = re.compile(r"[^\s(),\"']+")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_QUOTES = ('"', "'")
_PLAIN_WORDS = re.compile(r"\w+( \w+)+")
# Written where a comparison is expected, these are meant for something else.
_OPTIONS = {"since": "--since 2h", "until": "--until yesterday", "limit": "--limit 100", "text": "--text WORDS"}
_ELSEWHERE = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not"}
# No value begins so, but what other languages compare by does: == would quietly be true of nothing.
_EXACT = frozenset({"=", "!=", ">=", "<=", ">", "<"})
_OPERATOR_LIKE = re.compile(r"[=<>~!]+")


class ExpressionError(ConfigError):
    """An expression can't be read. The message has the text with a mark below the place."""

    def __init__(self, reason: str, text: str, start: int, end: int) -> None:
        self.column = start + 1
        before, marked, after = (printable(part) for part in (text[:start], text[start:end], text[end:]))
        if len(before) > _SHOWN:
            before = f"…{before[-_SHOWN:]}"
        if len(after) > _SHOWN:
            after = f"{after[:_SHOWN]}…"
        super().__init__(
            f"the expression can't be read at column {self.column}: {printable(reason)}\n"
            f"  {before}{marked}{after}\n"
            f"  {' ' * cell_len(before)}{'^' * max(cell_len(marked), 1)}"
        )


def parse_expression(text: str, *, zone: tzinfo | None = None, now: datetime | None = None) -> EventMatch | None:
    """The conditions that the text means; None for an empty one, which holds for every event.

    Times among its values are read in `zone` (None: this machine's), seen from `now`. Raises ExpressionError.
    """
    return _Parser(text, zone, now or datetime.now(UTC)).parse()


class _Parser:
    def __init__(self, text: str, zone: tzinfo | None, now: datetime) -> None:
        self._text = text
        self._moment: Callable[[str], datetime] = lambda written: parse_moment(written, zone, now)
        self._at = 0
        self._depth = 0

    def parse(self) -> EventMatch | None:
        if len(self._text) > _LONGEST:
            raise self._error(f"longer than {_LONGEST} characters; use rules of a file for so many", _LONGEST)
        if "\0" in self._text:
            at = self._text.index("\0")
            raise self._error("PostgreSQL has no text with a NUL character; leave it out", at, at + 1)
        if not self._peek():
            return None
        found = self._any()
        if self._peek():
            raise self._error("there is no ( for this ); remove it", self._at, self._at + 1)
        return found

    def _any(self) -> EventMatch:
        matches = [self._all()]
        while self._keyword("or"):
            matches.append(self._all())
        return matches[0] if len(matches) == 1 else EventMatch.model_validate({"any": matches})

    def _all(self) -> EventMatch:
        matches = [self._one()]
        while self._keyword("and") or not (self._peek() in {"", ")"} or self._is_next("or")):
            matches.append(self._one())
        return matches[0] if len(matches) == 1 else EventMatch.model_validate({"all": matches})

    def _one(self) -> EventMatch:
        start = self._start()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"nested deeper than {MAX_DEPTH} levels; write it flatter", start, start + 1)
        try:
            if self._keyword("not"):
                return EventMatch.model_validate({"not": self._one()})
            if self._peek() == "(":
                return self._group()
            return self._comparison()
        finally:
            self._depth -= 1

    def _group(self) -> EventMatch:
        opened = self._at
        self._at += 1
        found = self._any()
        if self._peek() != ")":
            raise self._error("this ( is never closed; add a )", opened, opened + 1)
        self._at += 1
        return found

    def _comparison(self) -> EventMatch:
        start = self._start()
        name = self._field(start)
        end = self._at
        self._start()
        operator = _OPERATOR.match(self._text, self._at)
        if not operator:
            self._at = end
            return self._checked(lambda: fields.exists(name), (start, end), [])
        self._at = operator.end()
        values, places = self._values(name, operator[0])
        at = (operator.start(), operator.end())
        return self._checked(lambda: fields.compared(name, operator[0], values, self._moment), at, places)

    def _field(self, start: int) -> str:
        if not self._peek():
            raise self._error("something is missing here, e.g. action=user.login", start)
        found = None if _KEYWORD.match(self._text, start) else _FIELD.match(self._text, start)
        if not found:
            part = _WORD.match(self._text, start)
            end = part.end() if part else start + 1
            raise self._error("a field is expected here, e.g. action=user.login or (outcome=failure)", start, end)
        self._at = found.end()
        document, dot, key = found[0].partition(".")
        name = f"{document}{dot}{key[1:-1] if key.startswith(_QUOTES) else key}"
        try:
            fields.check_field(name)
        except FieldError as failure:
            raise self._error(self._why_not(name, failure), start, found.end()) from None
        return name

    def _why_not(self, name: str, failure: FieldError) -> str:
        field, colon, value = name.partition(":")
        if name.lower() in _OPTIONS:
            return f"{name} is an option; write {_OPTIONS[name.lower()]}"
        if name in _ELSEWHERE:
            return f"{name} is no word of this language; write {_ELSEWHERE[name]}"
        if name.lower() == "in":
            return "there is no in; write country=DE,FR for one of several values"
        if colon and field in fields.FIELDS:
            return f"a field and its value stand around =; write {field}={value or '...'}"
        if _OPERATOR.match(self._text, self._start()):
            return str(failure)
        words = self._text if _PLAIN_WORDS.fullmatch(self._text) else name
        return (
            f"{failure}; to search for {'the words' if ' ' in words else 'the word'} write --text {shlex.quote(words)}"
        )

    def _values(self, name: str, operator: str) -> tuple[list[Value], list[tuple[int, int]]]:
        values, places = [], []
        while True:
            start = self._start()
            value = self._value(name, operator)
            values.append(value)
            places.append((start, self._at))
            if not self._text.startswith(",", self._start()):
                self._at = places[-1][1]
                return values, places
            self._at += 1

    def _value(self, name: str, operator: str) -> Value:
        start = self._at
        quoted = _QUOTED.match(self._text, start)
        if quoted:
            self._at = quoted.end()
            mark = quoted[0][0]
            # Nothing else is unescaped: patterns have backslashes of their own.
            return Value(quoted[0][1:-1].replace(f"\\{mark}", mark), quoted=True)
        if self._text.startswith(_QUOTES, start):
            raise self._error(f"this {self._text[start]} is never closed; add another", start, start + 1)
        word = _WORD.match(self._text, start)
        if not word:
            example = f"{name}{operator}..., or put it in quotes"
            raise self._error(f"a value is missing after {operator}; write {example}", start)
        sign = _OPERATOR_LIKE.match(word[0])
        if sign and (operator in _EXACT or sign[0].startswith("=")):
            reason = (
                f"{operator}{sign[0]} compares nothing; use {' '.join(fields.OPERATORS)}, or put the value in quotes"
            )
            raise self._error(reason, start, start + sign.end())
        self._at = word.end()
        return Value(word[0], quoted=False)

    def _checked(
        self, make: Callable[[], EventMatch], at: tuple[int, int], values: list[tuple[int, int]]
    ) -> EventMatch:
        try:
            return make()
        except FieldError as failure:
            raise self._error(str(failure), *at) from None
        except ValueProblem as failure:
            raise self._error(str(failure), *values[failure.index]) from None

    def _start(self) -> int:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._at

    def _peek(self) -> str:
        return self._text[self._start() : self._at + 1]

    def _is_next(self, keyword: str) -> bool:
        found = _KEYWORD.match(self._text, self._start())
        return found is not None and found[1].lower() == keyword

    def _keyword(self, keyword: str) -> bool:
        if not self._is_next(keyword):
            return False
        self._at += len(keyword)
        return True

    def _error(self, reason: str, start: int, end: int | None = None) -> ExpressionError:
        return ExpressionError(reason, self._text, start, start if end is None else end)
