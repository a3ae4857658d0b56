"""Datasets: working sets of examples made from captured calls, corrected by people and frozen into versions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice

from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.datasets import DatasetRepository, ExampleRepository, VersionRepository
from storage.repositories.decisions import DecisionRepository
from storage.tables import Dataset, DatasetVersion, Example, Job, LogEntry, Resolution
from studio.access.actor import Actor, Role, permit
from studio.capture.filters import LogFilter
from studio.capture.logs import Logs
from studio.curate import freeze as freezing
from studio.curate import picked
from studio.curate.decisions import BY_HAND, PastDecision, history_of
from studio.curate.examples import set_answer
from studio.curate.exporters import exporter, write_version
from studio.curate.intake import Added, take_in
from studio.curate.outputs import same_answer
from studio.errors import Conflict, InvalidInput, NotFound
from studio.jobs.queue import Jobs

BATCH = 500


@dataclass
class DatasetSummary:
    """Where a dataset stands. All but `excluded` count examples that are in."""

    train: int = 0
    golden: int = 0
    verified_train: int = 0
    verified_golden: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)

    @property
    def included(self) -> int:
        """Examples that a version frozen now would hold."""
        return self.train + self.golden

    @property
    def left_out(self) -> int:
        """Examples that are excluded, for whatever reason."""
        return sum(self.excluded.values())

    @property
    def corrections(self) -> int:
        """Examples whose output people or feedback corrected."""
        return self.sources.get("correction", 0) + self.sources.get("people", 0)


class Datasets:
    """Everything the Curate page and the command line do with datasets."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs) -> None:
        self.database = database
        self.artifacts = artifacts
        self.jobs = jobs

    def create(
        self, actor: Actor, project_id: str, name: str, description: str = "", golden_percent: int = 10
    ) -> Dataset:
        """A new empty dataset. Raises Conflict when the project has one of this name."""
        name = name.strip()
        if not name or len(name) > 120:
            raise InvalidInput("Give the dataset a name of 1 to 120 characters.")
        if not 0 <= golden_percent <= 50:
            raise InvalidInput("The golden share must be between 0 and 50 percent.")
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            datasets = DatasetRepository(session)
            if datasets.find_one(project_id=project_id, name=name):
                raise Conflict(f"There is a dataset called {name!r} already. Choose another name.")
            return datasets.add(
                Dataset(project_id=project_id, name=name, description=description, golden_percent=golden_percent)
            )

    def all(self, project_id: str) -> list[Dataset]:
        """The project's datasets, newest first."""
        with self.database.read() as session:
            return DatasetRepository(session).of_project(project_id)

    def get(self, dataset_id: str) -> Dataset:
        """The dataset. Raises NotFound."""
        with self.database.read() as session:
            return found_dataset(session, dataset_id)

    def add_logs(self, actor: Actor, dataset_id: str, chosen: LogFilter) -> Job:
        """Start adding the calls of a filter to the dataset."""
        spec = {"dataset_id": dataset_id, "filter": chosen.to_dict()}
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            dataset = found_dataset(session, dataset_id)
            title = f"Add logs to {dataset.name}"
            return self.jobs.enqueue(session, actor, "add_logs", spec, title=title, project_id=dataset.project_id)

    def add_logs_now(
        self,
        actor: Actor,
        dataset_id: str,
        chosen: LogFilter,
        on_batch: Callable[[Added], None] = lambda _added: None,
    ) -> Added:
        """Add the calls of a filter, one batch per transaction; safe to repeat."""
        total = Added()
        with self.database.read() as reading:
            entries = Logs(self.database).iterate(reading, chosen)
            while batch := list(islice(entries, BATCH)):
                total.plus(self.add_entries(actor, dataset_id, batch))
                on_batch(total)
        return total

    def add_entries(self, actor: Actor, dataset_id: str, entries: Sequence[LogEntry]) -> Added:
        """Add these calls in one transaction; calls already there only bring new feedback."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return take_in(session, found_dataset(session, dataset_id), entries)

    def pick(self, actor: Actor, dataset_id: str, uids: Sequence[str]) -> list[Example]:
        """Add calls picked by hand at once; their examples, in the order of the calls."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return picked.pick(session, found_dataset(session, dataset_id), uids)

    def mark_golden(self, actor: Actor, dataset_id: str, uids: Sequence[str]) -> picked.Golden:
        """Make calls golden examples whose answers this person stands by as they are."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return picked.mark_golden(session, found_dataset(session, dataset_id), uids, actor.username)

    def made_of(self, log_entry_id: int) -> list[tuple[Example, Dataset]]:
        """The examples that a call became, with their datasets."""
        with self.database.read() as session:
            return ExampleRepository(session).of_log(log_entry_id)

    def summary(self, dataset_id: str) -> DatasetSummary:
        """How many examples are in and out, and why."""
        with self.database.read() as session:
            return _summary(ExampleRepository(session).tally(dataset_id))

    def examples(
        self,
        dataset_id: str,
        *,
        split: str | None = None,
        excluded: bool | str | None = None,
        verified: bool | None = None,
        text: str = "",
        after: str | None = None,
        limit: int = 50,
    ) -> list[Example]:
        """One page, oldest first. `excluded`: None all, False what is in, True what is out, text one reason."""
        with self.database.read() as session:
            return ExampleRepository(session).page(
                dataset_id, split=split, excluded=excluded, verified=verified, text=text, after=after, limit=limit
            )

    def example(self, example_id: str) -> Example:
        """One example. Raises NotFound."""
        with self.database.read() as session:
            return found_example(session, example_id)

    def set_output(
        self, actor: Actor, example_id: str, output: str, source: str = "people", verified: bool = True
    ) -> Example:
        """Correct or confirm the answer of an example; an answer that is verified takes back objections to it."""
        if not output.strip():
            raise InvalidInput("The answer is empty. Exclude the example instead.")
        with self.database.write() as session:
            permit(session, actor, Role.LABELER)
            example = found_example(session, example_id)
            decided = _by_hand(session, example, output, actor.username).id if verified else None
            return set_answer(example, output, source, verified=verified, resolution_id=decided)

    def history(self, example_id: str) -> list[PastDecision]:
        """Every decision about the example, newest first: what, by whom, by which rule, where."""
        with self.database.read() as session:
            return history_of(session, found_example(session, example_id))

    def exclude(self, actor: Actor, example_ids: Sequence[str], reason: str = "by_hand") -> int:
        """Leave examples out, with the reason; they stay visible. Returns how many."""
        return self._mark(actor, example_ids, reason.strip()[:60] or "by_hand")

    def include(self, actor: Actor, example_ids: Sequence[str]) -> int:
        """Take examples back in. Returns how many."""
        return self._mark(actor, example_ids, None)

    def freeze(self, actor: Actor, dataset_id: str, note: str = "") -> Job:
        """Start freezing the dataset into an immutable version."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            dataset = found_dataset(session, dataset_id)
            spec = {"dataset_id": dataset_id, "note": note}
            title = f"Freeze {dataset.name}"
            return self.jobs.enqueue(session, actor, "freeze", spec, title=title, project_id=dataset.project_id)

    def freeze_now(self, actor: Actor, dataset_id: str, note: str = "") -> DatasetVersion:
        """Freeze and wait; returns the existing version when nothing changed."""
        return self.freeze_with_facts(actor, dataset_id, note).version

    def freeze_with_facts(self, actor: Actor, dataset_id: str, note: str = "") -> freezing.Frozen:
        """Freeze and say also whether the version is new and how many examples leaked."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            found_dataset(session, dataset_id)
        return freezing.freeze(self.database, self.artifacts, dataset_id, note, actor.username)

    def versions(self, dataset_id: str) -> list[DatasetVersion]:
        """The dataset's versions, newest first."""
        with self.database.read() as session:
            return VersionRepository(session).of_dataset(dataset_id)

    def project_versions(self, project_id: str) -> list[tuple[DatasetVersion, Dataset]]:
        """Every version of the project with its dataset, newest first."""
        with self.database.read() as session:
            return VersionRepository(session).of_project(project_id)

    def version(self, version_id: str) -> DatasetVersion:
        """One version. Raises NotFound."""
        with self.database.read() as session:
            version = VersionRepository(session).get(version_id)
            if version is None:
                raise NotFound("There is no such dataset version. Choose one on the Curate page.")
            return version

    def export(self, version_id: str, format_name: str = "openai", split: str = "train") -> tuple[str, bytes]:
        """One split of a version in another tool's format: file name and content."""
        version = self.version(version_id)
        dataset, writer, target = self.get(version.dataset_id), exporter(format_name), BytesIO()
        write_version(writer, self.artifacts, version.digest, split, target)
        name = re.sub(r"[^\w.-]+", "-", dataset.name).strip("-") or "dataset"
        return f"{name}-v{version.number}-{split}{writer.suffix}", target.getvalue()

    def _mark(self, actor: Actor, example_ids: Sequence[str], reason: str | None) -> int:
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            return ExampleRepository(session).mark_excluded(example_ids, reason)


def _by_hand(session: Session, example: Example, output: str, by: str) -> Resolution:
    """A person's word on an example, given outside of any task, with their name on it."""
    unchanged = same_answer(output) == same_answer(example.output)
    made = Resolution(
        example_id=example.id,
        verdict="confirmed" if unchanged else "corrected",
        output=output,
        rule=BY_HAND,
        decided_by=by,
    )
    return DecisionRepository(session).add(made)


def found_dataset(session: Session, dataset_id: str) -> Dataset:
    """The dataset inside a caller's session. Raises NotFound."""
    dataset = DatasetRepository(session).get(dataset_id)
    if dataset is None:
        raise NotFound("There is no such dataset. Choose one on the Curate page.")
    return dataset


def found_example(session: Session, example_id: str) -> Example:
    """The example inside a caller's session. Raises NotFound."""
    example = ExampleRepository(session).get(example_id)
    if example is None:
        raise NotFound("There is no such example. Reload the page to see what is there now.")
    return example


def _summary(tally: list[tuple[str, bool, str | None, str, int]]) -> DatasetSummary:
    found, excluded, sources = DatasetSummary(), Counter[str](), Counter[str]()
    for split, verified, reason, source, count in tally:
        if reason:
            excluded[reason] += count
            continue
        sources[source] += count
        name = "golden" if split == "golden" else "train"
        setattr(found, name, getattr(found, name) + count)
        if verified:
            setattr(found, f"verified_{name}", getattr(found, f"verified_{name}") + count)
    found.excluded, found.sources = dict(excluded.most_common()), dict(sources)
    return found
