"""The chains, walked from their beginning: each link computed anew, and what they say of each partition added up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from exporter.store.integrity.archives import Archives
from exporter.store.integrity.finding import Finding
from exporter.store.integrity.heads import Heads
from exporter.store.integrity.link import FIRST, FORMS, Cover, Link
from exporter.store.queries import query
from exporter.store.session import Connection

_PACKAGE = __package__
CHAINS = range(34)
_AT_ONCE = 2000
_MODULUS = 2**64


@dataclass(slots=True)
class Sealed:
    """What the links say of one table of leaves."""

    number: int
    retention_class: str
    day: date | None
    events: int = 0
    removed: int = 0
    rows: int = 0
    mixed: int = 0  # sum of a hash of each of these rows' links: tells whether the rows are those of the links
    unsealed: int = 0  # events that were there before, less those that were sealed since
    sealed_late: bool = False
    retiring_since: datetime | None = None  # it is to go, and may be detached
    retired: bool = False

    def add_row(self, chain: int, sequence: int) -> None:
        self.rows += 1
        self.mixed = (self.mixed + row_hash(chain, sequence)) % _MODULUS


def row_hash(chain: int, sequence: int) -> int:
    """A number for a link, to be added up modulo 2**64."""
    return int.from_bytes(hashlib.sha256(f"{chain}/{sequence}".encode()).digest()[:8], "big")


@dataclass(slots=True)
class Walk:
    """How far the chains are walked. Every `extend` goes on from there to what its transaction sees."""

    against: Sequence[Heads] = ()
    heads: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    sealed: dict[int, Sealed] = field(default_factory=dict)
    orders: dict[int, int] = field(default_factory=dict)  # order to forget: events that were pseudonymised under it
    links: int = 0
    uncompared: int = 0  # links kept elsewhere whose month is gone
    archives: Archives = field(default_factory=Archives)
    _wanted: dict[int, dict[int, set[bytes]]] = field(default_factory=dict)  # chain, sequence: kept elsewhere
    _checkpoints: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    _expired: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    _upgrading: bool = True  # only what the upgrade wrote was read of chain 0 yet

    def begin(self, connection: Connection) -> Iterator[Finding]:
        """Reads where the chains begin, and walks them for the first time."""
        for heads in self.against:
            for chain, (sequence, digest) in heads.links.items():
                self._wanted.setdefault(chain, {}).setdefault(sequence, set()).add(digest)
        for chain, sequence, digest in connection.execute(query("checkpoints", _PACKAGE)):
            self._checkpoints[chain] = self.heads[chain] = (sequence, digest)
            yield from self._compare_expired(chain, sequence, digest)
        yield from self.extend(connection)
        yield from self._check_beginnings()
        for chain, wanted in sorted(self._wanted.items()):
            if wanted:
                yield Finding(
                    "chain_cut",
                    f"chain {chain} ends with link {self.heads.get(chain, (0, b''))[0]}, and link {max(wanted)} has "
                    "been kept elsewhere: its end was cut off",
                    chain=chain,
                    sequence=max(wanted),
                )

    def _compare_expired(self, chain: int, first: int, digest: bytes) -> Iterator[Finding]:
        """Links kept elsewhere that are no longer there. Months go when they are over, so what was kept this month, by
        the clock of whoever verifies and not by PostgreSQL's, is too young for any after it to have expired.
        """
        month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        young = {heads.links[chain][0] for heads in self.against if heads.made_at >= month and chain in heads.links}
        for sequence in sorted(kept for kept in self._wanted.get(chain, ()) if kept <= first):
            digests = self._wanted[chain].pop(sequence)
            if sequence < first and sequence in young:
                yield _expired_early(chain, first, sequence)
            elif sequence < first:
                self.uncompared += 1
            elif digests != {digest}:
                yield _other(chain, sequence)

    def extend(self, connection: Connection) -> Iterator[Finding]:
        """Walks on. Within a transaction."""
        known = [self.heads.get(chain, (0, FIRST)) for chain in CHAINS]
        values = {"chains": list(CHAINS), "sequences": [sequence for sequence, _ in known]}
        with connection.cursor("links") as cursor:
            cursor.itersize = _AT_ONCE
            cursor.execute(query("links", _PACKAGE), values)
            for row in cursor:
                yield from self._step(Link(*row))

    def _step(self, link: Link) -> Iterator[Finding]:
        last, digest = self.heads.get(link.chain, (0, FIRST))
        sound = link.form in FORMS and link.computed() == link.digest
        if link.form not in FORMS:
            yield _changed(link, f"has form {link.form}, which this auditgraf does not know")
        elif not sound:
            yield _changed(link, "is not what was written: its digest is another one")
        if link.sequence == last:
            yield _changed(link, "is there twice")
            return
        if link.sequence > last + 1:
            gone = (
                f"link {last + 1} is" if link.sequence == last + 2 else f"links {last + 1} to {link.sequence - 1} are"
            )
            yield Finding("link_missing", f"chain {link.chain}: {gone} gone", chain=link.chain, sequence=last + 1)
        elif link.previous != digest:
            yield _changed(link, "follows another link than the one that is before it")
        self.heads[link.chain] = (link.sequence, link.digest)
        self.links += 1
        wanted = self._wanted.get(link.chain, {}).pop(link.sequence, {link.digest})
        if wanted != {link.digest}:
            yield _other(link.chain, link.sequence)
        try:
            self._add_up(link, sound=sound)
        except (ValueError, TypeError, KeyError, AttributeError):
            yield _changed(link, "says what no link says")

    def _add_up(self, link: Link, *, sound: bool) -> None:
        told = link.told()
        if link.chain == 0:
            kept = min((heads.links.get(0, (0, FIRST))[0] for heads in self.against), default=link.sequence)
            is_first = link.kind == "unsealed" and 0 not in self._checkpoints and link.sequence <= kept
            self._upgrading = self._upgrading and is_first
        if link.kind == "unsealed" and not self._upgrading:
            raise ValueError("nothing but the upgrade counts events from before it")
        if link.kind == "expired":
            self._expired = {chain: (sequence, bytes.fromhex(digest)) for chain, sequence, digest in told}
        elif link.kind == "pseudonymised":
            order = int(told["order"])
            self.orders[order] = self.orders.get(order, 0) + link.events
            if "archive" in told:
                self.archives.rewritten(told["rewritten"], told["archive"])
        for cover in link.parts():
            self._cover(link, cover, told)
            if sound:
                self._move(link, cover, told)

    def _move(self, link: Link, cover: Cover, told: Any) -> None:
        """What a link says of where events are."""
        sealed = self.sealed[cover.leaf_table]
        if link.kind == "retiring":
            sealed.retiring_since = link.made_at
        elif link.kind == "taken_back":
            sealed.retiring_since = None
        elif link.kind == "retired":
            sealed.retired = True
            self.archives.all_unloaded(cover.leaf_table)
            self.archives.dropped_for(told.get("archive"))
        elif link.kind == "restored":
            self.archives.restored(cover.leaf_table, told["archive"], cover.adds)
        elif link.kind == "unloaded":
            self.archives.unloaded(cover.leaf_table, told["archive"], cover.removes)

    def _cover(self, link: Link, cover: Cover, told: dict[str, int] | None) -> None:
        sealed = self.sealed.get(cover.leaf_table)
        if sealed is None:
            sealed = self.sealed[cover.leaf_table] = Sealed(cover.leaf_table, link.retention_class, cover.day)
        if cover.adds or cover.removes:
            sealed.add_row(link.chain, link.sequence)
        sealed.events += cover.adds - cover.removes
        sealed.removed += cover.removes
        if link.kind == "unsealed":
            sealed.unsealed += int((told or {})["events"])
        elif link.kind == "sealed_late":
            sealed.unsealed -= cover.adds
            sealed.sealed_late = True

    def _check_beginnings(self) -> Iterator[Finding]:
        for chain, (sequence, digest) in sorted(self._checkpoints.items()):
            if self._expired.get(chain) != (sequence, digest):
                yield Finding(
                    "link_missing",
                    f"chain {chain} begins after link {sequence}, and no link says that what is before it has expired",
                    chain=chain,
                    sequence=sequence,
                )


def _changed(link: Link, what: str) -> Finding:
    return Finding(
        "link_changed",
        f"link {link.sequence} of chain {link.chain} {what}",
        chain=link.chain,
        sequence=link.sequence,
        sealed_at=link.made_at,
    )


def _expired_early(chain: int, first: int, kept: int) -> Finding:
    text = (
        f"chain {chain} begins after link {first}, and link {kept} was kept elsewhere this month: a month of links "
        "expires when it is over, not before"
    )
    return Finding("chain_cut", text, chain=chain, sequence=kept)


def _other(chain: int, sequence: int) -> Finding:
    text = f"link {sequence} of chain {chain} is another one than has been kept elsewhere: the chain was written anew"
    return Finding("chain_cut", text, chain=chain, sequence=sequence)
