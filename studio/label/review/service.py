"""Reviews: people decide together on examples chosen by value, vote blind, and leave with minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.people import PersonRepository
from storage.repositories.reviews import ReviewItemRepository, ReviewSessionRepository, ReviewVoteRepository
from storage.tables import LabelTask, ReviewItem, ReviewSession
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.capture.text import storable
from studio.curate.datasets import found_dataset
from studio.errors import Conflict, InvalidInput
from studio.label.review import accord, deciding
from studio.label.review.agenda import agenda
from studio.label.review.deciding import Word
from studio.label.review.events import acked_of, carry_out
from studio.label.review.found import found_review, held_review, must_chair, open_item, open_review
from studio.label.review.markdown import as_markdown
from studio.label.review.minutes import minutes_of
from studio.label.review.room import on_agenda, place_of, show_room, show_window
from studio.label.review.shapes import Acked, AgendaLine, Card, Minutes, Place, Room
from studio.label.review.voting import Said, cast

LARGEST_WINDOW = 200
MOST_EVENTS = 500


class Reviews:
    """Everything the Review page and the command line do with review sessions.

    Every change holds its session until it is saved, so changes to one session happen one after another.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- the agenda ------------------------------------------------------------------------------------------------

    def preview(
        self, project_id: str, dataset_id: str, source: Mapping[str, Any], minutes: int = 30
    ) -> list[AgendaLine]:
        """The agenda that `start` would make now, most valuable first.

        Kinds of source: {"kind": "task", "task_id": …} what people of a task disagree about; "disputes" every open
        dispute of the project; "conflicts" models or a judge against people; "feedback" what users complained about;
        "topics" representatives of new topics; "value" all of these, the most valuable first.
        """
        with self.database.read() as session:
            found_dataset(session, dataset_id)
            return agenda(session, project_id, dataset_id, source, minutes)

    def start(
        self,
        actor: Actor,
        dataset_id: str,
        title: str,
        source: Mapping[str, Any],
        minutes: int = 30,
        people: Sequence[str] = (),
    ) -> ReviewSession:
        """Open a session with the actor in the chair. `people` are waited for; without them, whoever comes."""
        if not title.strip() or len(title.strip()) > 120:
            raise InvalidInput("Give the session a title of 1 to 120 characters.")
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            dataset = found_dataset(session, dataset_id)
            _must_be_able(session, people)
            lines = agenda(session, dataset.project_id, dataset_id, source, minutes)
            if not lines:
                raise InvalidInput("There is nothing to review there now. Choose another source, or come back later.")
            review = ReviewSession(
                project_id=dataset.project_id,
                dataset_id=dataset_id,
                title=storable(title.strip()),
                source=dict(source),
                task_id=_task_id(session, source),
                chair=actor.username,
                people=list(dict.fromkeys(people)),
                minutes_planned=minutes,
                created_by=actor.username,
            )
            return _opened(session, review, lines)

    def all(self, project_id: str) -> list[ReviewSession]:
        """The project's sessions, newest first."""
        with self.database.read() as session:
            return ReviewSessionRepository(session).of_project(project_id)

    def tally(self, project_id: str) -> dict[str, tuple[int, int]]:
        """(items, decided items) of each of the project's sessions."""
        with self.database.read() as session:
            return ReviewSessionRepository(session).tally(project_id)

    def get(self, session_id: str) -> ReviewSession:
        """One session. Raises NotFound."""
        with self.database.read() as session:
            return found_review(session, session_id)

    # --- in the room -----------------------------------------------------------------------------------------------

    def enter(self, actor: Actor, session_id: str, tab: str = "") -> Place:
        """Come in, or come back to where one was. A browser tab that names itself has its own count of events."""
        with self.database.write() as session:
            permit(session, actor, Role.LABELER)
            review = held_review(session, session_id)
            place = place_of(session, review, actor.username)
            place.seen_at = now()
            session.add(place)
            return Place(place.position, acked_of(place, tab))

    def beat(self, actor: Actor, session_id: str, position: int) -> None:
        """Say that the actor is still here, and where; every few seconds."""
        with self.database.write() as session:
            permit(session, actor, Role.LABELER)
            place = place_of(session, held_review(session, session_id), actor.username)
            place.seen_at, place.position = now(), on_agenda(position)
            session.add(place)

    def room(self, actor: Actor, session_id: str) -> Room:
        """Everything that changes while people are in the session, as the actor may see it."""
        with self.database.read() as session:
            permit(session, actor, Role.LABELER)
            return show_room(session, session_id, actor.username)

    def window(self, session_id: str, start: int = 0, size: int = 60) -> list[Card]:
        """The content of the items from position `start` on; an item's content changes only with its revision."""
        with self.database.read() as session:
            return show_window(session, session_id, max(0, start), min(max(1, size), LARGEST_WINDOW))

    def vote(
        self,
        actor: Actor,
        item_id: str,
        choice: int | None = None,
        output: str | None = None,
        wish: str = "choose",
        comment: str = "",
    ) -> None:
        """Vote, or change one's vote: nobody else sees it before the reveal. `choice` counts from 0."""
        with self.database.write() as session:
            permit(session, actor, Role.LABELER)
            review, item = open_item(session, item_id)
            given = {"choice": choice, "output": output, "wish": wish, "comment": comment}
            if cast(session, review, item, actor.username, Said.read(given, item.choices)):
                _changed(session, review, item)

    def apply_events(self, actor: Actor, session_id: str, events: Sequence[Mapping[str, Any]], tab: str = "") -> Acked:
        """Carry out numbered events of a browser, each exactly once; send all that are not acknowledged yet, together.

        An event has `seq` (from 1 without gaps, per tab), `wish` (choose, edit, skip, discuss, withdraw, move),
        `item_id`, and `choice`, `output`, `comment`, `position` as it needs. A bad one is reported, the rest is done.
        """
        if len(events) > MOST_EVENTS:
            raise InvalidInput(f"Send at most {MOST_EVENTS} events at once.")
        with self.database.write() as session:
            permit(session, actor, Role.LABELER)
            review = held_review(session, session_id)
            place = place_of(session, review, actor.username)
            place.seen_at = now()
            acked, changed = carry_out(session, review, place, events, tab)
            if changed:
                _changed(session, review)
            return acked

    # --- in the chair ----------------------------------------------------------------------------------------------

    def reveal(self, actor: Actor, item_id: str) -> None:
        """Put the votes on the table without waiting for the rest; again changes nothing."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            review, item = open_item(session, item_id)
            must_chair(review, actor)
            if deciding.reveal_now(item):
                _changed(session, review, item)

    def decide(
        self,
        actor: Actor,
        item_id: str,
        revision: int,
        verdict: str,
        output: str | None = None,
        keep: str = "",
        rule: str = "",
        note: str = "",
    ) -> ReviewItem:
        """The chair's word: verdict confirmed, corrected, left_out or open; keep as train or golden, or drop.

        Without `keep` the example stays on its side. `revision` is the item's as the chair saw it. Raises Conflict,
        with who decided what, when it changed meanwhile.
        """
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            review, item = open_item(session, item_id)
            must_chair(review, actor)
            deciding.decide(session, review, item, revision, Word(verdict, output, keep, rule, note), actor.username)
            _changed(session, review, item)
            return item

    def undo(self, actor: Actor, item_id: str, revision: int) -> ReviewItem:
        """Take a decision back: everything it changed is as it was before; its votes stay on the table."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            review, item = open_item(session, item_id)
            must_chair(review, actor)
            deciding.undo(session, review, item, revision)
            _changed(session, review, item)
            return item

    def take_chair(self, actor: Actor, session_id: str, revision: int) -> ReviewSession:
        """Take the chair; `revision` is the session's as the actor saw it.

        Raises Conflict when the chair changed hands since then.
        """
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            review = open_review(session, session_id)
            if review.chair == actor.username:
                return review
            if review.chair_revision > revision:
                raise Conflict(f"{review.chair} took the chair a moment ago. Ask them, or look again and take it.")
            review.chair = actor.username
            _changed(session, review)
            review.chair_revision = review.revision
            return review

    def close(self, actor: Actor, session_id: str) -> ReviewSession:
        """End the session; its minutes stand from now on. Items nobody decided may come onto another agenda."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            review = held_review(session, session_id)
            if review.state == "closed":
                return review
            must_chair(review, actor)
            items = ReviewItemRepository(session).of_session(session_id)
            review.agreement_after = accord.after(items, ReviewVoteRepository(session).of_session(session_id))
            review.state, review.closed_at = "closed", now()
            _changed(session, review)
            return review

    # --- the minutes -----------------------------------------------------------------------------------------------

    def minutes(self, session_id: str) -> Minutes:
        """What came out of the session so far."""
        with self.database.read() as session:
            return minutes_of(session, session_id)

    def minutes_markdown(self, session_id: str) -> str:
        """The minutes as a Markdown document."""
        return as_markdown(self.minutes(session_id))


def _opened(session: Session, review: ReviewSession, lines: Sequence[AgendaLine]) -> ReviewSession:
    session.add(review)
    session.flush()
    items = [ReviewItem(session_id=review.id, position=place, **vars(line)) for place, line in enumerate(lines)]
    session.add_all(items)
    session.flush()
    review.agreement_before = accord.before(session, items)
    session.add(review)
    return review


def _changed(session: Session, review: ReviewSession, item: ReviewItem | None = None) -> None:
    """Save, and let everybody's page know that there is something new."""
    review.revision += 1
    session.add(review)
    if item is not None:
        session.add(item)
    session.flush()


def _task_id(session: Session, source: Mapping[str, Any]) -> str | None:
    task = session.get(LabelTask, str(source.get("task_id") or ""))
    return task.id if task else None


def _must_be_able(session: Session, people: Sequence[str]) -> None:
    able = {
        each.username
        for each in PersonRepository(session).find(active=True)
        if Role(each.role).rank >= Role.LABELER.rank
    }
    if unable := [name for name in people if name not in able]:
        raise InvalidInput(
            f"These people may not review: {', '.join(unable)}. Give them a role under Settings, People."
        )
