"""`auditgraf tail`: events on the terminal as they are committed."""

from collector.severity import parse_severity
from collector.tail.filter import TailFilter
from collector.tail.follow import follow

__all__ = ["TailFilter", "follow", "parse_severity"]
