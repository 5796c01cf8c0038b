"""What happens in the demonstration: short stories, each told by the services that take part."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from collector.demo.duties import PRODUCTS, administration, catalogue, support
from collector.demo.intrusion import brute_force, clearing_out, takeover
from collector.demo.people import networks_by_city
from collector.demo.programs import chatter, deployment, invoices, nightly, stock_taking
from collector.demo.signing import sign_in, sign_in_fails, sign_out, someone, user_target
from collector.demo.voices import Request, Story, Target, Visit

_DOCUMENTS = (
    "Budget 2027",
    "Supplier contract",
    "Payroll November",
    "Board minutes",
    "Price list",
    "Risk register",
)


def story(draw: Random) -> Story:
    """The next story; the frequent ones are dull."""
    return draw.choices(_STORIES, _WEIGHTS)[0](draw)


def _shopping(draw: Random) -> Story:
    person = someone(draw, "customer")
    visit = Visit(draw, person)
    sign_in(visit, person)
    for _ in range(draw.randint(1, 2)):
        order, total = f"SO-{draw.randrange(100_000, 999_999)}", round(draw.uniform(8, 420), 2)
        declined = draw.random() < 0.08
        visit.tell(
            "shop",
            "order.created",
            f"Order {order} over {total:.2f} EUR " + ("was declined" if declined else "was placed"),
            target=Target("order", order, f"{draw.choice(PRODUCTS)} and {draw.randint(1, 4)} more"),
            request=Request("POST", "/checkout", 402 if declined else 201),
            error="payment_declined" if declined else None,
            more={"order.total": total, "order.currency": "EUR", "order.items": draw.randint(1, 6)},
        )
    if draw.random() < 0.25:
        before, after = draw.sample(sorted(networks_by_city()), 2)
        visit.tell(
            "shop",
            "model.updated",
            f"{person.full_name} changed the delivery address",
            target=Target("customer_profile", person.id, person.full_name),
            changes={
                "city": {"before": before, "after": after},
                "phone": {"before": None, "after": f"+00 555 01{draw.randrange(10, 99)}"},
            },
            request=Request("PATCH", f"/customers/{person.id}"),
        )
    sign_out(visit, person)
    return visit.story()


def _documents(draw: Random) -> Story:
    person = someone(draw, "staff", "admin", "customer")
    visit = Visit(draw, person)
    title, document = draw.choice(_DOCUMENTS), f"doc-{draw.randrange(4000, 4200)}"
    sign_in(visit, person)
    visit.tell(
        "documents",
        "model.updated",
        f"{title} was edited",
        target=Target("document", document, title),
        changes={
            "revision": {"before": 4, "after": 5},
            "title": {"before": title, "after": f"{title} (draft)"},
        },
        request=Request("PUT", f"/documents/{document}"),
    )
    other = someone(draw, "staff", "customer", but=person)
    visit.tell(
        "documents",
        "document.shared",
        f"{title} was shared with {other.full_name}",
        target=Target("document", document, title),
        changes={"shared_with": {"added": [other.email], "removed": []}},
        request=Request("POST", f"/documents/{document}/shares", 201),
    )
    if draw.random() < 0.4:
        denied = draw.random() < 0.3
        visit.tell(
            "documents",
            "document.exported",
            f"Export of {title} as PDF was refused" if denied else f"{title} was exported as PDF",
            target=Target("document", document, title),
            request=Request("GET", f"/documents/{document}/export", 403 if denied else 200),
            error="forbidden" if denied else None,
            more={"export.format": "pdf", "export.pages": draw.randint(1, 60)},
        )
    return visit.story()


def _paying(draw: Random) -> Story:
    person = someone(draw, "customer")
    visit = Visit(draw, person)
    sign_in(visit, person)
    invoices(visit, 1)
    return visit.story()


def _forgetful(draw: Random) -> Story:
    person = someone(draw, "customer", "staff", "admin")
    visit = Visit(draw, person)
    for _ in range(draw.randint(1, 3)):
        sign_in_fails(visit, person.name)
    sign_in(visit, person)
    visit.tell(
        "identity",
        "user.password_changed",
        f"{person.full_name} set a new password",
        target=user_target(person),
        changes={"password": {"changed": True}, "must_change_password": {"before": True, "after": False}},
        request=Request("PUT", f"/api/v1/users/{person.id}/password", 204),
    )
    return visit.story()


def _careful(draw: Random) -> Story:
    person = someone(draw, "customer", "staff", "admin")
    visit = Visit(draw, person)
    sign_in(visit, person)
    device = draw.choice(["totp", "security key", "passkey"])
    visit.tell(
        "identity",
        "user.mfa_added",
        f"{person.full_name} added a second factor: {device}",
        target=user_target(person),
        changes={"second_factors": {"added": [device], "removed": []}},
        request=Request("POST", f"/api/v1/users/{person.id}/factors", 201),
    )
    sign_out(visit, person)
    return visit.story()


_CHOICES: tuple[tuple[Callable[[Random], Story], int], ...] = (
    (_shopping, 24),
    (_documents, 14),
    (catalogue, 9),
    (administration, 9),
    (_paying, 8),
    (chatter, 8),
    (_forgetful, 6),
    (support, 6),
    (_careful, 4),
    (stock_taking, 4),
    (deployment, 3),
    (nightly, 2),
    (brute_force, 1),
    (takeover, 1),
    (clearing_out, 1),
)
_STORIES = [tell for tell, _ in _CHOICES]
_WEIGHTS = [weight for _, weight in _CHOICES]
