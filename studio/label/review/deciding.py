"""The chair's word on an item: what it does to the example and all that hangs on it, and how it is taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from storage.repositories.reviews import OutcomeRepository, ReviewVoteRepository
from storage.tables import Example, PreferencePair, ReviewItem, ReviewSession
from storage.types import now
from studio.capture.text import storable
from studio.curate.examples import set_answer
from studio.errors import Conflict, InvalidInput
from studio.label.resolve import same_answer
from studio.label.resolving import LEFT_OUT
from studio.label.review import answered, rules
from studio.label.review.found import example_of
from studio.label.review.room import UNDO, public
from studio.label.review.sides import keep_in, restore_twins
from studio.label.review.voting import output_of, reveal

VERDICTS = ("confirmed", "corrected", "left_out", "open")
KEEPS = ("", "train", "golden", "drop")
FIELDS = ("output", "output_source", "verified", "split", "excluded", "resolution_id")
LONGEST_NOTE = 4000


@dataclass(frozen=True)
class Word:
    """A decision as the chair gives it."""

    verdict: str
    output: str | None = None
    keep: str = ""
    rule: str = ""
    note: str = ""

    def checked(self, shown: str) -> Word:
        """The decision made whole: verdict and answer agree. Raises InvalidInput with the fix."""
        if self.verdict not in VERDICTS or self.keep not in KEEPS:
            raise InvalidInput(f"Decide one of {', '.join(VERDICTS)}, and keep it as train or golden, or drop it.")
        if len(self.rule) > LONGEST_NOTE or len(self.note) > LONGEST_NOTE:
            raise InvalidInput(f"A rule or a note has at most {LONGEST_NOTE:,} characters.")
        rule, note = storable(self.rule.strip()), storable(self.note.strip())
        if self.verdict == "left_out" or (self.keep == "drop" and self.verdict != "open"):
            return Word("left_out", None, "drop", rule, note)
        if self.verdict == "open":
            return Word("open", None, "", rule, note)
        return self._answer(shown, rule, note)

    def _answer(self, shown: str, rule: str, note: str) -> Word:
        output = shown if self.output is None and self.verdict == "confirmed" else (self.output or "")
        output = storable(output)
        if not output.strip():
            raise InvalidInput("The answer is empty. Write what is right, leave the example out, or keep it open.")
        confirmed = same_answer(output) == same_answer(shown)
        return Word(
            "confirmed" if confirmed else "corrected", shown if confirmed else output.strip(), self.keep, rule, note
        )


def decide(session: Session, review: ReviewSession, item: ReviewItem, revision: int, word: Word, person: str) -> None:
    """Carry the decision out. Raises Conflict when the item is not as the chair saw it."""
    _must_be_seen(item, revision)
    if item.state == "voting":
        raise Conflict("The votes on this item are not on the table yet. Reveal them, then decide.")
    if item.state == "decided":
        raise Conflict(f"{item.decided_by} decided this item already. Undo that decision first.")
    example = example_of(session, item)
    word, before = word.checked(example.output), snapshot(example)
    undo: dict[str, Any] = {"before": before}
    if word.verdict != "open":
        undo |= _carry_out(session, review, item, example, word, person)
    elif example.verified:
        example.verified, example.updated_at = False, now()
    session.add(example)
    decision = {name: value for name, value in vars(word).items() if value}
    decision |= _moved(session, example, before)
    if word.rule:
        undo["rule"] = rules.add_rule(session, review, item, word.rule, person)
        decision["guideline"] = public_rule(undo["rule"])
    item.decision = {**decision, UNDO: {**undo, "after": snapshot(example)}}
    item.state, item.decided_by, item.decided_at = "decided", person, now()
    item.revision += 1


def undo(session: Session, review: ReviewSession, item: ReviewItem, revision: int) -> None:
    """Bring back exactly what was before. Raises Conflict where somebody changed the example since."""
    _must_be_seen(item, revision)
    if item.state != "decided":
        raise Conflict("This item is not decided, so there is nothing to undo.")
    kept, example = item.decision[UNDO], example_of(session, item)
    if snapshot(example) != kept["after"]:
        raise Conflict(
            "This example was changed after the decision, by another way. Undoing would overwrite that change, so "
            "nothing was undone. Correct the example on the Curate page."
        )
    if item.decision.get("rule"):
        rules.take_rule_back(session, kept["rule"], review.chair)
    answered.restore(session, kept.get("resolutions", []))
    restore_twins(session, kept.get("twins", {}))
    for pair in OutcomeRepository(session).pairs(kept.get("pairs", [])):
        session.delete(pair)
    for name, value in kept["before"].items():
        setattr(example, name, value)
    example.updated_at = now()
    session.add(example)
    item.state, item.decision, item.decided_by, item.decided_at = "revealed", {}, "", None
    item.revision += 1


def reveal_now(item: ReviewItem) -> bool:
    """The chair puts the votes on the table; True when they were not there yet."""
    if item.state != "voting":
        return False
    reveal(item)
    return True


def snapshot(example: Example) -> dict[str, Any]:
    """What a decision may change about an example."""
    return {name: getattr(example, name) for name in FIELDS}


def public_rule(kept: dict[str, Any]) -> dict[str, Any]:
    """Which guideline a rule went to, as everybody may see it."""
    return {name: kept[name] for name in ("task_id", "task", "version") if name in kept}


def _must_be_seen(item: ReviewItem, revision: int) -> None:
    """Optimistic lock: whoever changes the item must have seen it as it is."""
    if item.revision == revision:
        return
    if item.state == "decided":
        said = public(item.decision).get("verdict", "")
        raise Conflict(
            f"{item.decided_by} decided this item ({said.replace('_', ' ')}) while you looked at it, so nothing of "
            "yours was saved. Look at that decision; undo it to decide again."
        )
    raise Conflict("This item changed while you looked at it, so nothing was saved. Look again, then decide.")


def _carry_out(
    session: Session, review: ReviewSession, item: ReviewItem, example: Example, word: Word, person: str
) -> dict[str, Any]:
    resolution, resolutions = answered.settle_all(session, item, example, word, person)
    if word.verdict == "left_out":
        example.excluded, example.updated_at = LEFT_OUT, now()
        return {"resolutions": resolutions}
    set_answer(example, str(word.output), "people", verified=True, resolution_id=resolution.id)
    twins = keep_in(session, example, word.keep)
    pairs = _pairs(session, review, item, example, str(word.output), person)
    session.add_all(pairs)
    return {"resolutions": resolutions, "twins": twins, "pairs": [pair.id for pair in pairs]}


def _moved(session: Session, example: Example, before: dict[str, Any]) -> dict[str, Any]:
    """Where the example came from; for golden ones, the versions that may have trained a model on it."""
    if example.split == before["split"]:
        return {}
    decisions, facts = OutcomeRepository(session), {"moved_from": before["split"]}
    if example.split != "golden" or before["excluded"]:
        return facts
    return {**facts, "frozen_in": decisions.versions_since(example.dataset_id, example.created_at)}


def _pairs(
    session: Session, review: ReviewSession, item: ReviewItem, example: Example, output: str, person: str
) -> list[PreferencePair]:
    """The decided answer beats every other answer that was offered."""
    votes = [output_of(vote, item) for vote in ReviewVoteRepository(session).of_item(item.id)]
    said = [same_answer(each) for each in votes if each is not None]
    others = {same_answer(each["output"]): str(each["output"]) for each in item.choices}
    others.pop(same_answer(output), None)
    return [
        PreferencePair(
            dataset_id=example.dataset_id,
            example_id=example.id,
            chosen=output,
            rejected=rejected,
            source="review",
            task_id=review.task_id,
            votes=said.count(same_answer(output)),
            against=said.count(key),
            decided_by=person,
        )
        for key, rejected in others.items()
        if rejected.strip()
    ]
