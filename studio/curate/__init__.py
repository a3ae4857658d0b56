"""Curate: from logs to a clean dataset and immutable versions."""
