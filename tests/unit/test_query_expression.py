"""The expression language: what it means, and where it says that something is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.expression import ExpressionError, parse_expression
from exporter.store.conditions import EventMatch, where

NOW = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)


def meant(text: str) -> Any:
    match = parse_expression(text, zone=UTC, now=NOW)
    return match and match.model_dump(by_alias=True, exclude_defaults=True)


def same(text: str, tree: dict[str, Any]) -> bool:
    return bool(meant(text) == EventMatch.model_validate(tree).model_dump(by_alias=True, exclude_defaults=True))


@pytest.mark.parametrize("text", ["", "  \n "])
def test_nothing_is_every_event(text: str) -> None:
    assert parse_expression(text) is None


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("action=user.login", {"action": "user.login"}),
        ("action = user.login", {"action": "user.login"}),
        ("action!=user.login", {"not": {"action": "user.login"}}),
        ("action~user.*", {"action": {"glob": "user.*"}}),
        ("action!~user.*", {"not": {"action": {"glob": "user.*"}}}),
        (r'action=~"^user\.(login|logout)$"', {"action": {"regex": r"^user\.(login|logout)$"}}),
        ("message!=~denied", {"not": {"message": {"regex": "denied"}}}),
        ("severity>=17", {"severity": {"at_least": 17}}),
        ("severity<=9", {"severity": {"at_most": 9}}),
        ("severity=error", {"severity": {"at_least": 17, "at_most": 20}}),
        ("severity>=WARN", {"severity": {"at_least": 13}}),
        ("severity<=info", {"severity": {"at_most": 12}}),
        ("asn>5", {"all": [{"asn": {"at_least": 5}}, {"not": {"asn": {"at_most": 5}}}]}),
        ("asn<5", {"all": [{"asn": {"at_most": 5}}, {"not": {"asn": {"at_least": 5}}}]}),
        ("severity<error", {"all": [{"severity": {"at_most": 20}}, {"not": {"severity": {"at_least": 17}}}]}),
        ("country=DE,FR", {"any": [{"country": "DE"}, {"country": "FR"}]}),
        ("country = DE , FR", {"any": [{"country": "DE"}, {"country": "FR"}]}),
        ("country!=DE,FR", {"not": {"any": [{"country": "DE"}, {"country": "FR"}]}}),
        ("class=security", {"retention_class": "security"}),
        ("target_id", {"target_id": {"exists": True}}),
        ("not target_id", {"not": {"target_id": {"exists": True}}}),
        ("client_ip=10.0.0.0/8", {"client_ip": "10.0.0.0/8"}),
        ("client_ip=::1", {"client_ip": "::1"}),
        ('target_id="=x"', {"target_id": "=x"}),
        ("message=~<b>", {"message": {"regex": "<b>"}}),
        ("time>=2h", {"occurred_at": {"at_least": "2026-11-22T19:00:00Z"}}),
        ("occurred_at>=2026-11-01T10:00", {"occurred_at": {"at_least": "2026-11-01T10:00:00Z"}}),
        ("occurred_at>=2h", {"occurred_at": {"at_least": "2026-11-22T19:00:00Z"}}),
        ("actor_id=007", {"actor_id": "007"}),
        ("attributes.http.route=/x", {"attributes": {"http.route": "/x"}}),
        ("attributes.code=200", {"attributes": {"code": 200}}),
        ('attributes.code="200"', {"attributes": {"code": "200"}}),
        ("attributes.code=007", {"attributes": {"code": "007"}}),
        ("attributes.ok=true", {"attributes": {"ok": True}}),
        ("attributes.took>=1.5", {"attributes": {"took": {"at_least": 1.5}}}),
        ('attributes."a b"=c', {"attributes": {"a b": "c"}}),
        ("attributes.target[0].id=7", {"attributes": {"target[0].id": 7}}),
        ("resource.k8s.pod.name~web-*", {"resource": {"k8s.pod.name": {"glob": "web-*"}}}),
        ("attributes.url=/x?a=b", {"attributes": {"url": "/x?a=b"}}),
        ("message='it''s'", None),
        (r"message='it\'s'", {"message": "it's"}),
        (r'message="a\"b\d"', {"message": r'a"b\d'}),
        ("event=x body=y scope=z", {"all": [{"event": "x"}, {"body": "y"}, {"scope": "z"}]}),
        ("action=a outcome=failure", {"all": [{"action": "a"}, {"outcome": "failure"}]}),
        ("action=a and outcome=failure", {"all": [{"action": "a"}, {"outcome": "failure"}]}),
        (
            "action=a OR action=b outcome=failure",
            {"any": [{"action": "a"}, {"all": [{"action": "b"}, {"outcome": "failure"}]}]},
        ),
        (
            "(action=a or action=b) not outcome=failure",
            {"all": [{"any": [{"action": "a"}, {"action": "b"}]}, {"not": {"outcome": "failure"}}]},
        ),
        ("not(action=a)", {"not": {"action": "a"}}),
        ("action=order", {"action": "order"}),
        ("action=not", {"action": "not"}),
    ],
)
def test_an_expression_means_the_conditions_of_a_rule(text: str, tree: dict[str, Any] | None) -> None:
    if tree is None:
        with pytest.raises(ExpressionError):
            meant(text)
    else:
        assert same(text, tree)


def test_actor_and_target_are_any_of_their_columns() -> None:
    columns = ("actor_id", "actor_name", "actor_email", "on_behalf_of")
    assert same("actor~al*", {"any": [{column: {"glob": "al*"}} for column in columns]})
    assert same("target!=7", {"not": {"any": [{"target_id": "7"}, {"target_name": "7"}]}})


@pytest.mark.parametrize(
    ("text", "marked", "remedy"),
    [
        ("action=a outcom=b", "outcom", "did you mean outcome?"),
        ("zzz=1", "zzz", "attributes.NAME"),
        ("user.id=7", "user.id", "did you mean attributes.user.id?"),
        ("wrong password", "wrong", "--text 'wrong password'"),
        ("action=a since", "since", "--since 2h"),
        ("attributes=x", "attributes", "attributes.http.route"),
        ("action>=b", ">=", "use = != ~ !~ =~ !=~"),
        ("severity~b", "~", "use = != >= <= > <"),
        ("severity=eror", "eror", "error or 17"),
        ("severity=25", "25", "from 0 to 24"),
        ("asn=x", "x", "17 or 0.5"),
        ("action==user.login", "=", "== compares nothing"),
        ("severity=>error", ">", "in quotes"),
        ("action = = a", "=", "compares nothing"),
        ("action~=a*", "=", "~= compares nothing"),
        ("action=a && outcome=b", "&&", "write and"),
        ("action:user.login", "action:user.login", "write action=user.login"),
        ("country in (DE)", "in", "country=DE,FR"),
        ("user=al", "user", "did you mean actor?"),
        ("client_ip=10.0.0.1/8", "10.0.0.1/8", "192.0.2.0/24"),
        ("client_ip=10.0.0.1,x", "x", "192.0.2.7"),
        ("occurred_at>=someday", "someday", "yesterday"),
        ("id=019a", "019a", "in full"),
        ("severity", "severity", "severity>=error"),
        ("action~a,b", "b", "(a or b)"),
        ("action~[a", "[a", "never closed"),
        (r"message=~\pL", r"\pL", "name the characters"),
        ('action="a', '"', "add another"),
        ("(action=a", "(", "add a )"),
        ("action=a) outcome=b", ")", "remove it"),
        ("action=", "", "action=..."),
        ("action=a or", "", "action=user.login"),
        ("or action=a", "or", "action=user.login"),
        ("=a", "=a", "a field is expected"),
        ("(" * 17 + "action=a", "(", "flatter"),
        ("action=a\0", r"\x00", "leave it out"),
    ],
)
def test_an_error_points_at_its_place_and_says_what_to_write(text: str, marked: str, remedy: str) -> None:
    with pytest.raises(ExpressionError) as failed:
        meant(text)
    reason, line, mark = str(failed.value).split("\n")
    assert remedy in reason
    start, width = mark.index("^"), mark.count("^")
    assert line[start : start + width].strip() == marked
    assert f"column {failed.value.column}:" in reason


def test_a_mark_stands_below_its_place_in_a_long_text_too() -> None:
    with pytest.raises(ExpressionError) as failed:
        meant("action=a " * 100 + "outcom=b " + "action=a " * 100)
    _, line, mark = str(failed.value).split("\n")
    assert len(line) < 80
    assert line[mark.index("^") : mark.rindex("^") + 1] == "outcom"


def test_an_error_shows_nothing_that_steers_the_terminal() -> None:
    with pytest.raises(ExpressionError) as failed:
        meant("\x1b[2Jaction=a")
    assert "\x1b" not in str(failed.value)


pieces = st.sampled_from(
    [
        "action",
        "=",
        "a",
        " ",
        "(",
        ")",
        "not ",
        " or ",
        " and ",
        "severity>=error",
        "attributes.",
        '"',
        "'",
        ",",
        "~",
        "[",
    ]
)


@given(st.lists(pieces, max_size=12).map("".join) | st.text(max_size=20))
def test_any_text_is_understood_or_refused_with_its_place(text: str) -> None:
    try:
        match = parse_expression(text, now=NOW)
    except ExpressionError as failure:
        assert 1 <= failure.column <= len(text) + 1
    else:
        assert (match is None) == (not text.strip())
        if match:
            where(match)
