"""`auditgraf tail`: events on the terminal as they are committed."""

from collector.tail.filter import TailFilter, parse_severity
from collector.tail.follow import follow

__all__ = ["TailFilter", "follow", "parse_severity"]
