"""Redaction: secrets leave the records before anything is written anywhere. For transform.py and the collector."""

from exporter.redaction.options import Redaction
from exporter.redaction.redactor import Finding, Redactor

__all__ = ["Finding", "Redaction", "Redactor"]
