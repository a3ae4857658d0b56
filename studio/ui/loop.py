"""Where a project stands in the loop: seven steps, each with what is there, and the one next best step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from storage.tables import Project
from studio.bootstrap import Studio
from studio.capture.filters import LogFilter
from studio.ui.formats import short_number

State = Literal["done", "next", "later"]
PAGE_OF_JOB = {
    "sample_traffic": "capture",
    "import": "capture",
    "fetch_dataset": "capture",
    "make_vectors": "capture",
    "forget_user": "capture",
    "add_logs": "curate",
    "freeze": "curate",
    "publish": "label",
    "collect": "label",
    "sample_labels": "label",
    "build_base": "train",
    "rehearse": "train",
    "label_value": "train",
    "import_model": "train",
    "train": "train",
    "evaluate": "evaluate",
    "deploy": "deploy",
    "publish_model": "deploy",
    "next_turn": "improve",
}
"""The step a job works on, by its kind."""


@dataclass(frozen=True)
class LoopFacts:
    """What is there of each noun of the loop."""

    calls: int = 0
    datasets: int = 0
    versions: int = 0
    train_rows: int = 0
    golden_rows: int = 0
    verified_rows: int = 0
    tasks: int = 0
    closed_tasks: int = 0
    runs: int = 0
    tuned: int = 0
    evaluations: int = 0
    finished_evaluations: int = 0
    revisions: int = 0
    tuned_share: int = 0
    """Percent of an alias' traffic that a tuned model answers."""
    judged: int = 0
    """Calls with feedback on them."""
    busy: frozenset[str] = frozenset()
    """Steps that a job works on now."""


@dataclass(frozen=True)
class Step:
    """One step as a card shows it."""

    page: str
    state: State
    fact: str
    title: str
    why: str
    button: str
    busy: bool = False


_ADVICE = {
    "capture": (
        "Capture the calls of your feature",
        "Point your OpenAI client at the gateway: one line of code.",
        "Connect",
    ),
    "curate": (
        "Make a dataset of your calls",
        "Filter the good ones, let duplicates fall out, freeze a version.",
        "Make a dataset",
    ),
    "label": (
        "Let people check examples",
        "Corrections teach a model more than it knew, and verified examples measure truth.",
        "Send to teammates",
    ),
    "train": (
        "Train a small model",
        "One click on the frozen version; you watch it learn.",
        "Train a model",
    ),
    "evaluate": (
        "Compare it with today's model",
        "On the golden examples it never saw, with intervals.",
        "Compare models",
    ),
    "deploy": (
        "Put it behind your alias",
        "First a share of the traffic, then all of it; undo is one click.",
        "Deploy",
    ),
    "improve": (
        "See what users say, then start the next turn",
        "Feedback on the tuned model becomes its next training data.",
        "Open Improve",
    ),
}


def read_facts(studio: Studio, project: Project) -> LoopFacts:
    """Ask each stage what it has of this project."""
    versions = [version for version, _ in studio.datasets.project_versions(project.id)]
    newest = max(versions, key=lambda version: version.created_at, default=None)
    tasks = studio.labeling.all(project.id)
    evaluations = studio.evaluations.all(project.id)
    tuned = {model.id for model in studio.models.all(project.id, kinds=("tuned",))}
    deployments = studio.deployments.all(project.id)
    return LoopFacts(
        calls=studio.logs.totals(project.id).calls,
        datasets=len(studio.datasets.all(project.id)),
        versions=len(versions),
        train_rows=newest.train_rows if newest else 0,
        golden_rows=newest.golden_rows if newest else 0,
        verified_rows=newest.verified_golden_rows if newest else 0,
        tasks=len(tasks),
        closed_tasks=sum(task.state == "closed" for task in tasks),
        runs=len(studio.training.all(project.id)),
        tuned=len(tuned),
        evaluations=len(evaluations),
        finished_evaluations=sum(evaluation.finished_at is not None for evaluation in evaluations),
        revisions=sum(len(studio.deployments.revisions(deployment.id)) for deployment in deployments),
        tuned_share=max((_share(studio, deployment.id, tuned) for deployment in deployments), default=0),
        judged=studio.logs.count(LogFilter(project.id, ratings=("up", "down"))).n,
        busy=frozenset(PAGE_OF_JOB.get(job.kind, "") for job in studio.jobs.active(project.id)),
    )


def _share(studio: Studio, deployment_id: str, tuned: Collection[str]) -> int:
    """How much of the alias' traffic tuned models answer, in percent."""
    release = studio.deployments.current(deployment_id)
    routes = release.routes if release else []
    return sum(int(route["weight"]) for route in routes if route["model_id"] in tuned)


def loop_steps(facts: LoopFacts) -> list[Step]:
    """The seven steps; exactly one is next: the first that is not done after the furthest that is."""
    done = {
        "capture": facts.calls > 0,
        "curate": facts.versions > 0,
        "label": facts.closed_tasks > 0 or facts.verified_rows > 0,
        "train": facts.tuned > 0,
        "evaluate": facts.finished_evaluations > 0,
        "deploy": facts.tuned_share > 0,
        "improve": False,
    }
    pages = list(done)
    furthest = max((index for index, page in enumerate(pages) if done[page]), default=-1)
    following = pages[furthest + 1]
    said = _facts_said(facts)
    return [_step(page, _state(page, done[page], following), said[page], page in facts.busy) for page in pages]


def _state(page: str, done: bool, following: str) -> State:
    return "next" if page == following else "done" if done else "later"


def _step(page: str, state: State, fact: str, busy: bool) -> Step:
    title, why, button = _ADVICE[page]
    if busy:
        why, button = "It is running; you can leave, it goes on.", "See progress"
    return Step(page, state, fact, title, why, button, busy)


def _facts_said(facts: LoopFacts) -> dict[str, str]:
    return {
        "capture": f"{short_number(facts.calls)} calls" if facts.calls else "No calls yet",
        "curate": _curated(facts),
        "label": f"{short_number(facts.verified_rows)} verified"
        if facts.verified_rows
        else _count(facts.tasks, "task"),
        "train": _count(facts.tuned, "tuned model") if facts.tuned else _count(facts.runs, "run"),
        "evaluate": _count(facts.evaluations, "comparison"),
        "deploy": f"{facts.tuned_share}% tuned" if facts.tuned_share else _count(facts.revisions, "revision"),
        "improve": f"{short_number(facts.judged)} judged" if facts.judged else "No feedback yet",
    }


def _curated(facts: LoopFacts) -> str:
    if not facts.versions:
        return _count(facts.datasets, "dataset")
    return f"{short_number(facts.train_rows)} + {short_number(facts.golden_rows)} golden"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}" if n else f"No {noun} yet"
