"""When a record happened, in whole nanoseconds, and whether its sender's clock can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

NS_PER_US = 1_000
NS_PER_S = 1_000_000_000
INT8_MAX = 2**63 - 1
Form = Literal["auto", "iso8601", "seconds", "milliseconds", "microseconds", "nanoseconds"]
_PER_UNIT = {"seconds": NS_PER_S, "milliseconds": 1_000_000, "microseconds": NS_PER_US, "nanoseconds": 1}
# ISO 8601 and what is commonly written instead: a space for the T, a comma, an offset without its colon, `UTC`.
_ISO = (
    r"^\s*(?P<day>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9})\d*)?"
    r"\s*(?:[Zz]|UTC|GMT|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?|(?P<none>))\s*$"
)
_SHORTEST = 9  # digits of seconds since 1970; a shorter number is something else, a duration most likely
_NUMBER = r"^\s*(?P<whole>\d{1,20})(?:\.(?P<fraction>\d{1,9})\d*)?\s*$"
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


def parse(texts: pl.Series, form: Form = "auto", timezone: str = "UTC") -> pl.Series:
    """Texts as nanoseconds since 1970 (Int64); null where a text is no such time, or none between 1970 and 2262.

    `auto` takes ISO 8601 or a number, whose size tells its unit: the present has 10 digits in seconds and 19 in
    nanoseconds. `timezone` is what a text without an offset is meant in (IANA name).
    """
    if texts.null_count() == len(texts):
        return texts.cast(pl.Int64)
    iso = _iso(texts, timezone) if form in {"auto", "iso8601"} else None
    numbers = None if form == "iso8601" else _numbers(texts, form)
    if iso is None or numbers is None:
        only = iso if numbers is None else numbers
        assert only is not None
        return only
    return iso.zip_with(iso.is_not_null(), numbers)


def _iso(texts: pl.Series, timezone: str) -> pl.Series:
    parts = texts.str.extract_groups(_ISO).struct.unnest()
    moment = pl.concat_str("day", pl.lit("T"), "time").str.to_datetime(
        "%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False
    )
    local = moment.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    offset = (pl.col("hours").cast(pl.Int64) * 60 + pl.col("minutes").fill_null("00").cast(pl.Int64)) * 60
    signed = pl.when(pl.col("sign") == "-").then(-offset).otherwise(offset).fill_null(0)
    us = pl.when(pl.col("none").is_not_null()).then(local.dt.epoch("us")).otherwise(moment.dt.epoch("us"))
    fraction = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64).fill_null(0)
    seconds = us // 1_000_000 - signed
    return parts.select(_bounded(seconds, fraction)).to_series()


def _numbers(texts: pl.Series, form: Form) -> pl.Series:
    parts = texts.str.extract_groups(_NUMBER).struct.unnest()
    whole = pl.col("whole").cast(pl.UInt64, strict=False)
    digits = pl.col("whole").str.len_bytes()
    units: pl.Expr = pl.lit(_PER_UNIT.get(form, 1), pl.UInt64)
    if form == "auto":
        whole = pl.when(digits >= _SHORTEST).then(whole)
        units = pl.lit(1, pl.UInt64)
        for name, most in (("microseconds", 17), ("milliseconds", 14), ("seconds", 11)):
            units = pl.when(digits <= most).then(pl.lit(_PER_UNIT[name], pl.UInt64)).otherwise(units)
    per_second = NS_PER_S // units
    seconds = (whole // per_second).cast(pl.Int64, strict=False)
    rest = (whole % per_second * units).cast(pl.Int64)
    fraction = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64).fill_null(0) * units.cast(pl.Int64) // NS_PER_S
    return parts.select(_bounded(seconds, rest + fraction)).to_series()


def _bounded(seconds: pl.Expr, fraction: pl.Expr) -> pl.Expr:
    believable = seconds.is_between(0, INT8_MAX // NS_PER_S - 1)
    return pl.when(believable).then(pl.when(believable).then(seconds).otherwise(0) * NS_PER_S + fraction)
