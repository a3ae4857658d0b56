"""Which examples go to people, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from sqlmodel import Session

from storage.database import Database
from storage.tables import (
    Dataset,
    DatasetVersion,
    Evaluation,
    EvaluationOutput,
    Example,
    Feedback,
    LabelItem,
    LabelTask,
    LogEntry,
    Model,
    Project,
)
from studio.errors import InvalidInput
from studio.label.samplers.clusters import WIDTH, k_means, word_weights
from studio.label.samplers.models import entropy
from studio.label.samplers.pool import Chosen
from studio.label.sampling import SAMPLES, choose
from studio.label.words import tf_idf
from tests.fakes.doubts import doubting_run
from tests.fakes.shadowed import answered_twice, shadow_of

TOPICS = ("refund my card payment", "parcel lost delivery late", "password reset login fails")


class Shelf:
    """Twelve examples, six golden, and shortcuts to say things about them."""

    def __init__(self, database: Database, project: Project) -> None:
        self.database, self.project, self.versions = database, project, 0
        with database.write() as session:
            dataset = Dataset(project_id=project.id, name="tickets")
            session.add(dataset)
            session.flush()
            self.dataset_id = dataset.id
            self.ids = [self._add(session, number) for number in range(12)]

    def _add(self, session: Session, number: int) -> str:
        entry = LogEntry(project_id=self.project.id, model="large" if number % 4 else "small")
        session.add(entry)
        session.flush()
        example = Example(
            dataset_id=self.dataset_id,
            log_entry_id=entry.id,
            messages=[{"role": "user", "content": f"{TOPICS[number % 3]} {number}"}],
            output="yes",
            split="golden" if number < 6 else "train",
            verified=number < 2,
            tags={"language": "de" if number == 3 else "en"},
        )
        session.add(example)
        session.flush()
        return example.id

    def sample(self, how: str, size: int = 12, by: str = "", seed: int = 0) -> list[Chosen]:
        with self.database.read() as session:
            return choose(session, self.dataset_id, size, how, by, seed)

    def places(self, chosen: Sequence[Chosen]) -> list[int]:
        return [self.ids.index(each.example_id) for each in chosen]

    def say(self, place: int, kind: str, value: float | None = None, name: str = "") -> None:
        with self.database.write() as session:
            example = session.get(Example, self.ids[place])
            call = (example.log_entry_id if example else None) or 0
            session.add(Feedback(log_entry_id=call, kind=kind, value=value, name=name, project_id=self.project.id))

    def shadow(self, outputs: dict[int, str]) -> None:
        shadow = shadow_of(self.database, self.project, "shadow")
        for place, output in outputs.items():
            with self.database.read() as session:
                example = session.get_one(Example, self.ids[place])
                uid = session.get_one(LogEntry, example.log_entry_id).uid
            answered_twice(self.database, shadow, uid, "yes", output)

    def answer(self, name: str, kind: str, outputs: dict[int, str]) -> None:
        self.versions += 1
        with self.database.write() as session:
            version = DatasetVersion(
                dataset_id=self.dataset_id, number=self.versions, digest=name, train_rows=1, golden_rows=1
            )
            model = Model(project_id=self.project.id, name=name, kind=kind)
            session.add_all([version, model])
            session.flush()
            made = Evaluation(project_id=self.project.id, dataset_version_id=version.id, name=name)
            session.add(made)
            session.flush()
            for place, output in outputs.items():
                example = self.ids[place]
                session.add(
                    EvaluationOutput(evaluation_id=made.id, model_id=model.id, example_id=example, output=output)
                )


@pytest.fixture
def shelf(database: Database, project: Project) -> Shelf:
    return Shelf(database, project)


def test_golden_examples_nobody_verified_come_first_then_training_ones(shelf: Shelf) -> None:
    chosen = shelf.places(shelf.sample("golden_first", 7))
    assert set(chosen[:4]) == {2, 3, 4, 5} and all(place > 5 for place in chosen[4:])


def test_the_same_seed_chooses_the_same_and_another_does_not(shelf: Shelf) -> None:
    first = shelf.sample("random", 6, seed=1)
    assert first == shelf.sample("random", 6, seed=1) != shelf.sample("random", 6, seed=2)
    assert len({each.example_id for each in shelf.sample("random", 1000)}) == 12


def test_every_sample_is_explained_in_a_sentence_and_every_choice_has_a_reason(shelf: Shelf) -> None:
    shelf.say(4, "thumbs", 0.0)
    shelf.answer("teacher", "provider", {0: "yes", 1: "no"})
    shelf.answer("student", "tuned", {0: "yes", 1: "yes"})
    doubting_run(shelf.database, shelf.project, shelf.dataset_id, {shelf.ids[8]: 3.0})
    shelf.shadow({3: "no"})
    for name, sentence in SAMPLES.items():
        chosen = shelf.sample(name, by="language" if name == "stratified" else "")
        assert chosen and all(each.reason for each in chosen) and len(sentence) > 20, name


def test_a_stratified_sample_holds_rare_kinds_too(shelf: Shelf) -> None:
    by_tag = shelf.sample("stratified", 2, by="language")
    assert {each.reason for each in by_tag} == {"language: de (1 of 1)", "language: en (1 of 11)"}
    by_model = Counter(each.reason for each in shelf.sample("stratified", 6, by="model"))
    assert by_model == {"model: large (1 of 9)": 3, "model: small (1 of 3)": 3}


def test_a_tag_that_no_example_has_is_refused_with_the_tags_there_are(shelf: Shelf) -> None:
    with pytest.raises(InvalidInput, match=r"'country'\. They have: language"):
        shelf.sample("stratified", by="country")
    with pytest.raises(InvalidInput, match="Choose the tag"):
        shelf.sample("stratified")


def test_what_a_shadow_answered_otherwise_comes_newest_first_unless_somebody_verified_it(shelf: Shelf) -> None:
    with pytest.raises(InvalidInput, match="Shadow a revision on Deploy"):
        shelf.sample("shadow")
    shelf.shadow({0: "no", 4: "no", 6: " yes ", 9: "perhaps"})
    assert shelf.places(shelf.sample("shadow")) == [9, 4]


def test_the_lowest_feedback_comes_first_whatever_its_scale(shelf: Shelf) -> None:
    shelf.say(1, "thumbs", 1.0)
    shelf.say(2, "correction")
    shelf.say(3, "score", 1.0, "stars")
    shelf.say(4, "score", 5.0, "stars")
    shelf.say(5, "score", 2.0, "stars")
    for _time in range(2):
        shelf.say(6, "thumbs", 0.0)
    chosen = shelf.sample("lowest_feedback")
    assert shelf.places(chosen)[0] == 6 and set(shelf.places(chosen)[1:3]) == {2, 3}
    assert shelf.places(chosen)[3] == 5 and set(shelf.places(chosen)[4:]) == {1, 4}
    assert chosen[0].reason == "thumbs down (2 times)" and "stars 2" in chosen[3].reason


def test_disagreement_is_between_todays_model_and_the_newest_tuned_one(shelf: Shelf) -> None:
    shelf.answer("teacher", "provider", {0: '{"a": 1}', 1: "no", 2: "no"})
    shelf.answer("older", "tuned", {0: "x", 1: "x", 2: "x"})
    shelf.answer("student", "tuned", {0: '{ "a":1 }', 1: "yes", 2: "no"})
    assert shelf.places(shelf.sample("disagreement")) == [1]
    assert set(shelf.places(shelf.sample("disagreement", by="older, student"))) == {0, 1, 2}
    with pytest.raises(InvalidInput, match="older, student, teacher"):
        shelf.sample("disagreement", by="older,nobody")


def test_the_boundary_is_where_the_models_answers_are_most_divided(shelf: Shelf) -> None:
    shelf.answer("first", "provider", {0: "a", 1: "a", 2: "a"})
    shelf.answer("second", "base", {0: "b", 1: "a", 2: "a"})
    shelf.answer("third", "tuned", {0: "c", 1: "b", 2: "a"})
    chosen = shelf.sample("boundary")
    assert shelf.places(chosen) == [0, 1]
    assert chosen[0].reason == "3 models gave 3 different answers (1.58 bits)"


@pytest.mark.parametrize(("votes", "bits"), [("aa", 0.0), ("ab", 1.0), ("abcd", 2.0), ("aaab", 0.8113)])
def test_entropy_of_votes(votes: str, bits: float) -> None:
    assert entropy(list(votes)) == pytest.approx(bits, abs=1e-4)


def test_what_was_sent_before_is_not_sent_again(shelf: Shelf) -> None:
    with shelf.database.write() as session:
        task = LabelTask(dataset_id=shelf.dataset_id, name="first", state="closed")
        session.add(task)
        session.flush()
        session.add_all(LabelItem(task_id=task.id, example_id=shelf.ids[place]) for place in range(10))
    assert set(shelf.places(shelf.sample("unlabeled"))) == {10, 11}


def test_representatives_hold_every_topic_before_any_twice(shelf: Shelf) -> None:
    chosen = shelf.sample("clusters", 3)
    assert {place % 3 for place in shelf.places(chosen)} == {0, 1, 2}
    assert all("typical of 4 similar prompts" in each.reason for each in chosen)
    assert chosen == shelf.sample("clusters", 3)


def test_similar_texts_fall_into_one_group() -> None:
    texts = [f"{topic} number {at % 5}" for at, topic in enumerate(TOPICS * 20)]
    counts = [Counter(text.split()) for text in texts]
    weights = word_weights(counts)
    _centres, member = k_means(tf_idf(counts, weights, WIDTH), 3, seed=0)
    assert "number" not in weights, "in every text, so it tells nothing"
    groups = {tuple(sorted({at % 3 for at in range(60) if member[at] == group})) for group in set(member.tolist())}
    assert groups == {(0,), (1,), (2,)}


@pytest.mark.parametrize(
    ("how", "page"), [("lowest_feedback", "Capture"), ("disagreement", "Evaluate"), ("boundary", "Evaluate")]
)
def test_a_sample_without_its_data_says_where_the_data_is_made(shelf: Shelf, how: str, page: str) -> None:
    with pytest.raises(InvalidInput, match=page):
        shelf.sample(how)


def test_an_unknown_sample_is_refused_with_the_known_ones(shelf: Shelf) -> None:
    with pytest.raises(InvalidInput, match="golden_first"):
        shelf.sample("best")
