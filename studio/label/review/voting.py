"""Blind votes: cast, changed until they are revealed, and carried out exactly once however they arrive."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlmodel import Session

from storage.repositories.reviews import ReviewPresenceRepository, ReviewVoteRepository
from storage.tables import ReviewItem, ReviewSession, ReviewVote
from storage.types import now
from studio.capture.text import storable
from studio.errors import Conflict, InvalidInput
from studio.label.resolve import same_answer
from studio.label.review.room import here

LONGEST = 100_000


class Said(BaseModel):
    """What a person says about an item, as it comes from outside."""

    model_config = ConfigDict(extra="ignore")

    choice: int | None = Field(None, ge=0, strict=True)
    output: str | None = Field(None, max_length=LONGEST)
    wish: Literal["choose", "edit", "skip", "discuss"] = "choose"
    comment: str = Field("", max_length=2000)

    @classmethod
    def read(cls, found: Mapping[str, Any], choices: Sequence[Mapping[str, Any]]) -> Said:
        """Check it against the answers on offer. Raises InvalidInput with the fix."""
        try:
            said = cls.model_validate(storable(dict(found)))
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
        return said._fitting(choices)

    def _fitting(self, choices: Sequence[Mapping[str, Any]]) -> Said:
        if self.wish == "choose":
            if self.choice is None or self.choice >= len(choices):
                raise InvalidInput(f"Choose one of the answers 1 to {len(choices)}, or write your own.")
            return self.model_copy(update={"output": None})
        if self.wish != "edit":
            return self.model_copy(update={"output": None, "choice": None})
        return self._written(choices)

    def _written(self, choices: Sequence[Mapping[str, Any]]) -> Said:
        """An answer of one's own; one that says the same as an offered answer is a vote for that."""
        text = self.output or ""
        if not text.strip():
            raise InvalidInput("The answer is empty. Write one, choose one that is offered, or skip.")
        for place, offered in enumerate(choices):
            if same_answer(offered["output"]) == same_answer(text):
                return self.model_copy(update={"wish": "choose", "choice": place, "output": None})
        return self.model_copy(update={"output": text, "choice": None})


def cast(session: Session, review: ReviewSession, item: ReviewItem, person: str, said: Said) -> bool:
    """Write the vote and reveal the item when all are in; True when anything changed.

    A vote that comes again is no change, also after it was revealed; a different one is refused then.
    """
    votes = ReviewVoteRepository(session)
    vote = votes.find_one(item_id=item.id, person=person)
    if vote and Said(choice=vote.choice, output=vote.output, wish=vote.wish, comment=vote.comment) == said:
        return False
    if item.state != "voting":
        raise Conflict("The votes on this item are on the table already, so yours can no longer change.")
    vote = vote or ReviewVote(item_id=item.id, person=person)
    vote.choice, vote.output, vote.wish, vote.comment = said.choice, said.output, said.wish, said.comment
    vote.voted_at = now()
    votes.add(vote)
    if all_in(session, review, {each.person for each in votes.of_item(item.id)}):
        reveal(item)
    return True


def withdraw(session: Session, item: ReviewItem, person: str) -> bool:
    """Take one's vote back while votes are blind; True when there was one."""
    votes = ReviewVoteRepository(session)
    vote = votes.find_one(item_id=item.id, person=person)
    if vote is None:
        return False
    if item.state != "voting":
        raise Conflict("The votes on this item are on the table already, so yours can no longer change.")
    session.delete(vote)
    session.flush()
    return True


def all_in(session: Session, review: ReviewSession, voted: Collection[str]) -> bool:
    """Whether everybody who is expected and in the room has voted.

    Expected are the people the session names, else whoever came. Where several are expected, one early vote alone
    reveals nothing: the others would no longer be blind.
    """
    known = ReviewPresenceRepository(session).of_session(review.id)
    expected = set(review.people) or {each.person for each in known}
    waiting = {each.person for each in known if here(each)} & expected - set(voted)
    return not waiting and len(expected & set(voted)) >= min(2, len(expected) or 1)


def reveal(item: ReviewItem) -> None:
    """Put the votes on the table."""
    item.state = "revealed"
    item.revision += 1


def output_of(vote: ReviewVote, item: ReviewItem) -> str | None:
    """The answer that a vote stands for, or None."""
    if vote.output is not None:
        return vote.output
    return str(item.choices[vote.choice]["output"]) if vote.choice is not None else None
