"""What should alarm somebody in the demonstration: guessed passwords, a stolen account, a shelf cleared out."""

from __future__ import annotations

from random import Random

from collector.demo.duties import PRODUCTS, grant, view_secret
from collector.demo.people import address_in, networks_by_city
from collector.demo.signing import sign_in, sign_in_fails, sign_out, someone
from collector.demo.voices import Request, Story, Target, Visit

_FAR = ("Shenzhen", "Saint Petersburg", "Caracas", "Tashkent")


def brute_force(draw: Random) -> Story:
    """Many guesses in a short time from one far address, in the end against one account that gets locked."""
    victim = someone(draw, "staff", "admin")
    visit = Visit(draw, victim, _far_address(draw), pace=1.5)
    for login in draw.sample(["admin", "root", "test", "oracle", "backup", "postgres"], 3):
        sign_in_fails(visit, login, "unknown_user")
    for _ in range(draw.randint(9, 30)):
        sign_in_fails(visit, victim.name)
    sign_in_fails(visit, victim.name, "account_locked")
    return Story(tuple(visit.events))


def takeover(draw: Random) -> Story:
    """An administrator works at home; minutes later somebody far away guesses the password and looks around."""
    victim = someone(draw, "admin")
    at_home = Visit(draw, victim, victim.address)
    sign_in(at_home, victim)
    view_secret(at_home)
    thief = Visit(draw, victim, _far_address(draw), pace=6.0)
    for _ in range(draw.randint(4, 9)):
        sign_in_fails(thief, victim.name)
    sign_in(thief, victim)
    for _ in range(draw.randint(2, 4)):
        view_secret(thief)
    grant(thief, granted=True)
    return Story((*at_home.events, *thief.events), victim.morning_utc, 10.0)


def clearing_out(draw: Random) -> Story:
    """Somebody of the staff deletes one product after the other."""
    person = someone(draw, "staff")
    visit = Visit(draw, person, person.address, pace=4.0)
    sign_in(visit, person)
    for number in draw.sample(range(1000, 1400), draw.randint(12, 22)):
        title = draw.choice(PRODUCTS)
        visit.tell(
            "shop",
            "model.deleted",
            f"Product {title} was deleted",
            target=Target("product", f"sku-{number}", title),
            changes={"title": {"before": title, "after": None}},
            request=Request("DELETE", f"/admin/products/sku-{number}", 204),
        )
    sign_out(visit, person)
    return visit.story()


def _far_address(draw: Random) -> str:
    return address_in(draw.choice([network for city in _FAR for network in networks_by_city()[city]]), draw)
