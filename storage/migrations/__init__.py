"""Schema history. `storage.migrate` runs it; `python -m storage.migrate new "message"` writes the next step."""
