"""Mapped text to what the columns of audit.events take: numbers, addresses, places, JSON, flags."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import orjson
import polars as pl

from exporter.enrich import changes
from exporter.enrich.addresses import UNKNOWN, Addresses
from exporter.enrich.geoip import GeoIp
from exporter.identity import join
from exporter.mapping.column import Column
from exporter.mapping.columns import CHOICES, OUTCOMES
from exporter.mapping.compile import Mapped
from exporter.otlp.decode import Records
from exporter.redaction.redactor import Redactor
from exporter.times import Times

# PostgreSQL refuses index entries over 2704 bytes; these are indexed, together with a time.
_INDEXED_BYTES = {"actor_id": 1024, "target_id": 1024, "target_type": 256}
_WHO = ("actor_id", "actor_name", "actor_email", "on_behalf_of")
_WHAT = ("action", "target_type", "target_id", "target_name", "message")
_PLAIN = (*_WHO, *_WHAT, "service", "environment", "tenant", "session_id", "user_agent")
_ACTOR_TYPES = {name: name for name in CHOICES["actor_type"]}
_NUMBERS = {"latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0), "asn": (0.0, 2.0**32 - 1)}
_PLACE = ("country", "city", "latitude", "longitude")
_SEVERITY_MAX = 32767  # smallint
_INVALID_ID = {"trace_id": 16, "span_id": 8}


class Finisher:
    """Turns what the mapping says into columns. For one thread: it remembers addresses."""

    def __init__(self, geo: GeoIp | None, redactor: Redactor | None = None) -> None:
        """`redactor` sees to documents of changes, which are read from the records as they came."""
        self._geo = geo
        self._redactor = redactor
        self._addresses = Addresses()

    def columns(self, records: Records, mapped: Mapped, when: Times) -> list[pl.Series]:
        """Every column of an event but its id, its times and its source."""
        flags = dict(records.flags)
        for name, where in (*when.flags.items(), *mapped.flags.items()):
            _flag(flags, name, where)
        found: dict[str, pl.Series] = {}
        for name in _PLAIN:
            if name in mapped.columns:
                found[name] = self._plain(name, mapped.columns[name], mapped, flags)
        found["outcome"] = _choice("outcome", OUTCOMES, mapped).fill_null("unknown")
        found["actor_type"] = _choice("actor_type", _ACTOR_TYPES, mapped)
        for name, (low, high) in _NUMBERS.items():
            found[name] = _number(name, low, high, mapped, flags)
        for name in ("city", "as_org"):
            if name in mapped.columns:
                found[name] = mapped.columns[name].values
        if "country" in mapped.columns:
            found["country"] = _country(mapped.columns["country"], mapped, flags)
        self._locate(found, mapped, flags)
        found["changes"] = _changes(mapped, flags, self._redactor)
        found |= _ids(records, mapped)
        severity = records.columns["severity_number"]
        if ((severity < 0) | (severity > _SEVERITY_MAX)).any():
            out = ~severity.is_between(0, _SEVERITY_MAX)
            flags["bad_severity"] = out.to_numpy()
            mapped.add_field("severity_number", _text_where(out, severity), records)
        found["severity"] = severity.clip(0, _SEVERITY_MAX)
        text = records.columns["severity_text"]
        found["severity_text"] = text.set(text == "", None)
        found["attributes"] = _attributes(records, mapped, when)
        found["flags"] = _flag_arrays(flags, len(records))
        return [series.alias(name) for name, series in found.items()]

    def _plain(self, name: str, column: Column, mapped: Mapped, flags: dict[str, np.ndarray]) -> pl.Series:
        limit = _INDEXED_BYTES.get(name)
        values = column.values
        longest = values.str.len_bytes().max() if limit else None
        if limit is None or not isinstance(longest, int) or longest <= limit:
            return values
        long = (values.str.len_bytes() > limit).fill_null(False)
        _flag(flags, "truncated", long.to_numpy())
        # The whole of it stays an attribute.
        mapped.give_back(column.picked[long.to_numpy()])
        cut = [text.encode()[:limit].decode(errors="ignore") for text in values.filter(long)]
        return values.scatter(np.flatnonzero(long.to_numpy()), cut)

    def _locate(self, found: dict[str, pl.Series], mapped: Mapped, flags: dict[str, np.ndarray]) -> None:
        """client_ip, client_address, and what the databases know of the address."""
        given = mapped.columns.get("client_address")
        if given is None or given.values.null_count() == len(given.values):
            return
        encoded = given.values.to_arrow().dictionary_encode()
        parsed = self._addresses.parse(encoded.dictionary.to_pylist())
        # Row to place among the distinct addresses; one place more stands for 'none'.
        none = len(parsed)
        code = np.where(given.values.is_null().to_numpy(), none, encoded.indices.fill_null(0).to_numpy())
        addresses = pl.Series([*parsed, None], dtype=pl.String)
        found["client_ip"] = addresses.gather(code)
        invalid = found["client_ip"].is_null() & given.values.is_not_null()
        unknown = found["client_ip"].is_in(list(UNKNOWN)).fill_null(False)
        if unknown.any():
            mapped.give_back(given.picked[unknown.to_numpy()])
            found["client_ip"] = found["client_ip"].set(unknown, None)
        if invalid.any():
            flags["bad_ip"] = invalid.to_numpy()
            found["client_address"] = given.values.set(~invalid, None)
        # A port or a zone: the address is in its column, the text as sent stays an attribute.
        other = (found["client_ip"] != given.values).fill_null(False)
        if other.any():
            mapped.give_back(given.picked[other.to_numpy()])
        if self._geo is not None:
            self._place(found, parsed, code)

    def _place(self, found: dict[str, pl.Series], parsed: list[str | None], code: np.ndarray) -> None:
        assert self._geo is not None
        places = self._geo.lookup([address or "" for address in parsed])
        if not any(places):
            return
        looked_up = {
            name: pl.Series([getattr(place, name, None) for place in (*places, None)], strict=False).gather(code)
            for name in (*_PLACE, "asn", "as_org")
        }
        # What the sender says wins; the rest is filled in only where it can't contradict that.
        country = found.get("country")
        agrees = None if country is None else country.is_null() | country.eq_missing(looked_up["country"])
        placed = [found[name].is_not_null() for name in ("latitude", "longitude", "city") if name in found]
        for name, values in looked_up.items():
            if values.dtype == pl.Null:
                continue
            mine = found.get(name)
            if mine is None or mine.null_count() == len(mine):
                fill = values
            else:
                fill = mine.zip_with(mine.is_not_null(), values.cast(mine.dtype))
            if name in _PLACE:
                allowed = agrees if agrees is not None else pl.Series([True]).new_from_index(0, len(code))
                if name != "country":
                    for sent in placed:
                        allowed = allowed & ~sent
                base = mine if mine is not None else pl.Series([None], dtype=fill.dtype).new_from_index(0, len(code))
                fill = fill.zip_with(allowed, base.cast(fill.dtype))
            found[name] = fill


def _flag(flags: dict[str, np.ndarray], name: str, where: np.ndarray) -> None:
    flags[name] = flags[name] | where if name in flags else where


def _choice(name: str, words: dict[str, str], mapped: Mapped) -> pl.Series:
    """A column of few values; an unknown word stays an attribute."""
    column = mapped.columns[name]
    if column.values.null_count() == len(column.values):
        return column.values
    chosen = (
        column.values.str.strip_chars()
        .str.to_lowercase()
        .replace_strict(list(words), list(words.values()), default=None, return_dtype=pl.String)
    )
    rewritten = column.values.is_not_null() & chosen.ne_missing(column.values)
    mapped.give_back(column.picked[rewritten.to_numpy()])
    return chosen


def _number(name: str, low: float, high: float, mapped: Mapped, flags: dict[str, np.ndarray]) -> pl.Series:
    kind = pl.Int64 if name == "asn" else pl.Float64
    column = mapped.columns.get(name)
    if column is None or column.values.null_count() == len(column.values):
        length = len(mapped.audit)
        return pl.Series([None], dtype=kind).new_from_index(0, length)
    text = column.values.str.strip_prefix("AS") if name == "asn" else column.values
    number = text.cast(kind, strict=False)
    number = number.set(~number.is_between(low, high).fill_null(False), None)
    bad = (number.is_null() & column.values.is_not_null()).to_numpy()
    if bad.any():
        _flag(flags, "bad_location", bad)
        mapped.give_back(column.picked[bad])
    return number


def _country(column: Column, mapped: Mapped, flags: dict[str, np.ndarray]) -> pl.Series:
    """Two capitals (ISO 3166-1); anything else stays an attribute."""
    if column.values.null_count() == len(column.values):
        return column.values
    code = column.values.str.to_uppercase()
    bad = (~code.str.contains("^[A-Z]{2}$")).fill_null(False).to_numpy()
    if bad.any():
        _flag(flags, "bad_location", bad)
        mapped.give_back(column.picked[bad])
        code = code.set(pl.Series(bad), None)
    return code


def _changes(mapped: Mapped, flags: dict[str, np.ndarray], redactor: Redactor | None) -> pl.Series:
    column = mapped.columns["changes"]
    rows = np.flatnonzero(column.values.is_not_null().to_numpy())
    if not len(rows):
        return column.values
    secret = redactor.is_secret if redactor else changes.never
    read = [changes.read(text, secret=secret) for text in column.values.gather(rows)]
    if mapped.shown_changes is not None:
        shown = zip(column.values.gather(rows).to_list(), mapped.shown_changes.gather(rows).to_list(), strict=True)
        read = [
            one if one is None or whole == part else changes.only_what_is_shown(one, part, secret=secret)
            for one, (whole, part) in zip(read, shown, strict=True)
        ]
    count = len(column.values)
    bad, with_nul, partly = np.zeros(count, bool), np.zeros(count, bool), np.zeros(count, bool)
    bad[rows] = [change is None for change in read]
    with_nul[rows] = [change is not None and change.had_nul for change in read]
    partly[rows] = [change is not None and not change.complete for change in read]
    if bad.any():
        flags["bad_changes"] = bad
    mapped.give_back(column.picked[bad | partly])
    if with_nul.any():
        _flag(flags, "nul_replaced", with_nul)
    texts = [change.json if change is not None and change.document else None for change in read]
    stored = column.values.clone().scatter(rows, texts)
    return redactor.documents(stored) if redactor else stored


def _ids(records: Records, mapped: Mapped) -> dict[str, pl.Series]:
    """Trace and span ids in hex; what has not their length is no id, and stays an attribute."""
    found = {}
    for name, width in _INVALID_ID.items():
        ids = records.columns[name]
        text = ids.bin.encode("hex")
        given = ids.bin.size() > 0
        valid = (ids.bin.size() == width) & (text != "0" * 2 * width)
        if not valid.all():
            text = text.set(~valid, None)
            odd = given & ~valid & (ids.bin.size() != width)
            if odd.any():
                raw = pl.concat_str(pl.lit('"'), pl.lit(ids.bin.encode("hex")), pl.lit('"'))
                mapped.add_field(f"invalid_{name}", pl.select(pl.when(odd).then(raw)).to_series(), records)
        found[name] = text
    return found


def _attributes(records: Records, mapped: Mapped, when: Times) -> pl.Series:
    """The jsonb of all that no column took, in the order sent; what the record says beside attributes comes last."""
    attributes = records.attributes
    names = pl.Series(mapped.keys, dtype=pl.String).gather(mapped.key)
    kept = mapped.keep
    before = np.concatenate([[0], np.cumsum(kept)])
    items = pl.select(pl.concat_str(names, attributes.json)).to_series()
    own = join(items if kept.all() else items.filter(kept), before[attributes.offsets])
    _add_fields(records, mapped, when)
    extras = mapped.extras
    if not extras:
        return pl.select(pl.concat_str(pl.lit("{"), own, pl.lit("}"))).to_series()
    members = [pl.lit(own.set(own == "", None))]
    members += [pl.concat_str(pl.lit(key), values) for key, values in _sorted(extras)]
    return pl.select(
        pl.concat_str(pl.lit("{"), pl.concat_str(members, separator=",", ignore_nulls=True), pl.lit("}"))
    ).to_series()


def _add_fields(records: Records, mapped: Mapped, when: Times) -> None:
    """What records say beside attributes and columns: counts, trace flags, times that could not be used."""
    columns = records.columns
    trace_flags = columns["flags"] & 0xFF  # the other bits are reserved
    dropped = columns["dropped_attributes_count"]
    for key, number in (("otel.dropped_attributes_count", dropped), ("trace_flags", trace_flags)):
        if number.max():
            mapped.add_field(key, _text_where(number > 0, number), records)
    filed = pl.Series(when.by_arrival & (when.own_ns != 0))
    if filed.any():
        mapped.add_field("time_unix_nano", _text_where(filed, pl.Series(when.own_ns)), records)
    observed = columns["observed_time_unix_nano"]
    lost = when.observed_ns.is_null() & (observed != 0)
    if lost.any():
        mapped.add_field("observed_time_unix_nano", _text_where(lost, observed), records)


def _text_where(where: pl.Series, numbers: pl.Series) -> pl.Series:
    return pl.select(pl.when(where).then(numbers.cast(pl.String))).to_series()


def _sorted(extras: dict[str, pl.Series]) -> Iterable[tuple[str, pl.Series]]:
    return [(orjson.dumps(key).decode() + ":", extras[key]) for key in sorted(extras)]


def _flag_arrays(flags: dict[str, np.ndarray], count: int) -> pl.Series:
    """text[] as PostgreSQL reads it; the names are ours, so nothing needs quoting."""
    empty = pl.Series(["{}"]).new_from_index(0, count)
    raised = {name: where for name, where in flags.items() if where.any()}
    if not raised:
        return empty
    rows = np.flatnonzero(np.logical_or.reduce(list(raised.values())))
    arrays = ["{" + ",".join(sorted(name for name, where in raised.items() if where[row])) + "}" for row in rows]
    return empty.scatter(rows, arrays)
