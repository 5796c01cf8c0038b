"""The spool: groups of events on disk while PostgreSQL can't take them, and their way into it afterwards."""

from collector.spool.folder import Spool, Waiting, waiting_in
from collector.spool.spooler import Spooler

__all__ = ["Spool", "Spooler", "Waiting", "waiting_in"]
