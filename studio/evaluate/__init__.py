"""Evaluate: models on golden examples, with intervals."""
