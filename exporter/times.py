"""When a record happened, in whole nanoseconds, and whether its sender's clock can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

NS_PER_US = 1_000
NS_PER_S = 1_000_000_000
INT8_MAX = 2**63 - 1
# Later than this after its own arrival, and still within the window: kept, but flagged.
_SKEW_NS = 300 * NS_PER_S
# As long as senders retry: meanwhile the window moves on, and with it the side of its edge that a time is on.
_EDGE_NS = 900 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Times:
    """A row per record."""

    occurred_ns: np.ndarray  # int64
    observed_ns: pl.Series  # Int64, null where not given or beyond bigint
    by_arrival: np.ndarray  # bool: filed under the arrival time
    near_edge: np.ndarray  # bool: a retry may find the time on the other side of the window's edge
    own_ns: np.ndarray  # uint64: the time that the sender gave, 0 for none
    flags: dict[str, np.ndarray]  # flag -> bool by record


def resolve(
    time: np.ndarray, observed: np.ndarray, *, arrival_ns: int, earliest_ns: np.ndarray, latest_ns: int
) -> Times:
    """Timestamp, else ObservedTimestamp, else the arrival (data model: single-timestamp stores).

    `time`, `observed`: uint64 nanoseconds, 0 for unknown. A time before the record's `earliest_ns` or after
    `latest_ns` never decides about a partition: such a record is filed under its arrival.
    """
    own = np.where(time != 0, time, observed)
    none = own == 0
    # Compared as unsigned: a fixed64 goes beyond what int64 holds.
    outside = ~none & ((own < earliest_ns.astype(np.uint64)) | (own > np.uint64(latest_ns)))
    by_arrival = none | outside
    occurred = np.where(by_arrival, np.uint64(arrival_ns), own).astype(np.int64)
    too_late = observed > np.uint64(INT8_MAX)
    flags = {
        "no_timestamp": none,
        "bad_timestamp": outside | too_late,
        "clock_skew": ~by_arrival & (occurred > arrival_ns + _SKEW_NS),
    }
    unknown = (observed == 0) | too_late
    observed_ns = pl.Series(np.where(unknown, 0, observed).astype(np.int64)).set(pl.Series(unknown), None)
    edge = np.uint64(_EDGE_NS)
    near_edge = ~none & ((_distance(own, earliest_ns.astype(np.uint64)) < edge) | (_distance(own, latest_ns) < edge))
    return Times(
        occurred, observed_ns, by_arrival, near_edge, own, {name: mask for name, mask in flags.items() if mask.any()}
    )


def _distance(times: np.ndarray, others: np.ndarray | int) -> np.ndarray:
    """How far apart, of unsigned numbers."""
    bound = np.asarray(others, np.uint64)
    distance: np.ndarray = np.maximum(times, bound) - np.minimum(times, bound)
    return distance


def as_text(occurred_us: np.ndarray) -> pl.Series:
    """Microseconds since 1970 as PostgreSQL reads a timestamptz."""
    seconds = pl.Series(occurred_us // 1_000_000)
    # Few distinct seconds in a group, so the calendar is asked for those only.
    distinct = seconds.unique()
    texts = pl.from_epoch(distinct, time_unit="s").dt.to_string("%Y-%m-%d %H:%M:%S.")
    fraction = pl.Series(occurred_us % 1_000_000).cast(pl.String).str.zfill(6)
    whole = seconds.replace_strict(distinct, texts, return_dtype=pl.String)
    return pl.select(pl.concat_str(whole, fraction, pl.lit("+00"))).to_series()
