"""Globs and regular expressions, for the engine that runs them: Rust's regex, inside Polars."""

from __future__ import annotations

import re

from exporter.mapping.section import kind

_ABSENT = "look-around and backreferences don't exist here (Rust's regex syntax)"
_SET = re.compile(r"\[(!?+)(\][^\]]*|[^\]]+)\]")  # a ] that comes first is a member, no end
_RANGE = re.compile(r"(.)-(.)|(.)", re.DOTALL)
_ESCAPES = str.maketrans({character: f"\\{character}" for character in r"\.+*?()|[]{}^$#&-~"})


def escape_regex(text: str) -> str:
    """An expression for the text itself, as polars.escape_regex makes it, without importing Polars."""
    return text.translate(_ESCAPES)


def glob_regex(glob: str) -> str:
    """The glob as an anchored regular expression: `*` any run, `?` one character, `[a-z]` and `[!a-z]` sets.

    As fnmatch.fnmatchcase, except that a set that is never closed, or a range that runs backwards, raises
    ValueError.
    """
    pieces, at = [], 0
    while at < len(glob):
        character = glob[at]
        at += 1
        if character == "*":
            pieces.append(".*")
        elif character == "?":
            pieces.append(".")
        elif character == "[":
            found = _SET.match(glob, at - 1)
            if not found:
                raise ValueError(f"{glob!r}: the [ is never closed; write [[] for the character itself")
            pieces.append(_set(glob, found[1], found[2]))
            at = found.end()
        else:
            pieces.append(escape_regex(character))
    return f"^(?s:{''.join(pieces)})$"


def _set(glob: str, negation: str, members: str) -> str:
    pieces = []
    for low, high, single in _RANGE.findall(members):
        if low > high:
            raise ValueError(f"{glob!r}: the range {low}-{high} runs backwards; write {high}-{low}")
        pieces.append(f"{escape_regex(low)}-{escape_regex(high)}" if low else escape_regex(single))
    return f"[{'^' if negation else ''}{''.join(pieces)}]"


def check_glob(glob: object) -> str:
    """The glob itself; raises ValueError where it is none."""
    if not isinstance(glob, str) or not glob:
        raise ValueError(f"must be a glob, e.g. 'billing-*', not {kind(glob) if glob != '' else 'empty'}")
    glob_regex(glob)
    return glob


def check_regex(pattern: object) -> str:
    """The pattern itself; raises ValueError with the engine's reason where it doesn't compile."""
    if not isinstance(pattern, str) or not pattern:
        raise ValueError(f"must be a regular expression, not {kind(pattern) if pattern != '' else 'empty'}")
    import polars as pl  # noqa: PLC0415 for who has a pattern to check: most configurations have none

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as failure:
        reason = _reason(str(failure))
        raise ValueError(f"{pattern!r} is no regular expression: {reason}; {_ABSENT}") from None
    return pattern


def _reason(message: str) -> str:
    # "regex error: regex parse error:\n <pattern>\n ^^^\nerror: <reason>\n\nThis error occurred in ..."
    lines = message.partition("\n\n")[0].splitlines()
    return lines[-1].removeprefix("error: ").removeprefix("regex error: ")
