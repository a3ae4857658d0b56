"""Queries over review sessions: agenda, votes, who is in the room, and what there is to review."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import String, and_, cast, func, or_
from sqlmodel import Session, col, select

from storage.repositories.base import Repository
from storage.tables import (
    Annotation,
    Dataset,
    DatasetVersion,
    Evaluation,
    EvaluationOutput,
    Example,
    Feedback,
    Guideline,
    LabelItem,
    LabelTask,
    LogEntry,
    PreferencePair,
    Resolution,
    ReviewItem,
    ReviewPresence,
    ReviewSession,
    ReviewVote,
)

STEP = 500
RECENT = 5
"""Evaluations that are looked at for conflicts with people."""


class ReviewSessionRepository(Repository[ReviewSession]):
    """Sessions."""

    table: ClassVar[type[ReviewSession]] = ReviewSession

    def of_project(self, project_id: str) -> list[ReviewSession]:
        """The project's sessions, newest first."""
        query = select(ReviewSession).where(ReviewSession.project_id == project_id)
        return list(self.session.exec(query.order_by(col(ReviewSession.created_at).desc())))

    def locked(self, session_id: str) -> ReviewSession | None:
        """The session as it is now, held until the transaction ends: all its changes happen one after another."""
        query = select(ReviewSession).where(ReviewSession.id == session_id).with_for_update()
        return self.session.exec(query, execution_options={"populate_existing": True}).first()

    def tally(self, project_id: str) -> dict[str, tuple[int, int]]:
        """(items, decided items) by session."""
        query: Any = select(ReviewItem.session_id, ReviewItem.state, func.count()).join(
            ReviewSession, col(ReviewSession.id) == col(ReviewItem.session_id)
        )
        query = query.where(ReviewSession.project_id == project_id).group_by(ReviewItem.session_id, ReviewItem.state)
        found: dict[str, tuple[int, int]] = {}
        for session_id, state, count in self.session.exec(query):
            items, done = found.get(session_id, (0, 0))
            found[session_id] = (items + count, done + (count if state == "decided" else 0))
        return found


class ReviewItemRepository(Repository[ReviewItem]):
    """Lines of an agenda."""

    table: ClassVar[type[ReviewItem]] = ReviewItem

    def of_session(self, session_id: str) -> list[ReviewItem]:
        """The agenda in order."""
        query = select(ReviewItem).where(ReviewItem.session_id == session_id)
        return list(self.session.exec(query.order_by(col(ReviewItem.position))))

    def window(self, session_id: str, start: int, size: int) -> list[tuple[ReviewItem, Example]]:
        """Items from this position on, with their examples."""
        query = select(ReviewItem, Example).where(ReviewItem.example_id == Example.id)
        query = query.where(ReviewItem.session_id == session_id, ReviewItem.position >= start)
        return list(self.session.exec(query.order_by(col(ReviewItem.position)).limit(size)))

    def states(self, session_id: str) -> list[tuple[str, int, str, str, dict[str, Any], str, int]]:
        """(id, position, reason, state, decision, decided by, revision) in order; choices are left out."""
        columns: Any = (
            ReviewItem.id,
            ReviewItem.position,
            ReviewItem.reason,
            ReviewItem.state,
            ReviewItem.decision,
            ReviewItem.decided_by,
            ReviewItem.revision,
        )
        query: Any = select(*columns).where(ReviewItem.session_id == session_id).order_by(col(ReviewItem.position))
        return [tuple(row) for row in self.session.exec(query)]

    def busy(self, project_id: str) -> set[str]:
        """Examples that wait for a decision in an open session."""
        query = select(ReviewItem.example_id).join(ReviewSession, col(ReviewSession.id) == col(ReviewItem.session_id))
        query = query.where(ReviewSession.project_id == project_id, ReviewSession.state == "open")
        return set(self.session.exec(query.where(ReviewItem.state != "decided")))

    def reviewed(self, dataset_id: str) -> set[str]:
        """Examples of the dataset that a session decided."""
        query = select(ReviewItem.example_id).join(Example, col(Example.id) == col(ReviewItem.example_id))
        return set(self.session.exec(query.where(Example.dataset_id == dataset_id, ReviewItem.state == "decided")))

    def decided_at(self, project_id: str, most: int = 500) -> list[tuple[str, datetime]]:
        """(session, moment) of the project's newest decisions."""
        query: Any = select(ReviewItem.session_id, ReviewItem.decided_at).join(
            ReviewSession, col(ReviewSession.id) == col(ReviewItem.session_id)
        )
        query = query.where(ReviewSession.project_id == project_id, col(ReviewItem.decided_at).is_not(None))
        query = query.order_by(col(ReviewItem.decided_at).desc()).limit(most)
        return [tuple(row) for row in self.session.exec(query)]


class ReviewVoteRepository(Repository[ReviewVote]):
    """Votes."""

    table: ClassVar[type[ReviewVote]] = ReviewVote

    def of_item(self, item_id: str) -> list[ReviewVote]:
        """The item's votes, by person."""
        query = select(ReviewVote).where(ReviewVote.item_id == item_id)
        return list(self.session.exec(query.order_by(col(ReviewVote.person))))

    def of_session(self, session_id: str) -> dict[str, list[ReviewVote]]:
        """Votes by item."""
        query = select(ReviewVote).join(ReviewItem, col(ReviewItem.id) == col(ReviewVote.item_id))
        found: dict[str, list[ReviewVote]] = {}
        for row in self.session.exec(query.where(ReviewItem.session_id == session_id).order_by(col(ReviewVote.person))):
            found.setdefault(row.item_id, []).append(row)
        return found

    def ballots(self, session_id: str) -> dict[str, list[tuple[str, int | None, str | None, str, str]]]:
        """(person, choice, output, wish, comment) by item: the quick way, for what every page asks every second."""
        columns: Any = (ReviewVote.person, ReviewVote.choice, ReviewVote.output, ReviewVote.wish, ReviewVote.comment)
        query: Any = select(ReviewVote.item_id, *columns).join(
            ReviewItem, col(ReviewItem.id) == col(ReviewVote.item_id)
        )
        query = query.where(ReviewItem.session_id == session_id).order_by(col(ReviewVote.person))
        found: dict[str, list[tuple[str, int | None, str | None, str, str]]] = {}
        for item_id, *ballot in self.session.exec(query):
            found.setdefault(item_id, []).append(tuple(ballot))
        return found


class ReviewPresenceRepository(Repository[ReviewPresence]):
    """Who is in the room."""

    table: ClassVar[type[ReviewPresence]] = ReviewPresence

    def of_session(self, session_id: str) -> list[ReviewPresence]:
        """Everybody who ever entered, by name."""
        query = select(ReviewPresence).where(ReviewPresence.session_id == session_id)
        return list(self.session.exec(query.order_by(col(ReviewPresence.person))))


class AgendaRepository:
    """What there is to review: read-only, over the tables of labeling, feedback and evaluation."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def task_items(self, task_id: str) -> list[LabelItem]:
        """Items of a task that are disputed or got different answers; whether those differ enough is not asked here."""
        answers = func.count(func.distinct(cast(Annotation.answers, String)))
        differ: Any = select(Annotation.item_id).where(Annotation.task_id == task_id, Annotation.status == "submitted")
        differ = differ.group_by(col(Annotation.item_id)).having(answers > 1)
        disputed = select(Resolution.item_id).where(Resolution.task_id == task_id, Resolution.verdict == "disputed")
        either = or_(col(LabelItem.id).in_(differ), col(LabelItem.id).in_(disputed))
        return list(
            self.session.exec(select(LabelItem).where(LabelItem.task_id == task_id, either).order_by(LabelItem.id))
        )

    def dataset_tasks(self, dataset_id: str) -> list[str]:
        """Ids of the dataset's tasks that were sent."""
        query = select(LabelTask.id).where(LabelTask.dataset_id == dataset_id, LabelTask.state != "draft")
        return list(self.session.exec(query.order_by(LabelTask.id)))

    def complaints(self, dataset_id: str, most: int = 5000) -> list[tuple[Example, Feedback]]:
        """Thumbs down, scores and corrections on the calls of the dataset's examples, newest first."""
        query = select(Example, Feedback).where(
            Feedback.log_entry_id == Example.log_entry_id, Example.dataset_id == dataset_id
        )
        down = and_(col(Feedback.kind) == "thumbs", col(Feedback.value) == 0)
        query = query.where(or_(down, col(Feedback.kind).in_(("score", "correction"))))
        return list(self.session.exec(query.order_by(col(Feedback.created_at).desc()).limit(most)))

    def largest_scores(self, project_id: str) -> dict[str, float]:
        """The largest score ever given, by name: tells a scale of 0 to 1 from one of 1 to 5."""
        query: Any = select(Feedback.name, func.max(Feedback.value)).where(Feedback.project_id == project_id)
        return dict(self.session.exec(query.where(Feedback.kind == "score").group_by(Feedback.name)).all())

    def judged(self, dataset: Dataset) -> list[tuple[Example, EvaluationOutput]]:
        """Answers of models to the dataset's verified examples in the last few evaluations, newest first."""
        recent = select(Evaluation.id).where(Evaluation.project_id == dataset.project_id)
        recent = recent.order_by(col(Evaluation.created_at).desc()).limit(RECENT)
        query = select(Example, EvaluationOutput).where(EvaluationOutput.example_id == Example.id)
        query = query.where(Example.dataset_id == dataset.id, col(Example.verified).is_(True))
        query = query.where(col(Example.excluded).is_(None), col(EvaluationOutput.error).is_(None))
        query = query.where(col(EvaluationOutput.evaluation_id).in_(recent))
        return list(self.session.exec(query.order_by(col(EvaluationOutput.id).desc())))

    def unseen(self, dataset_id: str, verified: bool, most: int) -> list[Example]:
        """The newest examples that are in and that people did (or did not) verify."""
        query = select(Example).where(Example.dataset_id == dataset_id, col(Example.excluded).is_(None))
        query = query.where(Example.verified == verified, Example.output != "")
        return list(self.session.exec(query.order_by(col(Example.id).desc()).limit(most)))

    def entries(self, ids: Collection[int]) -> dict[int, LogEntry]:
        """Captured calls by id."""
        wanted, found = list(ids), {}
        for start in range(0, len(wanted), STEP):
            query = select(LogEntry).where(col(LogEntry.id).in_(wanted[start : start + STEP]))
            found.update({row.id: row for row in self.session.exec(query) if row.id is not None})
        return found


class OutcomeRepository:
    """Everything a decision touches beside the example."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def resolutions(self, example_id: str, label_item_id: str | None, review_item_id: str) -> list[Resolution]:
        """What the decision answers: its own resolution, its label item's, and every open dispute of the example."""
        mine = [col(Resolution.verdict) == "disputed", col(Resolution.review_item_id) == review_item_id]
        mine += [col(Resolution.item_id) == label_item_id] if label_item_id else []
        query = select(Resolution).where(Resolution.example_id == example_id, or_(*mine))
        return list(self.session.exec(query.order_by(Resolution.id)))

    def twins(self, example: Example) -> list[Example]:
        """Other examples of the dataset with exactly this prompt."""
        query = select(Example).where(
            Example.dataset_id == example.dataset_id,
            Example.prompt_hash == example.prompt_hash,
            Example.id != example.id,
        )
        return list(self.session.exec(query.order_by(Example.id)))

    def versions_since(self, dataset_id: str, moment: datetime) -> list[int]:
        """Numbers of the dataset's versions frozen since then."""
        query = select(DatasetVersion.number).where(
            DatasetVersion.dataset_id == dataset_id, col(DatasetVersion.created_at) >= moment
        )
        return list(self.session.exec(query.order_by(col(DatasetVersion.number))))

    def pairs(self, ids: Collection[str]) -> list[PreferencePair]:
        """Preference pairs by id."""
        return list(self.session.exec(select(PreferencePair).where(col(PreferencePair.id).in_(list(ids)))))

    def guideline(self, task_id: str, version: int) -> Guideline | None:
        """One version of a task's guidelines."""
        query = select(Guideline).where(Guideline.task_id == task_id, Guideline.version == version)
        return self.session.exec(query).first()

    def answered_under(self, task_id: str, version: int) -> int:
        """How many answers were given under this version of the guidelines."""
        query = select(func.count()).select_from(Annotation)
        return self.session.exec(
            query.where(Annotation.task_id == task_id, Annotation.guideline_version == version)
        ).one()

    def dataset(self, dataset_id: str) -> Dataset | None:
        """The dataset."""
        return self.session.get(Dataset, dataset_id)


def repositories(
    session: Session,
) -> tuple[ReviewSessionRepository, ReviewItemRepository, ReviewVoteRepository, ReviewPresenceRepository]:
    """The four repositories of a session's tables on one database session."""
    return (
        ReviewSessionRepository(session),
        ReviewItemRepository(session),
        ReviewVoteRepository(session),
        ReviewPresenceRepository(session),
    )
