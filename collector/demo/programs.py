"""What programs do in the demonstration, and the plain log lines that nobody asked for."""

from __future__ import annotations

from random import Random

from collector.demo.duties import configure, edit_product
from collector.demo.people import DEPLOYER, INVENTORY, NIGHTLY_BATCH, ServiceAccount
from collector.demo.voices import Request, Story, Target, Visit


def invoices(visit: Visit, count: int) -> None:
    """Invoices are paid, one after the other."""
    for _ in range(count):
        number, amount = f"INV-{visit.draw.randrange(10_000, 99_999)}", round(visit.draw.uniform(20, 900), 2)
        visit.tell(
            "billing",
            "invoice.paid",
            f"Invoice {number} over {amount:.2f} EUR was paid",
            target=Target("invoice", number),
            changes={"status": {"before": "open", "after": "paid"}},
            request=Request("POST", f"/invoices/{number}/payments", 201),
            more={"invoice.amount": amount},
        )


def nightly(draw: Random) -> Story:
    """The batch that collects payments, between one and three."""
    visit = Visit(draw, NIGHTLY_BATCH)
    visit.log("billing", "INFO", "Nightly batch begins", {"batch.name": "invoices"})
    invoices(visit, draw.randint(8, 20))
    visit.log("billing", "INFO", "Nightly batch is done", {"batch.name": "invoices"})
    return Story(tuple(visit.events), 1.0, 2.0)


def deployment(draw: Random) -> Story:
    """The pipeline changes settings and restarts a service."""
    visit = Visit(draw, DEPLOYER)
    configure(visit)
    visit.log("shop", "INFO", "Server is ready", {"server.port": 8080})
    return visit.story()


def stock_taking(draw: Random) -> Story:
    """The warehouse tells the shop what there is."""
    visit = Visit(draw, INVENTORY)
    for _ in range(draw.randint(1, 3)):
        edit_product(visit)
    return visit.story()


def chatter(draw: Random) -> Story:
    """Log lines without an event name."""
    visit = Visit(draw, ServiceAccount("none", "10.20.0.1", "probe"))
    visit.log(
        "shop",
        "DEBUG",
        "Cache refreshed",
        {"cache.entries": draw.randrange(500, 9000), "code.function.name": "refresh"},
    )
    if draw.random() < 0.5:
        visit.log(
            "documents",
            "WARN",
            "Slow query",
            {"db.system.name": "postgresql", "duration_ms": draw.randrange(400, 3000)},
        )
    if draw.random() < 0.15:
        visit.log(
            "billing",
            "ERROR",
            "Payment provider did not answer",
            {"exception.type": "TimeoutError", "exception.message": "no answer within 5 s"},
        )
    return visit.story()
