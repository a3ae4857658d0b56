"""Warm start: one process per worker has the trainers loaded, and training jobs are forked from it."""
