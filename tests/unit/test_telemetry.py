"""Counting: nothing is lost, and what Prometheus reads is what was counted."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from collector.config import load_config, shown
from collector.telemetry.counts import Counts, Distribution, Peaks
from collector.telemetry.exposition import Exposition
from collector.telemetry.process import Identity, cpu_seconds, identify, memory_bytes
from collector.telemetry.registry import Registry
from exporter.errors import ConfigError
from tests.scraping import series

DOCUMENTATION = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
IDENTITY = Identity("host-1", "1.2.3", datetime(2026, 9, 21, tzinfo=UTC))

seconds = st.floats(0, 1e9, allow_nan=False)


def metrics(registry: Registry) -> dict[str, float]:
    return series(Exposition(registry, IDENTITY).text().decode())


@given(st.lists(st.lists(seconds, max_size=5)))
def test_a_distribution_counts_each_value_once_below_every_bound_that_it_does_not_exceed(
    groups: list[list[float]],
) -> None:
    bounds = (0.5, 1.0, 60.0)
    made = Distribution(bounds)
    for values in groups:
        made = made.with_values(np.array(values, np.float64))
    values = [value for group in groups for value in group]
    expected = {str(bound): sum(value <= bound for value in values) for bound in bounds}
    assert dict(made.cumulative()) == expected | {"+Inf": len(values)}
    assert made.total == pytest.approx(sum(values))


def test_a_value_on_a_bound_is_within_it() -> None:
    made = Distribution((1.0, 2.0)).with_values(np.array([1.0, 2.0, 2.1]))
    assert made.cumulative() == [("1.0", 1), ("2.0", 2), ("+Inf", 3)]


def test_records_are_the_sum_of_what_became_of_them() -> None:
    registry = Registry()
    registry.written(0.1, stored=5, duplicates=4, quarantined={"data_exception": 2, "not_null_violation": 1})
    registry.dropped({"health checks": 6, "unmatched": 1})
    registry.unavailable(10)
    counts = registry.counts
    assert (counts.stored, counts.duplicates, counts.quarantined, counts.dropped) == (5, 4, 3, 7)
    assert counts.records == 5 + 4 + 3 + 7 + 10


def test_only_answers_other_than_success_are_refusals() -> None:
    registry = Registry()
    for protocol, status, rejected in (
        ("grpc", "OK", None),
        ("http", "200", None),
        ("http", "503", None),
        ("http", "400", "malformed"),
        ("grpc", "INVALID_ARGUMENT", "malformed"),
    ):
        registry.answered(protocol, status, rejected)
    counts = registry.counts
    assert counts.requests == 5
    assert counts.refused_by == {"http 503": 1, "http 400": 1, "grpc INVALID_ARGUMENT": 1}
    assert counts.refused == 3
    assert counts.rejected_by == {"malformed": 2}


def test_what_is_counted_between_two_readings_is_their_difference() -> None:
    registry = Registry()
    registry.answered("http", "200")
    registry.dropped({"a": 1})
    before = registry.counts
    registry.answered("http", "400", "malformed")
    registry.dropped({"b": 2})
    registry.written(1.0, stored=3, duplicates=0, quarantined={})
    assert registry.counts - before == Counts(
        answers=Counter({("http", "400"): 1}),
        rejected_by=Counter({"malformed": 1}),
        stored=3,
        dropped_by=Counter({"b": 2}),
    )


def test_a_reading_stays_as_it_was() -> None:
    registry = Registry()
    registry.dropped({"a": 1})
    before = registry.counts
    registry.dropped({"a": 1})
    assert before.dropped_by == {"a": 1}


def test_the_highest_of_an_interval_is_forgotten_with_it_but_what_waits_goes_on_waiting() -> None:
    registry = Registry()
    registry.waiting(5, 500)
    registry.waiting(2, 200)
    registry.arrived(np.array([3.0, 7.0]))
    registry.written(0.5, stored=2, duplicates=0, quarantined={})
    assert registry.interval()[1] == Peaks(7.0, 0.5, 5, 500)
    assert registry.interval()[1] == Peaks(None, None, 2, 200)


def test_the_highest_of_two_intervals_is_the_higher_of_both() -> None:
    assert Peaks(None, 0.5, 1, 20) | Peaks(3.0, 0.25, 2, 10) == Peaks(3.0, 0.5, 2, 20)
    assert Peaks() | Peaks() == Peaks()


def test_a_record_from_a_clock_that_is_ahead_came_without_delay() -> None:
    registry = Registry()
    registry.arrived(np.array([-60.0]))
    assert registry.interval()[1].lag_seconds == 0.0
    assert registry.reading().lags.total == 0.0


def test_many_threads_count_at_once_and_nothing_is_lost() -> None:
    registry = Registry()

    def count(_: int) -> None:
        registry.answered("http", "200")
        registry.written(0.1, stored=1, duplicates=1, quarantined={"data_exception": 1})
        registry.dropped({"rule": 1})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(800)))
    counts = registry.counts
    assert (counts.requests, counts.stored, counts.quarantined, counts.dropped) == (800, 800, 800, 800)
    assert registry.reading().commits.cumulative()[-1] == ("+Inf", 800)


def test_prometheus_reads_what_was_counted() -> None:
    registry = Registry()
    registry.answered("grpc", "UNAVAILABLE")
    registry.answered("http", "415", "unsupported")
    registry.written(0.02, stored=5, duplicates=4, quarantined={"data_exception": 2})
    registry.dropped({"health checks": 6})
    registry.unavailable(1)
    registry.arrived(np.array([0.05, 400.0]))
    registry.waiting(3, 4096)
    found = metrics(registry)
    expected = {
        "auditgraf_requests_total{protocol=grpc,status=UNAVAILABLE}": 1,
        "auditgraf_requests_total{protocol=http,status=415}": 1,
        "auditgraf_rejected_requests_total{reason=unsupported}": 1,
        "auditgraf_records_total{result=stored}": 5,
        "auditgraf_records_total{result=duplicate}": 4,
        "auditgraf_records_total{result=dropped}": 6,
        "auditgraf_records_total{result=quarantined}": 2,
        "auditgraf_records_total{result=unavailable}": 1,
        "auditgraf_dropped_records_total{rule=health checks}": 6,
        "auditgraf_quarantined_records_total{reason=data_exception}": 2,
        "auditgraf_commit_seconds_bucket{le=0.01}": 0,
        "auditgraf_commit_seconds_bucket{le=0.025}": 1,
        "auditgraf_commit_seconds_sum{}": 0.02,
        "auditgraf_event_lag_seconds_bucket{le=0.1}": 1,
        "auditgraf_event_lag_seconds_bucket{le=1800.0}": 2,
        "auditgraf_event_lag_seconds_count{}": 2,
        "auditgraf_waiting_requests{}": 3,
        "auditgraf_waiting_bytes{}": 4096,
        "auditgraf_collector_info{instance=host-1,version=1.2.3}": 1,
        "process_start_time_seconds{}": IDENTITY.started_at.timestamp(),
    }
    assert {name: found[name] for name in expected} == expected


def test_every_series_that_can_be_known_is_there_before_anything_is_counted() -> None:
    """Else Prometheus takes the first drop after a start for the beginning, and no rate shows it."""
    found = metrics(Registry())
    zero = {name for name, value in found.items() if value == 0}
    assert {
        "auditgraf_requests_total{protocol=grpc,status=OK}",
        "auditgraf_records_total{result=quarantined}",
        "auditgraf_rejected_requests_total{reason=malformed}",
        "auditgraf_dropped_records_total{rule=unmatched}",
        "auditgraf_quarantined_records_total{reason=data_exception}",
        "auditgraf_commit_seconds_count{}",
    } <= zero


def test_a_label_with_quotes_and_line_breaks_comes_back_as_it_was() -> None:
    registry = Registry()
    registry.dropped({'a "rule"\\\n{}': 1})
    assert metrics(registry)['auditgraf_dropped_records_total{rule=a "rule"\\\n{}}'] == 1


def test_every_metric_has_a_text_and_is_in_the_documentation() -> None:
    families = list(text_string_to_metric_families(Exposition(Registry(), IDENTITY).text().decode()))
    text = DOCUMENTATION.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `((?:auditgraf|process)_\w+?)(?:_total|_info)?`", text, re.MULTILINE))
    assert all(family.documentation and family.type != "unknown" for family in families)
    assert {family.name.removesuffix("_info") for family in families} == documented


def test_the_counts_are_one_line_for_the_log_with_the_reasons() -> None:
    registry = Registry()
    registry.answered("http", "200")
    registry.answered("http", "503")
    registry.written(0.1, stored=3, duplicates=1, quarantined={})
    registry.dropped({"probes": 2})
    assert str(registry.counts) == (
        "2 requests (refused 1 [http 503 1]), 6 records: stored 3, duplicates 1, dropped 2 [probes 2], quarantined 0, "
        "to be sent again 0"
    )


def test_each_start_has_a_name_of_its_own() -> None:
    assert identify().instance != identify().instance


def test_what_the_process_takes_is_what_it_took() -> None:
    before, resident = cpu_seconds(), memory_bytes()
    held = bytearray(np.random.default_rng(1).bytes(64 << 20))
    assert cpu_seconds() > before
    assert memory_bytes() - resident > len(held) // 2


@pytest.mark.parametrize("text", ["off", "'off'", "Off", '"OFF"'])
def test_metrics_can_be_switched_off_with_and_without_quotes(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auditgraf.yaml"
    file.write_text(f"telemetry: {{listen: {text}}}\n", encoding="utf-8")
    config = load_config({}, file)
    assert config.telemetry.listen == "off"
    file.write_text(shown(config), encoding="utf-8")
    assert load_config({}, file).telemetry == config.telemetry


def test_where_the_metrics_are_comes_from_the_variable_too() -> None:
    assert load_config({}).telemetry.listen == "127.0.0.1:8888"
    assert load_config({"AUDITGRAF_METRICS_LISTEN": "[::1]:9000"}).telemetry.listen == "[::1]:9000"
    assert load_config({"AUDITGRAF_METRICS_LISTEN": "off"}).telemetry.listen == "off"


@pytest.mark.parametrize("text", ["8888", "localhost", ":8888", "true", "127.0.0.1:70000"])
def test_an_address_of_the_metrics_that_is_none_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ConfigError, match=r"AUDITGRAF_METRICS_LISTEN.*write e\.g\. 127\.0\.0\.1:8888, or off"):
        load_config({"AUDITGRAF_METRICS_LISTEN": text})
