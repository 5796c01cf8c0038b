"""The wire: OTLP protobuf to columns, OTLP JSON to protobuf."""
