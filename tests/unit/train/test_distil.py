from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from studio.asking import Answer, Prompt
from studio.curate.snapshot import VersionData
from studio.errors import Unavailable
from studio.train import data
from studio.train.data.distil import Teacher, taught
from tests.fakes.frozen_rows import make_row

ROWS = [make_row(f"ticket {word}", "old") for word in ("one", "two", "three", "four", "five", "six")]


class Parrot:
    """Answers by echoing; fails on the prompts it is told to fail on."""

    def __init__(self, fails: Sequence[str] = (), stops_after: int = 99) -> None:
        self.fails, self.stops_after, self.asked = fails, stops_after, 0

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, Answer]]:
        for prompt in prompts:
            if self.asked == self.stops_after:
                raise KeyboardInterrupt
            self.asked += 1
            text = prompt.messages[0]["content"]
            failed = any(word in text for word in self.fails)
            yield prompt, Answer(error="HTTP 500: sorry") if failed else Answer(f"new {text}", cost_usd=0.01)

    def close(self) -> None:
        return None


def lesson_of(folder: Path, teacher: Parrot) -> data.TrainingData:
    def opened() -> Teacher:
        return teacher

    return taught(data.of_version(VersionData(ROWS, []), "distil"), opened, folder, lambda _done, _all: None)[0]


def test_the_teacher_s_answers_replace_the_old_ones(tmp_path: Path) -> None:
    line = lesson_of(tmp_path, Parrot()).train[0]
    assert line["completion"] == [{"role": "assistant", "content": f"new {line['prompt'][0]['content']}"}]


def test_what_it_failed_on_is_left_out_and_counted(tmp_path: Path) -> None:
    given = data.of_version(VersionData(ROWS, []), "distil")
    told: list[tuple[int, int]] = []
    learned, lesson = taught(given, lambda: Parrot(("two",)), tmp_path, lambda done, whole: told.append((done, whole)))
    assert len(learned.train) == 5 and learned.left_out == {"the teacher did not answer": 1}
    facts = lesson.facts()
    assert (facts["answered"], facts["failed"], facts["first_errors"]) == (5, 1, ["HTTP 500: sorry"])
    assert facts["cost_usd"] == pytest.approx(0.05) and told[-1] == (6, 6)


def test_a_killed_job_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        lesson_of(tmp_path, Parrot(stops_after=4))
    (tmp_path / "teacher.jsonl").open("a").write('{"key": "torn')
    second = Parrot()
    assert len(lesson_of(tmp_path, second).train) == 6 and second.asked == 2


def test_a_teacher_that_answers_nothing_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="answered none of 6 prompts: HTTP 500"):
        lesson_of(tmp_path, Parrot(("ticket",)))
