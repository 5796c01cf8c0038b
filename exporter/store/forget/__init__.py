"""Forgetting a person: a pseudonym takes the place of all that names one, and everybody can see that it did."""

from exporter.store.forget.order import Archives, Concerned, Forgotten, Order, Preview, forget, preview
from exporter.store.forget.recognise import Recogniser

__all__ = ["Archives", "Concerned", "Forgotten", "Order", "Preview", "Recogniser", "forget", "preview"]
