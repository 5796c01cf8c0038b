"""`auditgraf query`, `show`, `export`, `stats`: stored events on the terminal and in files."""
