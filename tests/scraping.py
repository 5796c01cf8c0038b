"""What Prometheus would read from a collector."""

from __future__ import annotations

from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.collector_process import WAIT, CollectorProcess


def series(text: str) -> dict[str, float]:
    """Every series of an exposition, as name{label=value,...}."""
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(process: CollectorProcess) -> dict[str, float]:
    """What a running collector answers at /metrics."""
    with urlopen(f"http://127.0.0.1:{process.metrics_port}/metrics", timeout=WAIT) as response:
        return series(response.read().decode())
