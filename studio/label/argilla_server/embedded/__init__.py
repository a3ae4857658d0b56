"""What lets the unmodified argilla-server run with one SQLite file and nothing else.

These modules run in Argilla's own environment and import nothing of the studio.
"""
