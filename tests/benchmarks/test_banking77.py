"""Real data, real mistakes: what the studio's own label cleaning is worth on Banking77.

10,003 real questions of a bank with 77 intents (Casanueva et al., 2020; CC-BY-4.0), imported as calls of which one in
ten has a wrong intent by a fixed seed. A tiny model is trained on them as they are; the rows it does not believe go to
two teammates, who answer from the truth with mistakes of their own; what they decide goes into a second version and a
second model. Both are measured on golden rows with the true intents, which nobody trained on.
"""

from __future__ import annotations

import csv
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from storage.tables import Dataset, Example, LabelItem, Model, Project, TrainingRun
from studio.access.actor import Actor
from studio.bootstrap import Studio
from studio.capture.filters import LogFilter
from studio.label.draft import TaskDraft
from studio.label.publishing import publish_task
from studio.label.tasks import Labeling
from studio.label.templates import CORRECT, WRONG
from tests.fakes.labeling import FakePlatform

DATA = Path(__file__).parents[3] / "shared" / "data" / "banking77_train.csv"
SYSTEM = "Name the intent of the customer's question."
WRONG_SHARE, PEOPLE_MISTAKES = 0.1, 0.02
SENT = int(os.environ.get("STUDIO_BENCH_SENT", "900"))
ROWS = int(os.environ.get("STUDIO_BENCH_ROWS", "10003"))
EPOCHS = float(os.environ.get("STUDIO_BENCH_EPOCHS", "4"))
BASE = {"vocabulary": 2048, "steps": 600, "batch": 16}
OURS = Actor.operator()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not DATA.exists(), reason="the Banking77 data is not on this machine"),
]


@pytest.fixture(scope="module")
def truth() -> dict[str, str]:
    """Question → true intent."""
    with DATA.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {row["text"].strip(): row["category"] for row in random.Random(0).sample(rows, min(ROWS, len(rows)))}


def test_cleaning_the_labels_that_the_model_does_not_believe(
    studio: Studio, truth: dict[str, str], tmp_path: Path
) -> None:
    project = studio.projects.create(OURS, "bank")
    wrong = _import(studio, project, truth, tmp_path / "calls.jsonl")
    dataset = _dataset(studio, project)
    golden = _verify_golden(studio, dataset, truth)
    base = _base(studio, project, list(truth))
    first = _trained(studio, dataset, base, "as captured")
    sent, found, fixed = _cleaned(studio, dataset, truth, wrong)
    second = _trained(studio, dataset, base, "cleaned")
    print(f"\n{len(truth):,} questions, {len(wrong):,} wrong intents, {golden:,} golden; load {os.getloadavg()[0]:.1f}")
    print(f"sent {sent:,} doubted rows to two people: {found:,} were wrong ({found / sent:.0%}), {fixed:,} mended")
    _compared(studio, dataset, [first, second])
    assert found / sent > 2 * WRONG_SHARE


def _import(studio: Studio, project: Project, truth: dict[str, str], path: Path) -> set[str]:
    """Send the calls in, a tenth of them with another intent; returns the questions that got one."""
    intents, chance = sorted(set(truth.values())), random.Random(1)
    wrong = set(chance.sample(sorted(truth), int(len(truth) * WRONG_SHARE)))
    with path.open("w", encoding="utf-8") as stream:
        for question, intent in truth.items():
            given = chance.choice([other for other in intents if other != intent]) if question in wrong else intent
            stream.write(json.dumps({"model": "today", "messages": _messages(question, given)}) + "\n")
    studio.jobs.wait(studio.imports.start(OURS, project.id, path, path.name).id, 600)
    return wrong


def _messages(question: str, intent: str) -> list[dict[str, str]]:
    prompt = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
    return [*prompt, {"role": "assistant", "content": intent}]


def _dataset(studio: Studio, project: Project) -> Dataset:
    dataset = studio.datasets.create(OURS, project.id, "intents", golden_percent=10)
    studio.jobs.wait(studio.datasets.add_logs(OURS, dataset.id, LogFilter(project.id)).id, 600)
    return dataset


def _verify_golden(studio: Studio, dataset: Dataset, truth: dict[str, str]) -> int:
    """People confirm or correct every golden example, without mistakes: it is what both models are measured on."""
    golden = studio.datasets.examples(dataset.id, split="golden", limit=5000)
    for example in golden:
        studio.datasets.set_output(OURS, example.id, truth[_question(example)])
    return len(golden)


def _base(studio: Studio, project: Project, questions: list[str]) -> Model:
    """A tiny base that has read the bank's questions, and chat markup, but no intent."""
    chats = [
        f"<|im_start|>user\n{each}<|im_end|>\n<|im_start|>assistant\nI see: {each}<|im_end|>\n" for each in questions
    ]
    asked = [f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"] * 100
    job = studio.training.build_base(OURS, project.id, [*questions, *chats, *asked], "tiny", BASE)
    studio.jobs.wait(job.id, 1800)
    return next(iter(studio.models.all(project.id, ("base",))))


def _trained(studio: Studio, dataset: Dataset, base: Model, name: str) -> Model:
    started = time.monotonic()
    frozen = studio.jobs.wait(studio.datasets.freeze(OURS, dataset.id).id, 600)
    values = {"training": "full", "num_train_epochs": EPOCHS, "batch_size": 32, "learning_rate": 6e-3}
    run = studio.training.start(OURS, frozen.result["version_id"], base.id, name=name, overrides=values)
    studio.jobs.wait(str(run.job_id), 3600)
    done: TrainingRun = studio.training.get(run.id)
    speed = done.summary["tokens_per_second"]
    print(f"\n{name}: {time.monotonic() - started:.0f} s, {speed:,} tokens/s, load {os.getloadavg()[0]:.1f}")
    model = studio.training.model_of(run.id)
    assert model is not None
    return model


def _cleaned(studio: Studio, dataset: Dataset, truth: dict[str, str], wrong: set[str]) -> tuple[int, int, int]:
    """Doubt → Label → Resolution: how many rows were sent, were wrong, and are right now."""
    platform = FakePlatform()
    labeling = Labeling(studio.database, studio.jobs, lambda: platform, studio.settings)
    draft = TaskDraft(dataset.id, "doubted intents", size=SENT, people=("mia", "noah"), sample="doubts")
    task = publish_task(studio.database, platform, labeling.create(OURS, draft).id, lambda _sent, _total: None)
    items, chance = labeling.items(task.id), random.Random(2)
    for person in ("mia", "noah"):
        for item, example in items:
            platform.say(task.backend_ref, person, item.id, "submitted", _verdict(item, example, truth, chance))
    labeling.sync_open()
    labeling.apply(OURS, task.id)
    after = {example.id: example.output for _item, example in labeling.items(task.id)}
    found = [example for _item, example in items if _question(example) in wrong]
    return len(items), len(found), sum(after[each.id] == truth[_question(each)] for each in found)


def _verdict(item: LabelItem, example: Example, truth: dict[str, str], chance: random.Random) -> dict[str, Any]:
    """What a teammate says: the truth, but for one slip in fifty."""
    intent = truth[_question(example)]
    if chance.random() < PEOPLE_MISTAKES:
        intent = chance.choice(sorted(set(truth.values())))
    return {"verdict": CORRECT} if item.shown_output == intent else {"verdict": WRONG, "output": intent}


def _compared(studio: Studio, dataset: Dataset, models: list[Model]) -> None:
    version = studio.datasets.versions(dataset.id)[0]
    evaluation = studio.evaluations.start(OURS, version.id, [model.id for model in models])
    studio.jobs.wait(str(evaluation.job_id), 3600)
    summary = studio.evaluations.get(evaluation.id).summary
    for facts in summary["models"].values():
        exact = facts["exact_match"]
        print(f"{facts['name']}: {exact['mean']:.1%} exact ({exact['low']:.1%} to {exact['high']:.1%}), n={facts['n']}")
    for each in summary["comparisons"]:
        if each["metric"] == "exact_match":
            interval = f"{each['low']:+.1%} to {each['high']:+.1%}"
            print(f"difference {each['difference']:+.1%} ({interval}), p={each['p_value']:.2g}")


def _question(example: Example) -> str:
    return str(example.messages[-1]["content"])
