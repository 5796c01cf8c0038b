"""What staff and administrators do in the demonstration."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from collector.demo.signing import sign_in, sign_out, someone, user_target
from collector.demo.voices import AnyValue, Request, Story, Target, Visit

PRODUCTS = (
    "Enamel mug",
    "Wool blanket",
    "Desk lamp",
    "Garden shears",
    "Rain jacket",
    "Teapot",
    "Field notebook",
)
_ROLES = ("auditor", "billing-admin", "support-agent", "cluster-admin", "catalog-editor")
_NAMESPACES = ("payments", "storefront", "analytics", "identity")


def catalogue(draw: Random) -> Story:
    """An hour with the products."""
    person = someone(draw, "staff")
    visit = Visit(draw, person)
    sign_in(visit, person)
    for _ in range(draw.randint(2, 6)):
        edit_product(visit)
    sign_out(visit, person)
    return visit.story()


def edit_product(visit: Visit) -> None:
    """A product is created, updated or deleted."""
    draw = visit.draw
    title, sku = draw.choice(PRODUCTS), f"sku-{draw.randrange(1000, 1400)}"
    kind = draw.choices(["created", "updated", "deleted"], [2, 7, 1])[0]
    price, stock = round(draw.uniform(5, 160), 2), draw.randrange(0, 400)
    changes: dict[str, Mapping[str, AnyValue]] = {
        "created": {"title": {"before": None, "after": title}, "price": {"before": None, "after": price}},
        "deleted": {"title": {"before": title, "after": None}, "price": {"before": price, "after": None}},
        "updated": {
            "price": {"before": price, "after": round(price * draw.uniform(0.7, 1.3), 2)},
            "stock": {"before": stock, "after": stock + draw.randrange(10, 200)},
            "tags": {"added": [draw.choice(["sale", "new", "gift"])], "removed": ["winter"]},
        },
    }
    method, status = {"created": ("POST", 201), "updated": ("PATCH", 200), "deleted": ("DELETE", 204)}[kind]
    visit.tell(
        "shop",
        f"model.{kind}",
        f"Product {title} was {kind}",
        target=Target("product", sku, title),
        changes=changes[kind],
        request=Request(method, f"/admin/products/{sku}", status),
    )


def support(draw: Random) -> Story:
    """Someone of the staff acts as a customer to refund an order."""
    person, customer = someone(draw, "staff", "admin"), someone(draw, "customer")
    visit = Visit(draw, person)
    order, amount = f"SO-{draw.randrange(100_000, 999_999)}", round(draw.uniform(8, 120), 2)
    behalf = {"audit.on_behalf_of": customer.name}
    sign_in(visit, person)
    reason = f"ticket {draw.randrange(20_000, 30_000)}"
    visit.tell(
        "platform-console",
        "impersonation.started",
        f"{person.full_name} acts as {customer.full_name} ({reason})",
        target=user_target(customer),
        more=behalf | {"reason": reason},
    )
    visit.tell(
        "shop",
        "order.refunded",
        f"Order {order}: {amount:.2f} EUR refunded",
        target=Target("order", order),
        changes={
            "status": {"before": "shipped", "after": "refunded"},
            "refunded": {"before": 0, "after": amount},
        },
        request=Request("POST", f"/orders/{order}/refund"),
        more=behalf,
    )
    visit.tell(
        "platform-console",
        "impersonation.ended",
        f"{person.full_name} no longer acts as {customer.full_name}",
        target=user_target(customer),
        more=behalf,
    )
    return visit.story()


def administration(draw: Random) -> Story:
    """Some of what administrators do."""
    person = someone(draw, "admin")
    visit = Visit(draw, person)
    sign_in(visit, person)
    for act in draw.sample([grant, view_secret, configure, _token, _denied], draw.randint(1, 4)):
        act(visit)
    sign_out(visit, person)
    return visit.story()


def grant(visit: Visit, *, granted: bool | None = None) -> None:
    """Somebody gets a role, or loses it; `granted`: which of the two, instead of by chance."""
    person, role = someone(visit.draw, "staff", "customer"), visit.draw.choice(_ROLES)
    if granted is None:
        granted = visit.draw.random() < 0.6
    visit.tell(
        "platform-console",
        "role.granted" if granted else "role.revoked",
        f"Role {role} was {'granted to' if granted else 'revoked from'} {person.full_name}",
        target=user_target(person),
        changes={"roles": {"added": [role] if granted else [], "removed": [] if granted else [role]}},
    )


def view_secret(visit: Visit) -> None:
    """A secret is looked at."""
    namespace, secret = visit.draw.choice(_NAMESPACES), visit.draw.choice(["database", "smtp", "gateway-key"])
    visit.tell(
        "platform-console",
        "secret.viewed",
        f"Secret {secret} of {namespace} was shown",
        target=Target("k8s.secret", f"{namespace}/{secret}", secret),
    )


def configure(visit: Visit) -> None:
    """A namespace's settings are changed."""
    namespace, replicas = visit.draw.choice(_NAMESPACES), visit.draw.randint(2, 6)
    visit.tell(
        "platform-console",
        "config.changed",
        f"Settings of {namespace} were changed",
        target=Target("k8s.configmap", f"{namespace}/settings", f"{namespace} settings"),
        changes={
            "replicas": {"before": replicas, "after": replicas + 1},
            "log_level": {"before": "info", "after": visit.draw.choice(["debug", "warning"])},
            "gateway_key": {"changed": True},
        },
    )


def _token(visit: Visit) -> None:
    token = f"tok-{visit.draw.getrandbits(32):08x}"
    visit.tell(
        "platform-console",
        "api_token.created",
        "An API token was created",
        target=Target("api_token", token, visit.draw.choice(["ci", "reporting", "laptop"])),
        more={"token.expires_in_days": visit.draw.choice([7, 30, 90])},
    )


def _denied(visit: Visit) -> None:
    namespace = visit.draw.choice(_NAMESPACES)
    visit.tell(
        "platform-console",
        "policy.denied",
        f"Policy no-exec refused a shell in {namespace}",
        target=Target("k8s.pod", f"{namespace}/worker-{visit.draw.randrange(9)}"),
        error="forbidden",
        more={"policy.name": "no-exec"},
    )
