"""The client's address behind proxies that the administrator trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from exporter.mapping.column import Column
from exporter.mapping.columns import Source
from exporter.mapping.fields import Picker
from exporter.mapping.trace import Trace

if TYPE_CHECKING:
    from exporter.enrich.forwarded import TrustedProxies


def _keys(header: str) -> tuple[Source, ...]:
    # Older senders wrote the header's name with underscores.
    names = (header, header.replace("-", "_"))
    return tuple(Source("attribute", f"http.request.header.{name}") for name in dict.fromkeys(names))


_PEER = tuple(
    Source("attribute", key) for key in ("network.peer.address", "net.sock.peer.addr", "net.peer.ip", "client.address")
)
_HEADERS = tuple(_keys(header) for header in ("forwarded", "x-forwarded-for", "x-real-ip"))
CLIENT_KEYS = frozenset(source.key for several in (_PEER, *_HEADERS) for source in several)


def resolve_clients(
    proxies: TrustedProxies,
    columns: dict[str, Column],
    picker: Picker,
    by_rule: np.ndarray,
    trace: Trace | None = None,
) -> None:
    """Puts the address that the headers of trusted proxies tell into `client_address`.

    `by_rule`: records (bool) whose address a rule copied, which knows better.
    """
    headers = [picker.column(sources, nested=True).values for sources in _HEADERS]
    given = np.logical_or.reduce([header.is_not_null().to_numpy() for header in headers])
    if not given.any():
        return
    peer = picker.column(_PEER).values
    rows = np.flatnonzero(given & peer.is_not_null().to_numpy() & ~by_rule)
    known: dict[tuple[str | None, ...], str | None] = {}
    texts: list[str | None] = []
    for told in zip(*(column.gather(rows).to_list() for column in (peer, *headers)), strict=True):
        if told not in known:
            known[told] = proxies.client(*told) if proxies.trusts(told[0]) else None
        texts.append(known[told])
    found = pl.Series([None], dtype=pl.String).new_from_index(0, len(given)).scatter(rows, texts)
    column = columns["client_address"]
    other = (found.is_not_null() & found.ne_missing(column.values)).to_numpy()
    column.replace(other, Column.of(found))
    if trace is not None:
        trace.computed("client_address", "trusted_proxies", other)
