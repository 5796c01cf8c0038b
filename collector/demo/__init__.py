"""`auditgraf demo`: invented audit events of several services, sent by the real OpenTelemetry SDK."""

from collector.demo.send import DemoOptions, run

__all__ = ["DemoOptions", "run"]
