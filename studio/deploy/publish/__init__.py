"""Publish: a model, with a card written from its lineage, to the Hub or a folder that others see."""
