"""`auditgraf explain` and `serve --trace`: what becomes of records, and why. For cli.py and server.py."""
