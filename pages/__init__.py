"""Pixels: one thin file per stage of the loop. No code imports these; the router runs them by path."""
