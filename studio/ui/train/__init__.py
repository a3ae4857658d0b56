"""The Train page: setting a run up, watching it, and what became of it."""
