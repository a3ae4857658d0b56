"""Distillation's data: a teacher, a provider's model of the project, answers the prompts again inside the job.

Every answer is kept in the job's folder as it comes, so a resumed job pays for none twice.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from studio.asking import Answer, Prompt
from studio.curate.outputs import canonical
from studio.errors import Unavailable
from studio.train.data import Line, TrainingData

CACHE = "teacher.jsonl"
SHOWN_FAILURES = 5
NO_ANSWER = "the teacher did not answer"
ONLY_CALLS = "It called a tool instead of answering."


class Teacher(Protocol):
    """Answers prompts as they come."""

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, Answer]]:
        """Each prompt with its answer."""
        ...

    def close(self) -> None:
        """Give back the connections."""
        ...


@dataclass
class Lesson:
    """What the teacher said, by prompt."""

    answers: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    cost_usd: float = 0.0

    def take(self, key: str, answer: Answer) -> None:
        """Note one answer, or why there is none."""
        self.cost_usd += answer.cost_usd
        error = answer.error or (ONLY_CALLS if '"tool_calls"' in answer.output else None)
        if error or not answer.output.strip():
            self.errors[key] = error or "The answer is empty."
        else:
            self.answers[key] = answer.output
            self.errors.pop(key, None)

    def facts(self) -> dict[str, Any]:
        """What the run's summary says of it."""
        shown = list(dict.fromkeys(self.errors.values()))[:SHOWN_FAILURES]
        counts = {"answered": len(self.answers), "failed": len(self.errors)}
        return {**counts, "first_errors": shown, "cost_usd": round(self.cost_usd, 4)}


def taught(
    given: TrainingData, teacher: Callable[[], Teacher], folder: Path, report: Callable[[int, int], None]
) -> tuple[TrainingData, Lesson]:
    """The data with the teacher's answers; prompts that it failed on are left out. `report` is told (done, all).

    Raises Unavailable when it answered none.
    """
    lesson, wanted = _remembered(folder / CACHE), _prompts([*given.train, *given.held_out])
    missing = [prompt for prompt in wanted if prompt.example_id not in lesson.answers]
    if missing:
        _ask(
            missing,
            teacher,
            lesson,
            folder / CACHE,
            lambda done: report(len(wanted) - len(missing) + done, len(wanted)),
        )
    if not lesson.answers:
        why = next(iter(lesson.errors.values()), "no prompt was asked")
        raise Unavailable(f"The teacher answered none of {len(wanted):,} prompts: {why} Choose another one, or retry.")
    kept, held = _answered(given.train, lesson), _answered(given.held_out, lesson)
    lost = len(given.train) + len(given.held_out) - len(kept) - len(held)
    left_out = given.left_out + Counter({NO_ANSWER: lost})
    return replace(given, train=kept, held_out=held, left_out=left_out), lesson


def _ask(
    prompts: list[Prompt],
    teacher: Callable[[], Teacher],
    lesson: Lesson,
    path: Path,
    report: Callable[[int], None],
) -> None:
    with closing(teacher()) as asked, path.open("a", encoding="utf-8") as cache:
        for done, (prompt, answer) in enumerate(asked.complete(prompts), start=1):
            lesson.take(prompt.example_id, answer)
            cache.write(json.dumps({"key": prompt.example_id, **vars(answer)}, ensure_ascii=False) + "\n")
            cache.flush()
            report(done)


def _remembered(path: Path) -> Lesson:
    """What earlier attempts were told; a line torn by a kill is asked again."""
    lesson = Lesson()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found = json.loads(line)
            lesson.take(found.pop("key"), Answer(**found))
        except (ValueError, TypeError, KeyError):
            continue
    lesson.errors.clear()
    return lesson


def _prompts(lines: list[Line]) -> list[Prompt]:
    """Each prompt once."""
    return list({_key(line): Prompt(_key(line), line["prompt"]) for line in lines}.values())


def _answered(lines: list[Line], lesson: Lesson) -> list[Line]:
    found = ((line, lesson.answers.get(_key(line))) for line in lines)
    return [{**line, "completion": [{"role": "assistant", "content": said}]} for line, said in found if said]


def _key(line: Line) -> str:
    return hashlib.sha256(canonical(line["prompt"]).encode()).hexdigest()[:24]
