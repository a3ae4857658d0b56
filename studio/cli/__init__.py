"""The command line: every step of the loop as a command, the same verbs as the pages' buttons."""

from studio.cli.app import main

__all__ = ["main"]
