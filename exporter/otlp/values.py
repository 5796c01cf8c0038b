"""AnyValue columns as text: the plain form that columns take, and the JSON form that jsonb takes.

JSON follows the specification's rule for other formats (specification/common/README.md): bytes as base64, NaN and
Infinity as strings, an empty value as null.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

from exporter.errors import MalformedRequestError
from exporter.otlp.jsonb import NUL_REPLACEMENT, dumps

_NESTED = ("array_value", "kvlist_value")


class NestedValueError(MalformedRequestError):
    """A nested value is no valid protobuf; `index` is its place in the column."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True)
class Values:
    """One column of AnyValues."""

    text: pl.Series  # String; null where there is no value
    json: pl.Series  # String of JSON; "null" where there is no value
    had_nul: np.ndarray | None  # bool per value where a U+0000 was replaced; None: nowhere
    nested: np.ndarray | None = None  # bool per value: an array or a map; None: nowhere


def render(column: pa.StructArray) -> Values:
    """Renders a column of AnyValue structs (see wire.py).

    Raises NestedValueError where an array or map in it can't be decoded.
    """
    strings, had_nul = clean(column.field("string_value"))
    forms: list[tuple[pl.Series, pl.Series]] = []
    others: dict[str, pa.Array] = {
        name: field
        for name in ("int_value", "double_value", "bool_value", "bytes_value", "array_value", "kvlist_value")
        if (field := column.field(name)).null_count < len(field)
    }
    quoted = quote(strings)
    inside: np.ndarray | None = None
    for name, field in others.items():
        if name in _NESTED:
            valid = field.is_valid().to_numpy(zero_copy_only=False)
            inside = valid if inside is None else inside | valid
            nested, nul = _render_nested(name, field)
            if nul is not None:
                had_nul = nul if had_nul is None else had_nul | nul
            forms.append((nested, nested))
        else:
            forms.append(_render_scalar(name, _series(field)))
    if column.null_count:
        # The children of a missing struct are missing too, but Arrow does not promise it.
        absent = pl.Series(column.is_null().to_numpy(zero_copy_only=False))
        strings, quoted = (form.set(absent, None) for form in (strings, quoted))
    text, json = strings, quoted
    if forms:
        text = pl.select(pl.coalesce(strings, *(form[0] for form in forms))).to_series()
        json = pl.select(pl.coalesce(quoted, *(form[1] for form in forms))).to_series()
    return Values(text, json.fill_null("null") if json.null_count() else json, had_nul, inside)


def clean(column: pa.StringArray) -> tuple[pl.Series, np.ndarray | None]:
    """A string column without U+0000, and where there was one (None: nowhere)."""
    series = _series(column)
    if not (_bytes_of(column) == 0).any():
        return series, None
    had_nul = series.str.contains("\0", literal=True).fill_null(False).to_numpy()
    return series.str.replace_all("\0", NUL_REPLACEMENT, literal=True), had_nul


def quote(strings: pl.Series) -> pl.Series:
    """Strings as JSON strings; null stays null."""
    data = _bytes_of(strings.to_arrow())
    if ((data < 0x20) | (data == 0x22) | (data == 0x5C)).any():
        encoded = strings.to_frame("s").select(
            pl.when(pl.col("s").is_not_null()).then(
                pl.struct(pl.col("s")).struct.json_encode().str.strip_prefix('{"s":').str.strip_suffix("}")
            )
        )
        return encoded.to_series()
    return strings.to_frame("s").select(pl.concat_str(pl.lit('"'), "s", pl.lit('"'))).to_series()


def as_json(value: AnyValue) -> Any:
    """One AnyValue as what `dumps` can write."""
    kind = value.WhichOneof("value")
    if kind is None or kind == "string_value_strindex":  # an index into a table that only profiles have
        return None
    if kind == "array_value":
        return [as_json(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_as_json(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value" and not math.isfinite(value.double_value):
        return _non_finite(value.double_value)
    return getattr(value, kind)


def attributes_as_json(attributes: Any) -> dict[str, Any]:
    """Repeated KeyValue as a dict; the last of duplicate keys wins."""
    return {attribute.key: as_json(attribute.value) for attribute in attributes}


def _non_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _render_scalar(name: str, series: pl.Series) -> tuple[pl.Series, pl.Series]:
    if name == "bytes_value":
        text = series.bin.encode("base64")
        return text, quote(text)
    if name in {"bool_value", "int_value"}:
        text = series.cast(pl.String)
        return text, text
    text = series.cast(pl.String)
    if series.is_finite().fill_null(True).all():
        return text, text
    finite = pl.col("v").is_finite()
    named = (
        pl.when(pl.col("v").is_nan()).then(pl.lit("NaN"))
        .when(pl.col("v") > 0).then(pl.lit("Infinity"))
        .when(pl.col("v") < 0).then(pl.lit("-Infinity"))
    )  # fmt: skip
    frame = series.to_frame("v").select(
        text=pl.when(finite).then(pl.col("v").cast(pl.String)).otherwise(named),
        json=pl.when(finite)
        .then(pl.col("v").cast(pl.String))
        .otherwise(pl.concat_str(pl.lit('"'), named, pl.lit('"'))),
    )
    return frame["text"], frame["json"]


def _render_nested(name: str, field: pa.BinaryArray) -> tuple[pl.Series, np.ndarray | None]:
    """The slow way, value by value: arrays and maps are rare among attributes."""
    rendered: list[str | None] = [None] * len(field)
    had_nul: np.ndarray | None = None
    for index in np.flatnonzero(field.is_valid().to_numpy(zero_copy_only=False)):
        try:
            value = _nested(name, field[index].as_py())
        except DecodeError as failure:
            raise NestedValueError(int(index), f"a nested value can't be decoded: {failure}") from None
        rendered[index], replaced = dumps(as_json(value))
        if replaced:
            had_nul = np.zeros(len(field), bool) if had_nul is None else had_nul
            had_nul[index] = True
    return pl.Series(rendered, dtype=pl.String), had_nul


def _nested(name: str, data: bytes) -> AnyValue:
    if name == "array_value":
        return AnyValue(array_value=ArrayValue.FromString(data))
    return AnyValue(kvlist_value=KeyValueList.FromString(data))


def _series(array: pa.Array) -> pl.Series:
    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series


def _bytes_of(column: pa.Array) -> np.ndarray:
    """The bytes of all strings of an Arrow array, without copying where it is not a string view."""
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    data = column.buffers()[2]
    if data is None or len(column) == 0:
        return np.empty(0, np.uint8)
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    offsets = np.frombuffer(column.buffers()[1], width)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
