"""Ways to choose examples for people."""
