"""Rows of COPY as JSON Lines and columns: every value comes out as it went in."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from collector.query.question import COLUMNS
from collector.query.rows import HEADER, as_json_lines, as_table, open_csv, position

NUMBERS = {"occurred_ns", "observed_ns", "source_id", "severity", "latitude", "longitude", "asn"}
DOCUMENTS = {"changes", "attributes", "flags"}
MOMENT = "2026-11-01 10:00:00.5+00"


def copied(row: dict[str, Any]) -> bytes:
    """A row as PostgreSQL's COPY writes it: NULL is nothing, texts are quoted where CSV needs it or they are empty."""
    cells = []
    for name in COLUMNS:
        value = row[name]
        if value is None:
            cells.append("")
        elif name in NUMBERS:
            cells.append(str(value))
        else:
            needed = not value or any(character in value for character in ',"\r\n')
            cells.append('"' + value.replace('"', '""') + '"' if needed else value)
    return (",".join(cells) + "\n").encode()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
documents = st.dictionaries(texts, texts | st.integers() | st.none(), max_size=2).map(json.dumps)
flags = st.lists(st.sampled_from(["bad_ip", "clock_skew", 'a"b']), max_size=2).map(json.dumps)
fixed = {
    "id": st.uuids().map(str),
    "occurred_at": st.just(MOMENT),
    "received_at": st.just(MOMENT),
    "occurred_ns": st.integers(-(2**63), 2**63 - 1),
    "source_id": st.integers(1, 2**31 - 1),
    "severity": st.integers(0, 24),
    "changes": st.none() | documents,
    "attributes": documents,
    "flags": flags,
    "observed_ns": st.none() | st.integers(-(2**63), 2**63 - 1),
    "latitude": st.none() | st.floats(-90, 90),
    "longitude": st.none() | st.floats(-180, 180),
    "asn": st.none() | st.integers(0, 2**32 - 1),
}
rows = st.fixed_dictionaries({name: fixed.get(name, st.none() | texts) for name in COLUMNS})


@given(st.lists(rows, min_size=1, max_size=4))
def test_every_value_is_in_the_json_as_it_was(group: list[dict[str, Any]]) -> None:
    lines = as_json_lines(b"".join(map(copied, group))).split(b"\n")
    assert lines.pop() == b""
    for line, row in zip(lines, group, strict=True):
        read = orjson.loads(line)
        assert tuple(read) == COLUMNS
        expected = {name: json.loads(value) if name in DOCUMENTS and value else value for name, value in row.items()}
        assert read == expected | dict.fromkeys(("occurred_at", "received_at"), "2026-11-01T10:00:00.5+00:00")


@given(st.lists(rows, max_size=4))
def test_every_value_is_in_the_columns_as_it_was(group: list[dict[str, Any]]) -> None:
    stream = pa.BufferReader(HEADER + b"".join(map(copied, group)))
    read = [row for batch in open_csv(stream) for row in as_table(batch).to_pylist()]
    for found, row in zip(read, group, strict=True):
        assert found["occurred_at"].isoformat() == "2026-11-01T10:00:00.500000+00:00"
        assert found["flags"] == json.loads(row["flags"])
        assert all(found[name] == row[name] for name in set(COLUMNS) - {"occurred_at", "received_at", "flags"})


def test_numbers_in_documents_keep_their_digits() -> None:
    row = dict.fromkeys(COLUMNS) | {"id": "x", "occurred_at": MOMENT, "received_at": MOMENT, "flags": "[]"}
    row["attributes"] = '{"n": 123456789012345678901234567890, "f": 0.10}'
    assert b'"n": 123456789012345678901234567890, "f": 0.10' in as_json_lines(copied(row))


@given(rows)
def test_a_row_tells_its_position(row: dict[str, Any]) -> None:
    assert position(copied(row)) == (MOMENT, row["id"])
