"""The library: OTLP log records to audit events to PostgreSQL. No network server in here; imports nothing above it."""
