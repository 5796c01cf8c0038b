"""Globs and expressions as the engine takes them."""

from __future__ import annotations

import polars as pl

from exporter.mapping.patterns import escape_regex


def test_a_text_is_escaped_as_the_engine_itself_does_it() -> None:
    every = "".join(chr(code) for code in range(0x11_0000) if not 0xD800 <= code <= 0xDFFF)
    assert escape_regex(every) == pl.escape_regex(every)
