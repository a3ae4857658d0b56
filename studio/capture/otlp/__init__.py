"""Traces of OpenTelemetry: which of their spans are calls, in each of the conventions that are in use."""
