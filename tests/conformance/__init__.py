"""OTLP's specification as tests: real sockets, real SDK exporters. G1, H11, J3 name the requirement tested."""
