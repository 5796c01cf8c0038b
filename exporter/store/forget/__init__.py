"""Forgetting a person: a pseudonym takes the place of all that names one, and everybody can see that it did."""

from exporter.store.forget.order import Forgotten, Preview, forget, preview

__all__ = ["Forgotten", "Preview", "forget", "preview"]
