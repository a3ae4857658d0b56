"""Running an evaluation: every model answers every golden example once, and is scored; resumes where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field

from storage.repositories.datasets import VersionRepository
from storage.repositories.evaluations import EvaluationOutputRepository, EvaluationRepository
from storage.tables import Evaluation, EvaluationOutput, Model
from storage.types import now
from studio.curate.outputs import parse_object
from studio.curate.snapshot import Row, read_split
from studio.errors import InvalidInput, NotFound
from studio.evaluate.generators import Answer, Bench, Prompt, open_generator
from studio.evaluate.seen import without_seen
from studio.evaluate.summary import summarise
from studio.scoring import Scorer, scorer, scores

SAVE_EVERY = 25
TIMED = 12
Report = Callable[[float, str], None]


@dataclass
class Runner:
    """One evaluation being run."""

    bench: Bench
    evaluation: Evaluation
    models: list[Model]
    rows: list[Row]
    scorers: list[Scorer]
    report: Report
    leave_if_asked: Callable[[], None]
    left_out: int = 0
    """Golden examples that a compared model was trained on."""
    answered: int = 0
    references: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.references = {row.example_id: row.output for row in self.rows}

    def run(self) -> dict[str, object]:
        """Answer what is missing, then write the summary."""
        for model in self.models:
            self._answer(model)
        return self._finish()

    def _answer(self, model: Model) -> None:
        done = {row.example_id: row for row in self._outputs([model.id]) if not row.error}
        self.answered += len(done)
        missing = [Prompt(row.example_id, row.messages, row.tools) for row in self.rows if row.example_id not in done]
        if not missing:
            return
        self._report(f"Opening {model.name}")
        timed = sum(row.latency_ms > 0 for row in done.values())
        bench = Bench(**{**vars(self.bench), "timed": max(0, TIMED - timed)})
        with closing(open_generator(model, bench)) as generator:
            waiting: list[EvaluationOutput] = []
            try:
                for prompt, answer in generator.complete(missing):
                    waiting.append(self._scored(model, prompt, answer))
                    if len(waiting) >= SAVE_EVERY:
                        self._save(model, waiting)
                        self.leave_if_asked()
            finally:  # whatever happens, answers already paid for are kept
                self._save(model, waiting)

    def _save(self, model: Model, waiting: list[EvaluationOutput]) -> None:
        with self.bench.database.write() as session:
            EvaluationOutputRepository(session).upsert(waiting)
        self.answered += len(waiting)
        waiting.clear()
        self._report(f"{model.name} answers")

    def _scored(self, model: Model, prompt: Prompt, answer: Answer) -> EvaluationOutput:
        found = scores(self.scorers, answer.output, self.references[prompt.example_id])
        return EvaluationOutput(
            evaluation_id=self.evaluation.id,
            model_id=model.id,
            example_id=prompt.example_id,
            scores=dict.fromkeys(found, 0.0) if answer.error else found,
            **asdict(answer),
        )

    def _finish(self) -> dict[str, object]:
        wanted = {row.example_id for row in self.rows}
        answers: dict[str, list[EvaluationOutput]] = {model.id: [] for model in self.models}
        for row in self._outputs(None):
            if row.example_id in wanted and row.model_id in answers:
                answers[row.model_id].append(row)
        metrics = list(dict.fromkeys(name for rows in answers.values() for row in rows for name in row.scores))
        summary = summarise(self.models, answers, metrics, self.evaluation.seed) | {"left_out_seen": self.left_out}
        with self.bench.database.write() as session:
            saved = EvaluationRepository(session).get(self.evaluation.id)
            if saved is None:
                raise NotFound("This evaluation was deleted while it ran.")
            saved.summary, saved.finished_at = summary, now()
        return {"evaluation_id": self.evaluation.id, "n": len(self.rows), "models": len(self.models)}

    def _outputs(self, model_ids: Sequence[str] | None) -> list[EvaluationOutput]:
        with self.bench.database.read() as session:
            return EvaluationOutputRepository(session).of(self.evaluation.id, model_ids)

    def _report(self, text: str) -> None:
        total = len(self.rows) * len(self.models)
        self.report(self.answered / max(1, total), f"{text}: {self.answered:,} of {total:,} answers")


def make_runner(bench: Bench, evaluation_id: str, report: Report, leave_if_asked: Callable[[], None]) -> Runner:
    """Read what an evaluation needs. Raises NotFound when a part of it is gone."""
    with bench.database.read() as session:
        evaluations = EvaluationRepository(session)
        evaluation = evaluations.get(evaluation_id)
        if evaluation is None:
            raise NotFound("There is no such evaluation. Start one on the Evaluate page.")
        version = VersionRepository(session).get(evaluation.dataset_version_id)
        models = evaluations.models(evaluation.model_ids)
    if version is None or len(models) != len(evaluation.model_ids):
        raise NotFound("A model or the dataset version of this evaluation is gone. Start a new evaluation.")
    rows = references(list(read_split(bench.artifacts, version.digest, "golden")), evaluation.verified_only)
    if not rows:
        raise InvalidInput("The version has no golden examples to evaluate on.")
    fresh = without_seen(rows, bench.database, bench.artifacts, models)
    if not fresh:
        raise InvalidInput(
            "A compared model was trained on every golden example of this version. Choose a newer version, or verify "
            "golden examples it has not seen."
        )
    scorers = [scorer(spec) for spec in evaluation.scorers]
    longest = max((row.output for row in fresh), key=len)
    return Runner(
        Bench(bench.settings, bench.database, bench.artifacts, longest),
        evaluation, models, fresh, scorers, report, leave_if_asked, len(rows) - len(fresh),
    )  # fmt: skip


def references(golden: list[Row], verified_only: bool) -> list[Row]:
    """The golden rows whose answer may be measured against.

    Unverified ones count only on request, and never when they were rated down or break the JSON that most of them are.
    """
    verified = [row for row in golden if row.verified]
    if verified_only:
        return verified
    objects = {row.example_id for row in golden if parse_object(row.output) is not None}
    wants_json = len(objects) > len(golden) / 2
    return [
        row
        for row in golden
        if row.verified or (row.rating != "down" and (row.example_id in objects or not wants_json))
    ]
