"""What secrets look like: every form with what it is found in, and what only looks like it."""

from __future__ import annotations

import random

import pytest

from exporter.redaction import Redaction
from exporter.redaction.cards import is_card
from exporter.redaction.detectors import NAMES
from exporter.redaction.redactor import Redactor
from tests.secret_samples import CONTEXTS, FOUND, HEX, IN_CONTEXT, PEM, TOKENS

DEFAULT = Redactor(Redaction(), None)


def only_without(name: str) -> Redactor:
    return Redactor(Redaction(values={name: False}), None)


@pytest.mark.parametrize(("name", "secret"), FOUND)
def test_a_secret_is_found_by_its_form_wherever_it_stands(name: str, secret: str) -> None:
    for text in (
        secret,
        f"used {secret}, then left",
        f"({secret})",
        f"«{secret}»",
        f' "{secret}"',
        f"id: {secret}",
        f"a\n{secret}\nb",
    ):
        redacted = DEFAULT.text(text)
        assert secret not in redacted, text
        assert "[redacted]" in redacted


@pytest.mark.parametrize(("name", "secret"), FOUND)
def test_a_detector_that_is_off_leaves_its_secrets(name: str, secret: str) -> None:
    assert only_without(name).text(f"used {secret}, then left") == f"used {secret}, then left"


@pytest.mark.parametrize(("name", "text", "secret"), CONTEXTS)
def test_a_secret_is_found_by_what_stands_around_it(name: str, text: str, secret: str) -> None:
    redacted = DEFAULT.text(text)
    assert secret not in redacted
    assert "[redacted]" in redacted
    assert only_without(name).text(text) != redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgresql://app:hunter2@db:5432/x?a=b", "postgresql://app:[redacted]@db:5432/x?a=b"),
        ("/cb?code=4/0AX4XfWh&state=x#y", "/cb?code=[redacted]&state=x#y"),
        ("curl -H 'Authorization: Bearer abc.def' https://x", "curl -H 'Authorization: [redacted]' https://x"),
        ("login {'user': 'bob', 'password': 'hunter2 x'} end", "login {'user': 'bob', 'password': '[redacted]'} end"),
        ("mysqldump --password hunter2 --user bob", "mysqldump --password [redacted] --user bob"),
        (
            'argc=3 a0="mysql" a1="--password" a2="hunter2" a3="x"',
            'argc=3 a0="mysql" a1="--password" a2="[redacted]" a3="x"',
        ),
        ("x && curl -s -u bob:hunter2 http://x", "x && curl -s -u bob:[redacted] http://x"),
        ("curl --user 'bob:hunter2' -X POST", "curl --user 'bob:[redacted]' -X POST"),
        ("<u><password>hunter2</password></u>", "<u><password>[redacted]</password></u>"),
        (f"key {PEM} loaded", "key [redacted] loaded"),
        ("ALTER ROLE bob PASSWORD 'x'; SELECT 'y'", "ALTER ROLE bob PASSWORD '[redacted]'; SELECT 'y'"),
        (r"{\"pin\": \"12\", \"a\": 1}", r"{\"pin\": \"[redacted]\", \"a\": 1}"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, redacted: str) -> None:
    assert DEFAULT.text(text) == redacted


def test_every_detector_is_tried() -> None:
    assert {*TOKENS, *IN_CONTEXT} == NAMES


@pytest.mark.parametrize(
    "text",
    [
        "4bf92f3577b34da6a3ce929d0e0e4736",  # a trace id
        "00f067aa0ba902b7",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "123e4567-4111-4111-8111-111111111111",
        HEX,
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "1790000000123456789",  # nanoseconds
        "1790000000123",
        "2026-09-21T14:13:20.123456789Z",
        "4111111111111112",  # the check digit is wrong
        "order 7111111111111111 was paid",
        "0.4111111111111111",
        "0000000000000000",
        "+49 4111 1111 1111",
        "bob@example.org",
        "2001:db8::4111:1111:1111:1111",
        "203.0.113.7:4111",
        "Failed password for root from 203.0.113.7 port 22 ssh2",
        "the token was revoked by its owner",
        "Basic authentication is off, bearer authentication too",
        "https://example.org:8080/path/user@example.org",
        "https://example.org/a:b@c",
        "ssh://git@example.org/x.git",
        "/search?code=200&state=open&q=a",
        "sk-some-words-that-are-joined-by-dashes",
        "task-AKIA and disk-1",
        "shipping: 12, spinner=on, compass: north",
        "token_type=bearer expires_in=3600 password_changed_at=2026-01-01",
        "password: ",
        "password=true",
        "password=****",
        '{"password": null, "secret": "", "token": false}',
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mail-AbCdEf",
        "authorization.k8s.io/decision: allow",
        "<password/> <token></token>",
        "eyJhbGciOiJIUzI1NiJ9",
        "SELECT password FROM users WHERE name = 'bob'",
        "docker run -u 1000:1000 curl",
        "curl -s https://a-us.example.org:8080/a -o b:c",
        'a0="git" a1="--token-type" a2="x"',
        "git commit --amend --token-type x",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert DEFAULT.text(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    for text in [text for _, text, _ in CONTEXTS] + [f"used {secret}" for _, secret in FOUND]:
        once = DEFAULT.text(text)
        assert DEFAULT.text(once) == once


def test_a_card_number_is_found_beside_its_date_and_code() -> None:
    assert DEFAULT.text("card 4111 1111 1111 1111 12 27, 123") == "card [redacted] 12 27, 123"
    assert DEFAULT.text("4111111111111111 5500000000000004") == "[redacted] [redacted]"


def test_few_random_numbers_are_card_numbers() -> None:
    draw = random.Random(7)
    nanoseconds = sum(is_card(str(1_790_000_000_000_000_000 + draw.randrange(10**17))) for _ in range(10_000))
    numbers = sum(is_card(str(draw.randrange(10**15, 10**16))) for _ in range(10_000))
    assert nanoseconds == 0
    assert numbers < 500  # a third has an issuer's prefix and length, a tenth of those the check digit


def test_a_text_that_is_built_to_be_slow_is_not() -> None:
    # Each would take hours with a search that goes back; the suite's own time limit tells.
    long = 1 << 19
    for piece in (
        "eyJ-",
        "://",
        "://a:",
        "password ",
        "--a",
        "curl -u ",
        'a1="--a" ',
        "<a ",
        "{",
        '"',
        "\\",
        "4111 ",
        "a@",
        "password=",
        "[",
        ":",
    ):
        text = piece * (long // len(piece))
        assert isinstance(DEFAULT.text(text), str)
