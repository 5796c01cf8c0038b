"""How the collector is doing: counts, for Prometheus to scrape and, every few seconds, as a row in PostgreSQL.

Everything counts into one Registry. The rest of the collector knows that, and what is done with it happens here.
"""
