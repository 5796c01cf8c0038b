"""Grafana dashboards as data: panels, queries, colours.

`dashboards.build.build(options)` gives every dashboard as JSON bytes. Imports nothing of the other packages: the names
of the schema in `sql/*.sql` are all that it shares with them.
"""
