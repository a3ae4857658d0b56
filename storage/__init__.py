"""Nouns: tables, repositories, migrations and artifacts. Imports nothing of `studio`."""
