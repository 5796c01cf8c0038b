"""`auditgraf verify` on the command line: what it takes, what it prints."""
