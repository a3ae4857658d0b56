"""Importers: one file per format, one row in the catalog."""
