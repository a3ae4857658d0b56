"""What people ask for is what the model learns: KTO from users' thumbs, DPO from teammates' rankings.

A model that learned from tickets answered stiffly more often than briefly and politely is made by SFT. Users thumb the
stiff replies down and teammates rank the brief ones first, both with one mistake in ten. Measured on golden prompts
that nobody trained on: the share of replies that are brief and polite, before and after.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from storage.tables import Dataset, LabelTask, Model, Project
from studio.access.actor import Actor
from studio.bootstrap import Studio
from studio.capture.filters import LogFilter
from studio.demo import corpus
from studio.demo.tickets import Ticket, tickets
from studio.label.draft import TaskDraft
from studio.label.items import order_of
from studio.label.publishing import publish_task
from studio.label.shuffle import as_shown, platform_key
from studio.label.tasks import Labeling
from studio.scoring.proportions import wilson
from tests.fakes.labeling import FakePlatform

OURS = Actor.operator()
SYSTEM = "Reply to the ticket."
POLITE = ("Sorry", "Thanks")
STIFF = (
    "Dear customer {name}, this is to confirm that your message about {category} was received by the department. It "
    "will be processed in the order of arrival. No further information can be given at this time."
)
CALLS, STIFF_SHARE, RANKED, MISTAKES = 1600, 0.7, 400, 0.1
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def test_thumbs_and_rankings_each_make_replies_what_people_asked_for(studio: Studio, tmp_path: Path) -> None:
    project = studio.projects.create(OURS, "replies")
    written = tickets(CALLS, seed=5)
    stiff = {ticket.text for ticket in random.Random(3).sample(written, int(CALLS * STIFF_SHARE))}
    _import(studio, project, tmp_path / "calls.jsonl", (_call(each, each.text in stiff, "today") for each in written))
    dataset = studio.datasets.create(OURS, project.id, "replies", golden_percent=10)
    base = _base(studio, project)
    before = _trained(studio, dataset, base, "sft", "mixed")
    _thumbs(studio, project, written, stiff)
    thumbs = _trained(studio, dataset, before, "kto", "from thumbs")
    other = (_call(each, each.text not in stiff, "other") for each in written[:RANKED])
    _import(studio, project, tmp_path / "other.jsonl", other)
    _add(studio, dataset)
    print(f"{_ranked(studio, dataset):,} pairs of answers ranked by two people each")
    ranked = _trained(studio, dataset, before, "dpo", "from rankings")
    shares = _polite(studio, dataset, [before, thumbs, ranked])
    assert shares[thumbs.id] > shares[before.id] and shares[ranked.id] > shares[before.id]


def _call(ticket: Ticket, stiff: bool, model: str) -> dict[str, Any]:
    facts = {"name": ticket.name, "category": ticket.triage["category"]}
    reply = STIFF.format(**facts) if stiff else corpus.REPLIES[ticket.triage["category"]].format(**facts)
    turns = (("system", SYSTEM), ("user", ticket.text), ("assistant", reply))
    messages = [{"role": role, "content": content} for role, content in turns]
    return {"id": f"{model} {ticket.text}", "model": model, "messages": messages}


def _import(studio: Studio, project: Project, path: Path, calls: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(call) + "\n" for call in calls), encoding="utf-8")
    studio.jobs.wait(studio.imports.start(OURS, project.id, path, path.name).id, 600)


def _base(studio: Studio, project: Project) -> Model:
    """A tiny base that has read both kinds of replies among other text."""
    stiff = [_call(ticket, True, "")["messages"] for ticket in tickets(1500, seed=9)]
    chats = ["".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in turns) for turns in stiff]
    others = [text for text in corpus.documents() if SYSTEM not in text]
    job = studio.training.build_base(OURS, project.id, [*others, *chats], "tiny")
    studio.jobs.wait(job.id, 1200)
    return next(iter(studio.models.all(project.id, ("base",))))


def _add(studio: Studio, dataset: Dataset) -> None:
    studio.jobs.wait(studio.datasets.add_logs(OURS, dataset.id, LogFilter(dataset.project_id)).id, 600)


def _trained(studio: Studio, dataset: Dataset, base: Model, method: str, name: str) -> Model:
    started = time.monotonic()
    _add(studio, dataset)
    version = studio.jobs.wait(studio.datasets.freeze(OURS, dataset.id).id, 600).result["version_id"]
    run = studio.training.start(OURS, version, base.id, method=method, name=name)
    studio.jobs.wait(str(run.job_id), 3000)
    target = studio.training.get(run.id).summary.get("target")
    print(f"\n{name} ({method}): {time.monotonic() - started:.0f} s, {target}, load {os.getloadavg()[0]:.1f}")
    model = studio.training.model_of(run.id)
    assert model is not None
    return model


def _thumbs(studio: Studio, project: Project, written: list[Ticket], stiff: set[str]) -> None:
    chance = random.Random(4)
    for ticket in written:
        liked = (ticket.text not in stiff) != (chance.random() < MISTAKES)
        studio.feedback.give(project.id, external_id=f"today {ticket.text}", kind="thumbs", value=float(liked))


def _ranked(studio: Studio, dataset: Dataset) -> int:
    platform = FakePlatform()
    labeling = Labeling(studio.database, studio.jobs, lambda: platform, studio.settings)
    draft = TaskDraft(dataset.id, "replies", "compare", size=RANKED, people=("mia", "noah"), sample="random")
    task = publish_task(studio.database, platform, labeling.create(OURS, draft).id, lambda _sent, _total: None)
    for person in ("mia", "noah"):
        _rank_as(person, labeling, platform, task)
    labeling.sync_open()
    labeling.apply(OURS, task.id)
    return len(labeling.items(task.id))


def _rank_as(person: str, labeling: Labeling, platform: FakePlatform, task: LabelTask) -> None:
    chance = random.Random(person)
    for item, _example in labeling.items(task.id):
        slip = chance.random() < MISTAKES
        places = [
            {"value": each["name"], "rank": 1 if each["output"].startswith(POLITE) != slip else 2}
            for each in item.candidates
        ]
        told = {"ranking": as_shown(places, order_of(task, item, person))}
        platform.say(task.backend_ref, person, platform_key(item.id, person), "submitted", told)


def _polite(studio: Studio, dataset: Dataset, models: list[Model]) -> dict[str, float]:
    """Model → share of brief and polite replies to golden prompts, printed with its interval."""
    version = studio.datasets.versions(dataset.id)[0]
    ids = [model.id for model in models]
    evaluation = studio.evaluations.start(OURS, version.id, ids, verified_only=False)
    studio.jobs.wait(str(evaluation.job_id), 1200)
    shares = {}
    compared = studio.evaluations.outputs(evaluation.id)
    for model in models:
        answers = [each.answers[model.id].output for each in compared]
        polite = sum(answer.startswith(POLITE) for answer in answers)
        words = sum(len(answer.split()) for answer in answers) / len(answers)
        low, high = wilson(polite, len(answers))
        shares[model.id] = polite / len(answers)
        print(f"{model.name}: {shares[model.id]:.0%} ({low:.0%} to {high:.0%}) brief and polite, {words:.1f} words")
    return shares
