"""`python -m collector` is `auditgraf`."""

from collector.cli import main

main()
