"""Redaction: secrets leave the records before anything is written anywhere. For transform.py and the collector.

The configuration imports this, and with it every command; who redacts imports exporter.redaction.redactor.
"""

from exporter.redaction.options import Redaction

__all__ = ["Redaction"]
