"""Deploying, typed: steps up, copies, the way back, and what is printed of them."""

from collections.abc import Callable

import pytest

from storage.tables import Model, Project, Provider, Revision
from studio.access.actor import Actor
from studio.bootstrap import Studio
from studio.errors import Conflict, InvalidInput, NotFound

Typed = Callable[..., str]
OPERATOR = Actor.operator()
GREEN = [
    {"gate": "health", "passed": True, "evidence": {"endpoint": "http://x"}, "at": ""},
    {"gate": "golden", "passed": True, "evidence": {"prompts": 50, "matches": 50, "telling": 48}, "at": ""},
]


@pytest.fixture
def revision(studio: Studio, project: Project) -> Revision:
    """A ready revision behind an alias that the teacher answers."""
    with studio.database.write() as session:
        provider = Provider(project_id=project.id, name="provider", base_url="http://upstream/v1")
        session.add(provider)
        session.flush()
        teacher = Model(project_id=project.id, name="teacher", kind="provider", provider_id=provider.id)
        tuned = Model(project_id=project.id, name="tuned", kind="tuned", digest="0" * 64)
        session.add_all([teacher, tuned])
    studio.deployments.ensure_alias(OPERATOR, project.id, "triage", teacher.id)
    made = studio.deployments.deploy(OPERATOR, project.id, "triage", tuned.id)
    with studio.database.write() as session:
        row = session.get_one(Revision, made.id)
        row.state, row.certificate = "ready", GREEN
    return made


def test_steps_up_and_the_way_back_are_a_line_each(studio: Studio, revision: Revision, typed: Typed) -> None:
    said = [typed("promote", "triage"), typed("promote", "triage", "--reason", "better"), typed("undo", "triage")]
    assert said[0] == "Release 2: teacher 100 %, revision 1 shadows 20 % (revision 1 shadows 20 %)\n"
    assert said[1] == "Release 3: revision 1 5 %, teacher 95 % (better)\n"
    assert "undo of release 3: back to release 2" in said[2]
    assert "revision 1 50 %" in typed("shift", revision.id, "50")
    assert "teacher 100 %" in typed("shift", revision.id, "0")


def test_every_split_is_listed_with_its_reason(revision: Revision, typed: Typed) -> None:
    typed("shadow", "triage", "35", "--reason", "to compare")
    listed = typed("releases", "triage")
    assert "revision 1 shadows 35 %" in listed and "to compare" in listed and "triage starts on teacher" in listed


def test_the_certificate_says_what_was_proven(revision: Revision, typed: Typed) -> None:
    told = typed("certificate", "triage")
    assert "weights 000000000000" in told and "golden" in told
    assert "50 of 50 golden answers match, 48 of them tell the tuned model from its base." in told


def test_what_is_not_there_is_named(studio: Studio, project: Project, revision: Revision, typed: Typed) -> None:
    with pytest.raises(NotFound, match="No deployment answers to 'nobody'"):
        typed("promote", "nobody")
    with pytest.raises(InvalidInput, match="has no revision 7; it has 1"):
        typed("promote", "triage", "-r", "7")
    with pytest.raises(NotFound, match="no serving place 'moon'"):
        typed("deploy", "triage", "tuned", "--place", "moon")
    with studio.database.write() as session:
        session.get_one(Revision, revision.id).state = "failed"
    with pytest.raises(Conflict, match="No revision of triage is ready"):
        typed("promote", "triage")
