"""Improve: what production says, and the next turn of the loop."""
