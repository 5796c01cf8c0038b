"""How `auditgraf tail` writes one event."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from rich.cells import cell_len
from rich.console import Console

from collector.printable import printable, printable_json
from collector.tail.line import LineRenderer, json_line

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
TODAY = datetime(2026, 3, 1, 23, 0, tzinfo=timezone(timedelta(hours=2)))
TEXTS = (
    *(
        "action",
        "severity_text",
        "actor_id",
        "actor_name",
        "actor_email",
        "on_behalf_of",
        "client_ip",
        "client_address",
    ),
    *("country", "city", "target_type", "target_id", "target_name", "service", "message"),
)


def event(**values: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(TEXTS),
        "id": UUID(int=1),
        "occurred_at": MOMENT,
        "outcome": "unknown",
        "severity": 9,
        "changes": None,
        "attributes": "{}",
        "flags": [],
        **values,
    }


FULL = event(
    service="shop", action="user.login", outcome="failure", actor_name="Alice", on_behalf_of="bob", city="Berlin",
    country="DE", client_ip="81.2.69.142", target_type="realm", target_name="internal", message="wrong password",
)  # fmt: skip


def plain(values: dict[str, Any], width: int | None = None, **options: Any) -> str:
    return LineRenderer(**options).line(values, width=width, today=TODAY).plain


def coloured(values: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    console.print(LineRenderer().line(values, width=200, today=TODAY), soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_line_says_when_how_where_what_who_on_what_from_where_and_why() -> None:
    assert plain(FULL, width=200) == (
        "14:30:15 ✗ shop  user.login  Alice (for bob)  realm internal  Berlin, DE 81.2.69.142  wrong password"
    )


def test_without_a_terminal_the_time_is_in_full_and_nothing_is_shortened() -> None:
    line = plain({**FULL, "message": "m" * 5000})
    assert line.startswith("2026-03-01 14:30:15.250+02:00 ✗ shop")
    assert line.endswith(" " + "m" * 5000)


def test_the_date_is_shown_on_another_day() -> None:
    assert plain({**FULL, "occurred_at": MOMENT - timedelta(days=1)}, 200).startswith("2026-02-28 14:30:15 ✗")


@pytest.mark.parametrize("width", [20, 40, 80, 119, 120, 200])
def test_a_line_is_never_wider_than_the_terminal(width: int) -> None:
    long = dict.fromkeys(TEXTS, "東京wide" * 50)
    assert cell_len(plain(event(**long), width)) <= width
    assert plain(event(**long), width).endswith("…")


def test_every_field_is_seen_at_80_columns_when_one_is_long() -> None:
    line = plain({**FULL, "service": "s" * 300, "actor_name": "a" * 300}, 80)
    assert all(part in line for part in ("sss…", "user.login", "aaa…", "realm internal", "Berlin"))


def test_one_long_name_does_not_push_the_messages_of_other_events_away() -> None:
    renderer = LineRenderer()
    renderer.line(event(service="s" * 99, action="a" * 99, actor_name="b" * 99), width=140, today=TODAY)
    after = renderer.line(
        event(service="shop", action="user.login", actor_name="Al", message="M" * 40), width=140, today=TODAY
    )
    assert after.plain.count("M") == 40


def test_services_actions_and_actors_stand_below_each_other() -> None:
    renderer = LineRenderer()
    rows = [event(service="s" * n, action="a" * n, actor_id="u" * n, message="MESSAGE") for n in (9, 3, 0)]
    places = {renderer.line(row, width=160, today=TODAY).plain.index("MESSAGE") for row in rows}
    assert len(places) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"actor_name": "Al", "actor_email": "a@b", "actor_id": "7"}, "Al"),
        ({"actor_email": "a@b", "actor_id": "7"}, "a@b"),
        ({"on_behalf_of": "bob"}, "(for bob)"),
        ({"severity_text": "WARN"}, "WARN"),
        ({"client_address": "unix socket"}, "unix socket"),
        ({"target_type": "user", "target_id": "7"}, "user 7"),
        ({"country": "DE"}, "DE"),
    ],
)
def test_what_is_missing_leaves_no_gap(values: dict[str, Any], expected: str) -> None:
    assert plain(event(**values), 200) == f"14:30:15 · {expected}"


def test_marks_are_ascii_where_the_output_is() -> None:
    marks = [plain(event(outcome=outcome), ascii_only=True)[-1] for outcome in ("success", "failure", "unknown")]
    assert marks == ["+", "x", "-"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"outcome": "failure"}, "\x1b[31m"),
        ({"outcome": "success"}, "\x1b[32m"),
        ({"outcome": "unknown"}, "\x1b[2m"),
        ({"severity": 17}, "\x1b[1"),
    ],
)
def test_outcome_and_severity_are_seen_by_colour(values: dict[str, Any], code: str) -> None:
    assert code in coloured(event(action="user.login", **values))


def test_an_ordinary_event_is_not_emphasised() -> None:
    assert "\x1b[1" not in coloured(event(action="user.login", outcome="success", severity=16))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 東京 🎉 \u3000", "plain ü 東京 🎉 \u3000"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[2J\x07\x7f\x9b", r"\x1b[2J\x07\x7f\x9b"),
        ("\u202e\u2066\u200e\u200b\ufeff\u2028", r"\u202e\u2066\u200e\u200b\ufeff\u2028"),
        ("\U000e0041", r"\U000e0041"),
        ("[bold]x[/]", "[bold]x[/]"),
    ],
)
def test_what_steers_or_hides_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_character_is_shown_as_itself_or_as_ascii() -> None:
    odd = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and not chr(code).isprintable()]
    escaped = [printable(character) for character in odd]
    assert all(text.isascii() or text.isspace() for text in escaped)
    assert all(text.isprintable() or text.isspace() for text in escaped)
    assert not {"\n", "\r", "\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c"} & set(escaped)


def test_a_json_document_keeps_its_value() -> None:
    value = {"a\u202e": "\x1b\x7f\x9b\u2029\U000e0041 ü 🎉 \\u0041"}
    document = printable_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(document) == value
    assert document.isprintable()


def test_json_numbers_stay_as_long_as_they_are() -> None:
    line = json_line(event(attributes='{"n": 123456789012345678901234567890, "f": 0.10}'))
    assert '"n": 123456789012345678901234567890, "f": 0.10' in line
    assert json.loads(line)["occurred_at"] == "2026-03-01T12:30:15.250000+00:00"
