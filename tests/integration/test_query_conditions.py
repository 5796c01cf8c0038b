"""The mapping's conditions in SQL: what holds for a record in the mapping holds for its event in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import ConfigError
from exporter.mapping.conditions import Match
from exporter.mapping.predicates import compile_match
from exporter.store.conditions import EventMatch, where
from exporter.store.patterns import postgres_glob, postgres_regex

_COLUMNS = (
    "action text, service text, message text, severity smallint, attributes jsonb, source_id int, actor_id text,"
    " client_ip inet, flags text[], changes jsonb, occurred_at timestamptz, asn bigint, id uuid"
)
_SOURCES: dict[int, dict[str, dict[str, Any]]] = {
    1: {"resource": {}, "scope": {"name": ""}},
    2: {"resource": {"k": "a", "n": 17}, "scope": {"name": "a"}},
    3: {"resource": {"k": "b", "n": "NaN"}, "scope": {"name": "b"}},
}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def connection(shared_database: str) -> Iterator[psycopg.Connection[Any]]:
    """As the owner, three sources stored; row_number tells them apart."""
    with psycopg.connect(shared_database, autocommit=True) as made:
        for number, source in _SOURCES.items():
            made.execute(
                "INSERT INTO audit.sources (digest, resource, resource_schema_url, scope, scope_schema_url)"
                " VALUES (%s, %s, '', %s, '')",
                (bytes([number]), json.dumps(source["resource"]), json.dumps(source["scope"])),
            )
        yield made


def in_postgres(connection: psycopg.Connection[Any], match: Match, rows: list[Row]) -> list[bool]:
    condition, parameters = where(match)
    statement = psycopg.sql.SQL(
        "SELECT ({}) IS TRUE FROM ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS ({})) WITH ORDINALITY"
        " ORDER BY ordinality"
    ).format(condition, psycopg.sql.SQL(_COLUMNS))
    parameters["rows"] = json.dumps(rows)
    return [row[0] for row in connection.execute(statement, parameters).fetchall()]


def in_polars(match: Match, rows: list[Row]) -> list[bool]:
    types = {column: pl.Int32 if column == "severity" else pl.String for column in match.columns()}
    read = {column: [_seen(row, column) for row in rows] for column in types}
    frame = pl.DataFrame(read | {"row": range(len(rows))}, schema=types | {"row": pl.Int32})
    return frame.with_columns(compile_match(match).alias("matched"))["matched"].to_list()


def _seen(row: Row, column: str) -> Any:
    source = _SOURCES[row["source_id"]]
    kind, _, key = column.partition(":")
    if kind in {"attr", "res"}:
        value = (row["attributes"] if kind == "attr" else source["resource"]).get(key)
        return value if value is None or isinstance(value, str) else json.dumps(value)
    if column == "scope":
        return source["scope"]["name"]
    return row[{"event_name": "action", "body": "message"}.get(column, column)]


words = st.sampled_from(["a", "b", "", "ab", "a\nb", "é", "%_", "1", "17", "1e3", "NaN", "inf", ".5", "1e400", "- 5"])
values = words | st.none() | st.sampled_from([1, 17, 1.5, True, False, 200, 1000, 0])
text_conditions = (
    st.sampled_from(["a", "b", "", 1, 17, 1.5, True])
    | st.fixed_dictionaries({"one_of": st.lists(st.sampled_from(["a", "", 200, False]), min_size=1)})
    | st.sampled_from([{"glob": glob} for glob in ("a*", "?", "[!a]*", "*%_", "*\n*", "é")])
    | st.sampled_from([{"regex": regex} for regex in ("a", "^a.b", "(?s)a.b", "[^b]$", r"^\S+$", "(?i)É|^$", r"\d{2}")])
    | st.sampled_from([{"exists": True}, {"exists": False}])
)
number_conditions = st.sampled_from([{"at_least": 1}, {"at_most": 17}, {"at_least": 0.5, "at_most": 1e3}, 200, 1.5])
keys = st.sampled_from(["k", "n"])
matches = st.recursive(
    st.sampled_from(["event", "service", "scope", "body"]).flatmap(
        lambda name: st.fixed_dictionaries({name: text_conditions})
    )
    | st.fixed_dictionaries({"severity": st.sampled_from([17, {"one_of": [0, 9]}, {"at_least": 1, "at_most": 8}])})
    | st.fixed_dictionaries({"attributes": st.dictionaries(keys, text_conditions | number_conditions, min_size=1)})
    | st.fixed_dictionaries({"resource": st.dictionaries(keys, text_conditions | number_conditions, min_size=1)}),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)
rows = st.fixed_dictionaries(
    {
        "action": words | st.none(),
        "service": words | st.none(),
        "message": words | st.none(),
        "severity": st.integers(0, 24),
        "source_id": st.sampled_from(sorted(_SOURCES)),
        "attributes": st.dictionaries(keys, values),
    }
)


@settings(deadline=None)
@given(matches, st.lists(rows, min_size=1, max_size=6))
def test_a_match_holds_for_the_same_events_in_polars_and_in_postgres(
    connection: psycopg.Connection[Any], tree: dict[str, Any], group: list[Row]
) -> None:
    match = Match.model_validate(tree)
    assert in_postgres(connection, match, group) == in_polars(match, group)


_ALPHABET = ["a", "b", "1", "-", "]", "[", "^", "\\", "\n", " ", ".", "_", "é", "\u00a0", "~", "&", "%", "'"]
_PIECES = (
    *"ab.^$(|)*+?é~&]}-_%",
    *("[ab]", "[^a]", "[a-b1]", "[]a]", "[^]]", "[a-]", "[-a]", r"[\]\-]", r"[\[-a]", "[a-b-1]", r"[^\s]", r"[\s\d]"),
    *(r"\d", r"\w", r"\s", r"\S", r"\D", r"\W", r"\b", r"\B", r"\A", r"\z", r"\.", r"\\", r"\n", r"\x61", r"\u{e9}"),
    *("(?:", "(?P<n>", "*?", "{2}", "{1,2}", "[[:alpha:]]", "[[:^digit:]]", r"\pL", "[a&&b]", "{300}", "(?m)"),
)
patterns = st.builds(
    lambda flags, pieces: flags + "".join(pieces),
    st.sampled_from(["", "", "(?i)", "(?s)", "(?is)"]),
    st.lists(st.sampled_from(_PIECES), min_size=1, max_size=7),
)
subjects = st.lists(st.text(st.sampled_from(_ALPHABET), max_size=6), min_size=1, max_size=8)


_GLOB_PIECES = [*_ALPHABET, "*", "?", "[!a]", "[a-b]", "[]]", "[^]", "[[]", "[!]-]", r"[\]", "[a-]"]


def found(connection: psycopg.Connection[Any], pattern: str, texts: list[str]) -> list[bool]:
    statement = "SELECT t ~ %s FROM unnest(%s::text[]) WITH ORDINALITY AS u (t, position) ORDER BY position"
    return [row[0] for row in connection.execute(statement, (pattern, texts)).fetchall()]


@settings(deadline=None, max_examples=300)
@given(patterns, subjects)
def test_a_regex_finds_the_same_texts_in_both_engines_or_is_refused(
    connection: psycopg.Connection[Any], pattern: str, texts: list[str]
) -> None:
    try:
        translated = postgres_regex(pattern)
    except ValueError as failure:
        assert repr(pattern) in str(failure)
        return
    assert found(connection, translated, texts) == pl.Series(texts).str.contains(pattern).to_list()


@settings(deadline=None)
@given(st.lists(st.sampled_from(_GLOB_PIECES), min_size=1, max_size=6).map("".join), subjects)
def test_a_glob_covers_the_same_texts_in_both_engines(
    connection: psycopg.Connection[Any], glob: str, texts: list[str]
) -> None:
    try:
        translated = postgres_glob(glob)
    except ValueError:
        return
    match = Match.model_validate({"body": {"glob": glob}})
    frame = pl.DataFrame({"body": texts}).select(compile_match(match))
    assert found(connection, translated, texts) == frame.to_series().to_list()


EVENT: Row = {
    "action": "user.login",
    "severity": 9,
    "source_id": 1,
    "actor_id": "007",
    "client_ip": "10.1.2.3",
    "flags": ["bad_ip", "clock_skew"],
    "changes": {"role": {"before": "user", "after": "admin"}},
    "occurred_at": "2026-11-01T10:00:00Z",
    "asn": 64512,
    "id": "019aaaaa-0000-7000-8000-000000000000",
    "attributes": {"context": {"user": {"name": "al", "age": 41}, "list": [{"id": "x"}]}, "a.b": {"c": "d"}},
}


@pytest.mark.parametrize(
    "tree",
    [
        {"actor_id": "007"},
        {"action": {"glob": "user.*"}, "severity": {"at_least": 9, "at_most": 9}},
        {"client_ip": "10.0.0.0/8"},
        {"client_ip": {"one_of": ["2001:db8::/32", "10.1.2.3"]}},
        {"client_ip": {"glob": "10.*"}},
        {"client_ip": {"exists": True}},
        {"flags": "clock_skew"},
        {"flags": {"exists": True, "regex": "^bad_"}},
        {"changes": {"glob": '*"admin"*'}},
        {"occurred_at": {"at_least": "2026-11-01T11:00:00+01:00", "at_most": "2026-11-01T10:00:00Z"}},
        {"occurred_at": "2026-11-01T10:00:00Z"},
        {"asn": {"one_of": [1, 64512]}},
        {"asn": {"at_least": 64511.5, "at_most": 64512.5}},
        {"id": "019aaaaa000070008000000000000000"},
        {"attributes": {"context.user.name": "al"}},
        {"attributes": {"context.user.age": {"at_least": 41}}},
        {"attributes": {"context.list[0].id": "x"}},
        {"attributes": {"context.list[-1].id": {"exists": True}}},
        {"attributes": {"a.b.c": "d"}},
        {"any": [{"actor_id": "008"}, {"all": [{"event": "user.login"}, {"body": {"exists": False}}]}]},
    ],
    ids=json.dumps,
)
def test_every_column_has_conditions_and_not_is_their_opposite(
    connection: psycopg.Connection[Any], tree: dict[str, Any]
) -> None:
    assert in_postgres(connection, EventMatch.model_validate(tree), [EVENT]) == [True]
    assert in_postgres(connection, EventMatch.model_validate({"not": tree}), [EVENT]) == [False]


@pytest.mark.parametrize(
    "tree",
    [
        {"actor_id": "008"},
        {"client_ip": "11.0.0.0/8"},
        {"flags": {"exists": False}},
        {"flags": "bad"},
        {"message": "x"},
        {"message": {"exists": True}},
        {"asn": {"exists": False}},
        {"attributes": {"context.user": {"exists": False}}},
        {"attributes": {"context.list[1].id": {"exists": True}}},
        {"attributes": {"context.user.name": {"at_least": 0}}},
    ],
    ids=json.dumps,
)
def test_what_an_event_is_not_or_lacks_does_not_match(
    connection: psycopg.Connection[Any], tree: dict[str, Any]
) -> None:
    assert in_postgres(connection, EventMatch.model_validate(tree), [EVENT]) == [False]
    assert in_postgres(connection, EventMatch.model_validate({"not": tree}), [EVENT]) == [True]


def test_values_never_become_part_of_the_statement() -> None:
    hostile = "'; DROP TABLE x; --"
    tree = {"action": hostile, "attributes": {hostile: {"one_of": [hostile]}}, "flags": {"glob": "';*"}}
    condition, parameters = where(EventMatch.model_validate(tree))
    assert "DROP" not in condition.as_string()
    assert hostile in parameters.values()


def test_two_conditions_with_their_own_prefixes_share_no_parameter() -> None:
    match = EventMatch.model_validate({"action": "a"})
    assert not where(match, prefix="left")[1].keys() & where(match, prefix="right")[1].keys()


@pytest.mark.parametrize(
    ("tree", "place", "remedy"),
    [
        ({"not": {"message": {"regex": r"\pL"}}}, "not.message", "name the characters"),
        ({"any": [{"action": {"regex": "(?m)^a"}}]}, "any.0.action", "only (?i), (?s) and (?is)"),
        ({"message": {"glob": "a\0b"}}, "message", "leave it out"),
        ({"attributes": {"list[id=x].name": "y"}}, "attributes.list[id=x].name", "by its number"),
        ({"parsed": "json"}, "parsed", "remove it"),
    ],
)
def test_what_postgres_cannot_be_asked_for_is_refused_with_its_place(
    tree: dict[str, Any], place: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        where(EventMatch.model_validate(tree))
    assert str(refused.value).startswith(f"{place}: ")
    assert remedy in str(refused.value)
