"""Eight people answer while records are being published and Argilla is killed in the middle: nothing is lost.

`STUDIO_STRESS_S=120` runs the two minutes with 2,000 records; without it, some seconds with fewer.
"""

from __future__ import annotations

import os
import statistics
import threading
import time

import pytest

from storage.types import new_id
from studio.label.backend import Published, Question, QuestionKind, TaskSpec, Teammate
from tests.fakes.annotators import Crowd, sample_items
from tests.fakes.argilla_process import ArgillaProcess

pytestmark = [pytest.mark.argilla, pytest.mark.slow]
SECONDS = float(os.environ.get("STUDIO_STRESS_S", "4"))
RECORDS = 2000 if SECONDS > 60 else 400
PEOPLE = [f"p{number}" for number in range(8)]
RATING = (Question("rating", "Good?", QuestionKind.RATING),)


class Publishing(threading.Thread):
    """The larger part of a task on its way: half of it before the server dies, half of it after."""

    def __init__(self, argilla: ArgillaProcess, task: TaskSpec) -> None:
        super().__init__(daemon=True)
        self.argilla, self.spec = argilla, task
        self.done: Published | None = None
        self.halfway, self.down = threading.Event(), threading.Event()

    def run(self) -> None:
        self.done = self.argilla.backend.publish(self.spec, sample_items(RECORDS), self._slowly)

    def _slowly(self, sent: int) -> None:
        time.sleep(SECONDS / 2 / (RECORDS / 40))
        if sent > RECORDS / 2:
            self.halfway.set()
            assert self.down.wait(120)


def test_no_answer_is_lost_when_argilla_dies_while_all_work(argilla: ArgillaProcess) -> None:
    people = tuple(Teammate(name) for name in PEOPLE)
    task = TaskSpec(f"load-{new_id()}", "load", "", RATING, len(PEOPLE), people)
    ref = argilla.backend.publish(task, sample_items(100), lambda _sent: None).ref
    crowd, publishing = Crowd(), Publishing(argilla, task)
    threads = crowd.start(argilla, ref, PEOPLE)
    publishing.start()

    assert publishing.halfway.wait(180)
    wait_for_more_answers_than(crowd, 0)
    argilla.kill()
    publishing.down.set()
    before = len(crowd.kept)
    argilla.start()
    time.sleep(SECONDS / 2)
    publishing.join(180)
    wait_for_more_answers_than(crowd, before)
    crowd.stop.set()
    for thread in threads:
        thread.join(90)

    assert publishing.done is not None and len(publishing.done.records) == RECORDS
    assert crowd.failed == [] and crowd.cut_off > 0 and len(crowd.kept) > before > 0
    collected = {(each.item_key, each.annotator): each.values["rating"] for each in argilla.backend.answers(ref)}
    lost = {key: value for key, value in crowd.kept.items() if collected.get(key) != value}
    assert lost == {}
    assert "locked" not in argilla.log.read_text()
    tell(crowd)


def wait_for_more_answers_than(crowd: Crowd, count: int) -> None:
    deadline = time.monotonic() + 90
    while len(crowd.kept) <= count and time.monotonic() < deadline:
        time.sleep(0.05)


def tell(crowd: Crowd) -> None:
    load = os.getloadavg()[0]
    print(f"\n{len(crowd.kept)} answers kept, {crowd.cut_off} requests met a dead server, load {load:.1f}")
    for name, seconds in (("queue", crowd.queue_s), ("submit", crowd.submit_s)):
        p50, p95 = (1000 * statistics.quantiles(seconds, n=100, method="inclusive")[at] for at in (49, 94))
        print(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, longest {1000 * max(seconds):.0f} ms")
