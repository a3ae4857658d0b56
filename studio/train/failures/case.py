"""What is known about a failed run, laid out for the rules that look for its cause."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from studio.train.events import in_force, series
from studio.train.failures.signs import chain


@dataclass(frozen=True)
class Failure:
    """Why a run failed, how that is known, and the change that makes it go."""

    rule: str
    cause: str
    evidence: str
    label: str
    """What the fix's button says."""
    overrides: dict[str, Any] = field(default_factory=dict)
    resume: bool = False
    """Go on from the newest checkpoint instead of starting anew."""
    page: str = ""
    """Where a person has to do something first; "" when the button does it all."""

    def to_dict(self, log_line: str = "") -> dict[str, Any]:
        """As `TrainingRun.failure` keeps it."""
        fix = {"label": self.label, "overrides": self.overrides, "resume": self.resume, "page": self.page}
        facts = {"rule": self.rule, "cause": self.cause, "evidence": self.evidence}
        return facts | {"fix": fix, "log_line": log_line}


@dataclass(frozen=True)
class Case:
    """A failed attempt: what was raised, what the run told, the end of its log, and what was planned."""

    text: str
    """Every error in the chain as "Type: message", the files it passed through, then the log's end."""
    types: frozenset[str]
    events: list[dict[str, Any]]
    """All events, undone ones too."""
    plan: dict[str, Any]
    target: dict[str, Any] = field(default_factory=dict)
    """What the method is there to move, before and after, of a run that reached its end."""

    @classmethod
    def of(
        cls, error: BaseException | str | None, events: list[dict[str, Any]], log_tail: str, plan: dict[str, Any]
    ) -> Case:
        """Lay out what the job knows. A run of another process leaves its error as text."""
        errors = list(chain(error)) if isinstance(error, BaseException) else []
        told = [f"{type(each).__name__}: {each}" for each in errors] or ([str(error)] if error else [])
        told += [frame.filename for each in errors for frame in traceback.extract_tb(each.__traceback__)]
        types = frozenset(kind.__name__ for each in errors for kind in type(each).__mro__)
        return cls("\n".join([*told, log_tail]), types, events, plan)

    def line(self, *patterns: str) -> str:
        """The first line that matches one of the patterns, "" when none does."""
        for pattern in patterns:
            found = re.search(rf"^.*(?:{pattern}).*$", self.text, re.IGNORECASE | re.MULTILINE)
            if found:
                return found.group(0).strip()[:500]
        return ""

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.events if event["kind"] == kind]

    def curve(self, name: str) -> list[tuple[int, float]]:
        """(step, value) pairs of one logged number."""
        return series(self.events, name)

    def value(self, name: str, otherwise: Any = None) -> Any:
        """A value of the plan."""
        values: Iterable[dict[str, Any]] = self.plan.get("values") or ()
        found = next((each["value"] for each in values if each["name"] == name), None)
        return otherwise if found is None else found

    @property
    def first_line(self) -> str:
        """The line that says what happened."""
        return next((line.strip()[:500] for line in self.text.splitlines() if line.strip()), "")

    @property
    def last_step(self) -> int:
        """The last step that counts."""
        return max((event.get("step", 0) for event in in_force(self.events)), default=0)
