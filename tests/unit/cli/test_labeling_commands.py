"""Commands about people's judgement, typed as an operator types them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.tables import Annotation, Dataset, Example, LabelItem, LabelTask, Project, ReviewItem, ReviewSession
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.cli.labeling import options_of
from studio.errors import InvalidInput, StudioError

OPERATOR = Actor.operator()
Type = Callable[..., str]


@pytest.fixture
def dataset(studio: Studio, project: Project) -> Dataset:
    made = studio.datasets.create(OPERATOR, project.id, "triage")
    with studio.database.write() as session:
        for number in range(6):
            prompt = [{"role": "user", "content": f"ticket {number}"}]
            session.add(Example(dataset_id=made.id, messages=prompt, output="billing", prompt_hash=str(number)))
    return made


def test_a_team_is_made_changed_and_listed(studio: Studio, typed: Type) -> None:
    for name in ("mia", "noah"):
        studio.people.invite(OPERATOR, name, Role.LABELER)
    assert typed("team", "support", "mia", "noah") == "Team support: mia, noah.\n"
    assert typed("team", "support", "noah") == "Team support: noah.\n"
    assert "support" in typed("teams") and "mia" not in typed("teams")
    with pytest.raises(InvalidInput, match="nobody called zoe"):
        typed("team", "support", "zoe")


def cancel_first_job(studio: Studio) -> None:
    """Nobody publishes here: what was queued is cancelled, so that the command ends."""
    while not (active := studio.jobs.active(None)):
        time.sleep(0.02)
    studio.jobs.cancel(OPERATOR, active[0].id)


def test_label_sends_the_draft_that_its_options_describe(
    studio: Studio, dataset: Dataset, typed: Type, tmp_path: Path
) -> None:
    guidelines = tmp_path / "rules.md"
    guidelines.write_text("Be kind.")
    words = ["label", "triage", "--person", "mia", "--person", "noah", "--template", "rating", "--answers", "1"]
    words += ["--option", 'criteria=["Tone", "Length"]', "--size", "4", "--sample", "random", "--split"]
    words += ["--guidelines", str(guidelines), "--deadline", "2030-01-31", "--name", "Tone"]
    threading.Thread(target=cancel_first_job, args=[studio], daemon=True).start()
    with pytest.raises(StudioError, match="cancel"):
        typed(*words)
    (task,) = studio.labeling.all(dataset.id)
    assert (task.name, task.template, task.answers_per_item, task.guidelines) == ("Tone", "rating", 1, "Be kind.")
    assert (task.assignees, task.assignment["mode"], task.spec["sample"]) == (["mia", "noah"], "split", "random")
    assert [each["title"].split(" ")[0] for each in task.spec["questions"]] == ["Tone", "Length"]
    assert task.deadline is not None and task.deadline.isoformat() == "2030-01-31T00:00:00+00:00"
    assert len(studio.labeling.items(task.id)) == 4
    assert {each.username: each.role for each in studio.people.all()}["mia"] == "labeler"


def test_options_are_json_or_the_text_they_are() -> None:
    assert options_of(['labels=["a", "b"]', "field=category", "multi=true", "answers=3"]) == {
        "labels": ["a", "b"], "field": "category", "multi": True, "answers": 3,
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="name=value"):
        options_of(["labels"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--guidelines", "/nowhere.md"), "cannot be read"),
        (("--template", "horoscope"), "no question template 'horoscope'"),
        (("--option", "labels"), "name=value"),
        (("--size", "0"), "between 1 and"),
    ],
)
def test_a_mistake_in_label_is_one_sentence_and_sends_nothing(
    studio: Studio, dataset: Dataset, typed: Type, words: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(StudioError, match=sentence):
        typed("label", "triage", *words)
    assert studio.labeling.all(dataset.id) == []


def test_quality_shows_people_by_name_with_what_the_data_can_tell(
    studio: Studio, dataset: Dataset, typed: Type
) -> None:
    with studio.database.write() as session:
        task = LabelTask(
            dataset_id=dataset.id, name="Golden set", assignees=["mia", "noah"],
            spec={"questions": [{"name": "verdict", "kind": "label"}]},
        )  # fmt: skip
        session.add(task)
        session.flush()
        for example in studio.datasets.examples(dataset.id):
            item = LabelItem(task_id=task.id, example_id=example.id, gold={"verdict": "correct"})
            session.add(item)
            session.flush()
            for who, said in (("noah", "wrong"), ("mia", "correct")):
                given = {"verdict": said}
                session.add(Annotation(task_id=task.id, item_id=item.id, annotator=who, answers=given, seconds=9.0))
    told = typed("quality", task.id)
    assert told.index("mia") < told.index("noah") and "6 of 6" in told and "0 of 6" in told and "9" in told
    assert "noah: Said “wrong” 6 times where “correct” is known to be right." in told


def test_minutes_are_printed_as_markdown_and_sessions_are_listed(studio: Studio, dataset: Dataset, typed: Type) -> None:
    example = studio.datasets.examples(dataset.id)[0]
    with studio.database.write() as session:
        review = ReviewSession(project_id=dataset.project_id, dataset_id=dataset.id, title="Tuesday", chair="rita")
        session.add(review)
        session.flush()
        session.add(ReviewItem(session_id=review.id, position=0, example_id=example.id))
    listed = typed("reviews")
    assert "Tuesday" in listed and review.id in listed and "0 of 1" in listed
    assert typed("review-minutes", review.id).startswith("# ")
    assert "Tuesday" in typed("review-minutes", review.id)
