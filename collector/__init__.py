"""The service: OTLP in, acknowledgements out, and the command line. May import everything below it."""
