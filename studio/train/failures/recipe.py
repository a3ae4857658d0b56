"""The recipe says something that the trainer does not understand."""

from __future__ import annotations

import re

from studio.train.failures.case import Case, Failure

READ = "Correct it under Advanced and train again"


def unknown_key(case: Case) -> Failure | None:
    """A key that TRL does not have."""
    line = case.line(
        r"Unknown arguments from config file", r"unrecognized arguments", r"There is no (?:key|training value)"
    )
    if not line:
        return None
    named = re.search(r"--([\w-]+)|'([\w-]+)'", line)
    key = next((part for part in named.groups() if part), "") if named else ""
    cause = f"The recipe has a key that the trainer does not know: {key}." if key else "The recipe has an unknown key."
    return Failure("unknown_key", cause, line, READ, page="train")


def bad_value(case: Case) -> Failure | None:
    """A value that TRL does not accept."""
    line = case.line(
        r"is not a valid \w+, please select one of", r"argument --[\w/-]+.*: invalid", r"The recipe cannot be read"
    )
    if not line:
        return None
    return Failure("bad_value", "The recipe has a value that the trainer does not accept.", line, READ, page="train")
