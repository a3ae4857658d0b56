import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, LogEntry, Project, Revision
from studio.access.actor import Actor, Role
from studio.curate.datasets import Datasets
from studio.deploy.shadows import Shadows, ShadowSummary
from studio.errors import InvalidInput, NotAllowed, NotFound
from studio.jobs.queue import Jobs
from studio.label.tasks import Labeling
from studio.settings import Settings
from tests.fakes.labeling import FakePlatform
from tests.fakes.shadowed import answered_twice, shadow_of

LIVE = '{"category": "billing", "priority": "low"}'
SAME = '{"priority":"low","category":"billing"}'
OTHER = '{"category": "returns"}'


@pytest.fixture
def shadows(database: Database, artifacts: Artifacts, settings: Settings) -> Shadows:
    jobs = Jobs(database)
    return Shadows(database, Datasets(database, artifacts, jobs), Labeling(database, jobs, FakePlatform, settings))


@pytest.fixture
def shadow(database: Database, project: Project) -> Revision:
    return shadow_of(database, project)


@pytest.fixture
def dataset(shadows: Shadows, project: Project, operator: Actor) -> Dataset:
    return shadows.datasets.create(operator, project.id, "tickets")


def call(database: Database, project: Project, number: int) -> str:
    with database.write() as session:
        prompt = [{"role": "user", "content": f"Ticket {'abcdefgh'[number] * 9}"}]
        entry = LogEntry(project_id=project.id, model="triage", served_model="big", messages=prompt)
        entry.reply, entry.reply_text = {"role": "assistant", "content": LIVE}, LIVE
        session.add(entry)
    return entry.uid


def test_a_summary_says_how_often_both_agree_and_how_sure_that_is(
    shadows: Shadows, shadow: Revision, database: Database
) -> None:
    for number in range(8):
        answered_twice(database, shadow, f"u{number}", LIVE, SAME if number else "sorry", ms=10.0 + number)
    answered_twice(database, shadow, "u8", LIVE, "", error="The server does not answer.")
    found = shadows.summary(shadow.deployment_id, shadow.id)
    assert (found.n, found.answered, found.errors, found.same) == (9, 8, 1, 7)
    assert found.same_share == 7 / 8 and 0.4 < found.same_low < 7 / 8 < found.same_high < 1
    assert (found.live_json, found.shadow_json) == (8, 7)
    assert (found.live_ms, found.shadow_ms) == (27.0, 13.5)


def test_a_shadow_that_was_never_asked_has_an_empty_summary(shadows: Shadows, shadow: Revision) -> None:
    assert shadows.summary(shadow.deployment_id, shadow.id) == ShadowSummary()
    assert shadows.pairs(shadow.deployment_id) == []


def test_pairs_come_newest_first_and_may_leave_out_what_agrees(
    shadows: Shadows, shadow: Revision, database: Database
) -> None:
    for uid, answer in (("first", OTHER), ("second", SAME), ("third", "no")):
        answered_twice(database, shadow, uid, LIVE, answer)
    answered_twice(database, shadow, "fourth", LIVE, "", error="It answered 503.")
    assert [pair.log_uid for pair in shadows.pairs(shadow.deployment_id)] == ["fourth", "third", "second", "first"]
    differing = shadows.pairs(shadow.deployment_id, only_different=True)
    assert [pair.log_uid for pair in differing] == ["third", "first"]
    assert [pair.log_uid for pair in shadows.pairs(shadow.deployment_id, 1)] == ["fourth"]


def test_what_a_shadow_answered_otherwise_goes_to_a_dataset_once(
    shadows: Shadows, shadow: Revision, dataset: Dataset, database: Database, project: Project, operator: Actor
) -> None:
    for number, answer in enumerate((OTHER, SAME, OTHER)):
        answered_twice(database, shadow, call(database, project, number), LIVE, answer)
    answered_twice(database, shadow, "not arrived yet", LIVE, OTHER)
    added = shadows.to_dataset(operator, shadow.deployment_id, shadow.id, dataset.id)
    assert (added.seen, added.new) == (2, 2)
    assert shadows.to_dataset(operator, shadow.deployment_id, shadow.id, dataset.id).new == 0


def test_people_are_asked_which_answer_is_better(
    shadows: Shadows,
    shadow: Revision,
    dataset: Dataset,
    database: Database,
    project: Project,
    sign_in: object,
) -> None:
    editor = sign_in(Role.EDITOR)  # type: ignore[operator]
    for number, answer in enumerate((OTHER, SAME, OTHER)):
        answered_twice(database, shadow, call(database, project, number), LIVE, answer)
    task = shadows.to_label(editor, shadow.deployment_id, shadow.id, dataset.id, people=[editor.username])
    assert (task.template, task.name) == ("compare", "triage: live or revision 1")
    items = shadows.labeling.items(task.id)
    assert len(items) == 2 and {item.reason for item, _ in items} == {"student, a shadow, answered otherwise"}
    for item, _example in items:
        assert [(each["model"], each["output"]) for each in item.candidates] == [("big", LIVE), ("student", OTHER)]


def test_nothing_goes_where_it_does_not_belong(
    shadows: Shadows,
    shadow: Revision,
    dataset: Dataset,
    database: Database,
    project: Project,
    operator: Actor,
    viewer: Actor,
) -> None:
    with pytest.raises(InvalidInput, match="answered no call otherwise yet"):
        shadows.to_dataset(operator, shadow.deployment_id, shadow.id, dataset.id)
    with pytest.raises(NotFound, match="Reload"):
        shadows.to_dataset(operator, "gone", shadow.id, dataset.id)
    answered_twice(database, shadow, call(database, project, 0), LIVE, OTHER)
    with pytest.raises(NotAllowed):
        shadows.to_dataset(viewer, shadow.deployment_id, shadow.id, dataset.id)
    with database.write() as session:
        other = Project(name="other")
        session.add(other)
    foreign = shadows.datasets.create(operator, other.id, "tickets")
    with pytest.raises(InvalidInput, match="another project"):
        shadows.to_dataset(operator, shadow.deployment_id, shadow.id, foreign.id)
