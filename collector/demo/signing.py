"""Who acts, and how sessions begin and end."""

from __future__ import annotations

from random import Random

from collector.demo.people import Person, Role, people
from collector.demo.voices import Request, Target, Visit


def someone(draw: Random, *roles: Role, but: Person | None = None) -> Person:
    """A person of one of the roles."""
    return draw.choice([person for person in people() if person.role in roles and person != but])


def user_target(person: Person) -> Target:
    """A user as what is acted on."""
    return Target("user", person.id, person.name)


def sign_in(visit: Visit, person: Person) -> None:
    """The visit begins."""
    method = visit.draw.choice(["password", "passkey", "sso"])
    visit.tell(
        "identity",
        "user.login",
        f"{person.full_name} signed in with {method}",
        request=Request("POST", "/api/v1/login"),
        more={"auth.method": method},
    )


def sign_in_fails(visit: Visit, login: str, error: str = "invalid_credentials") -> None:
    """A wrong password, a locked account, or nobody of that name."""
    visit.tell(
        "identity",
        "user.login_failed",
        f"Sign-in as {login} failed: {error.replace('_', ' ')}",
        request=Request("POST", "/api/v1/login", 401),
        error=error,
        login=login,
    )


def sign_out(visit: Visit, person: Person) -> None:
    """Six in ten remember to."""
    if visit.draw.random() < 0.6:
        visit.tell(
            "identity",
            "user.logout",
            f"{person.full_name} signed out",
            request=Request("POST", "/api/v1/logout", 204),
        )
