"""Releases: what each says of the revisions with traffic, steps up, shadows, and the ways back."""

from collections.abc import Callable
from typing import Any

import pytest

from storage.database import Database
from storage.tables import Dataset, DatasetVersion, Evaluation, Model, Project, Release, Revision, TrainingRun
from storage.types import now
from studio.access.actor import Actor
from studio.deploy.deployments import Deployments
from studio.deploy.rows import LOG_MOST, note
from studio.errors import Conflict, InvalidInput, NotAllowed
from tests.fakes.target import FakeTarget

MakeModel = Callable[[str], Model]
GREEN = [{"gate": "health", "passed": True, "evidence": {}, "at": ""}]
SCORES = {"name": "tuned", "n": 40, "exact_match": {"mean": 0.9, "low": 0.8, "high": 0.95}}


@pytest.fixture
def make_ready(
    database: Database,
    deployments: Deployments,
    editor: Actor,
    project: Project,
    teacher: Model,
    tuned: MakeModel,
    target: type[FakeTarget],
) -> Callable[..., Revision]:
    """A ready revision of a new model behind an alias that the teacher answers."""

    def make(name: str, **columns: Any) -> Revision:
        deployments.ensure_alias(editor, project.id, "triage", teacher.id)
        made = deployments.deploy(editor, project.id, "triage", tuned(name).id, "fake")
        with database.write() as session:
            row = session.get_one(Revision, made.id)
            row.state, row.certificate = "ready", GREEN
            for column, value in columns.items():
                setattr(row, column, value)
        return deployments.revision(made.id)

    return make


@pytest.fixture
def revision(make_ready: Callable[..., Revision]) -> Revision:
    return make_ready("tuned")


def change(database: Database, revision: Revision, **values: Any) -> None:
    with database.write() as session:
        row = session.get_one(Revision, revision.id)
        for name, value in values.items():
            setattr(row, name, value)


def split(release: Release) -> tuple[dict[str | None, float], dict[str, float]]:
    routes = {route["revision_id"]: route["weight"] for route in release.routes}
    return routes, {shadow["revision_id"]: shadow["percent"] for shadow in release.shadows}


def test_a_promotion_goes_from_copies_to_five_fifty_and_all(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    steps = [split(deployments.promote(editor, revision.id)) for _step in range(4)]
    mine = revision.id
    assert steps == [
        ({None: 100}, {mine: 20}),
        ({mine: 5, None: 95}, {}),
        ({mine: 50, None: 50}, {}),
        ({mine: 100, None: 0}, {}),
    ]
    with pytest.raises(Conflict, match="has all the traffic"):
        deployments.promote(editor, revision.id)


def test_where_nobody_answers_yet_the_first_step_is_everything(
    deployments: Deployments, database: Database, editor: Actor, project: Project, tuned: MakeModel,
    target: type[FakeTarget],
) -> None:  # fmt: skip
    made = deployments.deploy(editor, project.id, "fresh", tuned("tuned").id, "fake")
    change(database, made, state="ready")
    with pytest.raises(Conflict, match="no calls to copy"):
        deployments.shadow(editor, made.id, 20)
    assert split(deployments.promote(editor, made.id)) == ({made.id: 100}, {})


@pytest.mark.parametrize("state", ["failed", "gating", "restarting", "stopped"])
def test_nothing_goes_past_a_revision_that_is_not_ready(
    deployments: Deployments, database: Database, editor: Actor, revision: Revision, state: str
) -> None:
    change(database, revision, state=state)
    for verb in (
        lambda: deployments.promote(editor, revision.id),
        lambda: deployments.shadow(editor, revision.id, 20),
        lambda: deployments.shift(editor, revision.id, 5),
    ):
        with pytest.raises(Conflict, match=f"is {state}, not ready"):
            verb()
    assert len(deployments.releases(revision.deployment_id)) == 1


def test_nothing_goes_to_a_revision_that_was_asked_to_stop_and_has_not_yet(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    deployments.stop(editor, revision.id)
    assert deployments.revision(revision.id).state == "ready"
    for verb in (
        lambda: deployments.promote(editor, revision.id),
        lambda: deployments.shadow(editor, revision.id, 20),
        lambda: deployments.shift(editor, revision.id, 5),
    ):
        with pytest.raises(Conflict, match="is being stopped"):
            verb()
    assert len(deployments.releases(revision.deployment_id)) == 1


def test_one_that_is_ready_is_not_taken_from_its_callers_by_starting_or_overriding_it_once_more(
    deployments: Deployments, database: Database, operator: Actor, revision: Revision
) -> None:
    change(database, revision, certificate=GREEN)
    deployments.shift(operator, revision.id, 50)
    assert deployments.restart(operator, revision.id).state == "ready"
    with pytest.raises(Conflict, match="nothing to override"):
        deployments.override_gates(operator, revision.id, "again")
    assert deployments.revision(revision.id).state == "ready"


def test_of_a_log_its_end_is_kept(database: Database, deployments: Deployments, revision: Revision) -> None:
    with database.write() as session:
        note(session, revision.deployment_id, revision.id, "crashed", "worker", log="x" * 100_000 + "the end")
    kept = deployments.events(revision.deployment_id, 1)[0].detail["log"]
    assert len(kept) == LOG_MOST and kept.endswith("the end")


def test_a_shadow_is_ended_by_nought_or_by_traffic_of_its_own(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    with pytest.raises(InvalidInput):
        deployments.shadow(editor, revision.id, 120)
    deployments.shadow(editor, revision.id, 35)
    assert split(deployments.shadow(editor, revision.id, 0)) == ({None: 100}, {})
    deployments.shadow(editor, revision.id, 35)
    assert split(deployments.shift(editor, revision.id, 10))[1] == {}
    with pytest.raises(Conflict, match="has traffic of its own"):
        deployments.shadow(editor, revision.id, 20)


def test_a_shadow_stays_while_others_move(
    deployments: Deployments, editor: Actor, revision: Revision, make_ready: Callable[..., Revision]
) -> None:
    other = make_ready("second")
    deployments.shadow(editor, other.id, 20)
    assert split(deployments.shift(editor, revision.id, 50)) == ({revision.id: 50, None: 50}, {other.id: 20})


def test_a_release_says_which_bytes_answer_what_they_learned_from_and_how_good_they_are(
    deployments: Deployments, database: Database, editor: Actor, project: Project, revision: Revision
) -> None:
    with database.write() as session:
        dataset = Dataset(project_id=project.id, name="triage")
        session.add(dataset)
        session.flush()
        version = DatasetVersion(dataset_id=dataset.id, number=3, digest="d", train_rows=1, golden_rows=1)
        session.add(version)
        session.flush()
        model = session.get_one(Model, revision.model_id)
        run = TrainingRun(project_id=project.id, dataset_version_id=version.id, base_model_id=model.id, name="run")
        session.add(run)
        session.flush()
        model.training_run_id = run.id
        for scores in ({"old": 1}, SCORES):
            session.add(
                Evaluation(
                    project_id=project.id, dataset_version_id=version.id, name="e", model_ids=[model.id],
                    summary={"models": {model.id: scores}}, finished_at=now(),
                )
            )  # fmt: skip
            session.flush()
        session.add(Evaluation(project_id=project.id, dataset_version_id=version.id, name="unfinished"))
    release = deployments.promote(editor, revision.id)
    known = release.evidence["revisions"][revision.id]
    assert (known["digest"], known["model"]) == ("0" * 64, "tuned")
    assert (known["dataset"], known["dataset_version"], known["dataset_version_id"]) == ("triage", 3, version.id)
    assert known["scores"] == SCORES and known["evaluated_on"] == "triage version 3" and known["evaluation_id"]
    assert known["gates"] == {"health": True} and known["override"] is None
    assert release.evidence["approved_by"] == editor.username == release.created_by


def test_a_release_speaks_only_of_revisions_with_a_share(
    deployments: Deployments, editor: Actor, revision: Revision, make_ready: Callable[..., Revision]
) -> None:
    make_ready("idle")
    assert set(deployments.shift(editor, revision.id, 20).evidence["revisions"]) == {revision.id}
    assert deployments.shift(editor, revision.id, 0).evidence["revisions"] == {}


def test_an_override_stays_with_its_reason_on_every_release(
    deployments: Deployments, database: Database, editor: Actor, operator: Actor, revision: Revision
) -> None:
    red = [{"gate": "golden", "passed": False, "evidence": {"why": "no"}, "at": ""}]
    change(database, revision, state="failed", desired="stopped", certificate=red)
    deployments.override_gates(operator, revision.id, "the answers were read by hand")
    change(database, revision, state="ready")
    known = deployments.shift(editor, revision.id, 50).evidence["revisions"][revision.id]
    assert known["gates"] == {"golden": False}
    assert known["override"]["reason"] == "the answers were read by hand" and known["override"]["by"] == "operator"


def test_an_undo_of_a_shadow_takes_the_copies_away_and_an_undo_of_a_share_brings_them_back(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    deployments.promote(editor, revision.id)
    deployments.promote(editor, revision.id)
    assert split(deployments.undo(editor, revision.deployment_id)) == ({None: 100}, {revision.id: 20})
    assert split(deployments.undo(editor, revision.deployment_id)) == ({None: 100}, {})


def test_an_instant_undo_says_no_more_than_where_it_goes(
    deployments: Deployments, editor: Actor, revision: Revision, make_ready: Callable[..., Revision]
) -> None:
    second = make_ready("second")
    deployments.shift(editor, revision.id, 100)
    deployments.shift(editor, second.id, 100)
    assert deployments.undo(editor, revision.deployment_id).reason == "undo of release 3: back to release 2"


def test_an_undo_to_a_stopped_revision_says_who_answers_until_it_is_ready(
    deployments: Deployments, editor: Actor, revision: Revision, make_ready: Callable[..., Revision]
) -> None:
    second = make_ready("second")
    deployments.shift(editor, revision.id, 100)
    deployments.shift(editor, second.id, 100)
    deployments.stop(editor, revision.id)
    undone = deployments.undo(editor, revision.deployment_id)
    assert "revision 1 was not running and is starting, until then teacher answers" in undone.reason
    assert deployments.revision(revision.id).state == "restarting"


def test_when_nobody_of_the_former_split_can_answer_the_present_one_stands_by(
    deployments: Deployments, database: Database, editor: Actor, revision: Revision, make_ready: Callable[..., Revision]
) -> None:
    second = make_ready("second")
    deployments.release(
        editor,
        revision.deployment_id,
        [{"model_id": revision.model_id, "revision_id": revision.id, "weight": 100}],
        "alone",
    )
    deployments.shift(editor, second.id, 100)
    deployments.stop(editor, revision.id)
    undone = deployments.undo(editor, revision.deployment_id)
    assert split(undone)[0] == {revision.id: 100, second.id: 0}
    assert "until then revision 2 answers" in undone.reason


def test_a_shadow_cannot_be_stopped_under_its_copies(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    deployments.shadow(editor, revision.id, 20)
    with pytest.raises(Conflict, match="Move its traffic first"):
        deployments.stop(editor, revision.id)


def test_the_overview_shows_shadows_next_steps_releases_and_what_the_guardrail_says(
    deployments: Deployments, editor: Actor, revision: Revision, make_ready: Callable[..., Revision]
) -> None:
    second = make_ready("second")
    deployments.shift(editor, revision.id, 50)
    deployments.shadow(editor, second.id, 20)
    found = deployments.overview(revision.deployment_id)
    assert [(shadow.name, shadow.percent, shadow.usable) for shadow in found.shadows] == [
        ("second (revision 2)", 20, True)
    ]
    steps = {view.revision.number: view.next_step.label for view in found.revisions if view.next_step}
    assert steps == {1: "100 %", 2: "5 %"}
    assert [release.number for release in found.releases] == [3, 2, 1]
    assert found.verdicts[revision.id].sentence == "0 of 50 calls before anything can be said."


RULES: dict[str, Any] = {
    "guardrail": {"calls": 30, "latency_factor": 2.0},
    "smoke": [{"name": "refund", "messages": [{"role": "user", "content": "refund?"}], "json": True}],
    "timeout_s": 20,
    "keep_warm_hours": None,
}


def test_rules_are_kept_as_they_were_set_and_an_event_says_so(
    deployments: Deployments, editor: Actor, revision: Revision
) -> None:
    kept = deployments.set_rules(editor, revision.deployment_id, RULES)
    assert kept.rules == RULES == deployments.get(revision.deployment_id).rules
    event = deployments.events(revision.deployment_id)[0]
    assert (event.what, event.detail["before"], event.detail["after"]) == ("rules changed", {}, RULES)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"guardrail": {"calls": 1}}, "guardrail, calls: input should be greater"),
        ({"guardrail": {"alpha": 0.5}}, "guardrail, alpha"),
        ({"smoke": [RULES["smoke"][0], {"name": "x", "messages": []}]}, "smoke, row 2, messages"),
        ({"smoke": [{**RULES["smoke"][0], "regex": "("}]}, "smoke, row 1, regex: this is no regular expression"),
        ({"smoke": [{**RULES["smoke"][0], "json": {"type": "nonsense"}}]}, "json is no valid schema"),
        ({"timeout_s": -1}, "timeout_s: input should be greater than 0"),
        ({"speed": "fast"}, "speed: there is no such rule"),
    ],
)
def test_wrong_rules_are_refused_by_row_and_field(
    deployments: Deployments, editor: Actor, revision: Revision, rules: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        deployments.set_rules(editor, revision.deployment_id, rules)
    assert deployments.get(revision.deployment_id).rules == {}


def test_a_viewer_changes_no_traffic_and_no_rules(deployments: Deployments, viewer: Actor, revision: Revision) -> None:
    for verb in (
        lambda: deployments.promote(viewer, revision.id),
        lambda: deployments.shadow(viewer, revision.id, 20),
        lambda: deployments.set_rules(viewer, revision.deployment_id, {}),
        lambda: deployments.stream(viewer, revision.id, [], 8),
        lambda: deployments.try_smoke(viewer, revision.id, RULES["smoke"][0]),
    ):
        with pytest.raises(NotAllowed):
            verb()
