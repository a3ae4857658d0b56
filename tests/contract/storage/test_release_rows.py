"""Releases put in force at once by many: each gets a number of its own, and none is lost; of two guards one acts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Provider, Revision, TrafficMinute
from storage.types import now
from studio.access.actor import Actor
from studio.deploy.deployments import Deployments
from studio.deploy.guard import guard
from studio.jobs.queue import Jobs
from studio.settings import Settings

OPERATOR = Actor.operator()


@pytest.fixture
def deployments(stored: Database, tmp_path: Path) -> Deployments:
    settings = Settings(home=tmp_path / "home")
    return Deployments(stored, Artifacts(settings.artifacts), Jobs(stored), settings)


@pytest.fixture
def canary(stored: Database, deployments: Deployments) -> Revision:
    """A ready revision beside a provider's model."""
    with stored.write() as session:
        project = Project(name="support")
        session.add(project)
        session.flush()
        provider = Provider(project_id=project.id, name="provider", base_url="http://upstream/v1")
        session.add(provider)
        session.flush()
        teacher = Model(project_id=project.id, name="teacher", kind="provider", provider_id=provider.id)
        tuned = Model(project_id=project.id, name="tuned", kind="tuned", digest="0" * 64)
        session.add_all([teacher, tuned])
    alias = deployments.ensure_alias(OPERATOR, project.id, "triage", teacher.id)
    with stored.write() as session:
        revision = Revision(deployment_id=alias.id, model_id=tuned.id, number=1, state="ready")
        session.add(revision)
    return revision


def test_releases_put_in_force_at_once_follow_one_another(deployments: Deployments, canary: Revision) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda percent: deployments.shift(OPERATOR, canary.id, percent), range(10, 26)))
    numbers = [release.number for release in deployments.releases(canary.deployment_id)]
    assert numbers == list(range(17, 0, -1)) and len({release.number for release in made}) == 16


def test_of_guards_that_look_at_once_one_acts(stored: Database, deployments: Deployments, canary: Revision) -> None:
    release = deployments.shift(OPERATOR, canary.id, 50)
    teacher = next(route["model_id"] for route in release.routes if not route["revision_id"])
    minute = int(now().timestamp()) // 60 * 60
    with stored.write() as session:
        for route, errors in ((canary.id, 60), (teacher, 0)):
            session.add(
                TrafficMinute(
                    deployment_id=canary.deployment_id, route=route, minute=minute, gateway="g", calls=60, errors=errors
                )
            )
    with ThreadPoolExecutor(4) as pool:
        made = [found for looked in pool.map(lambda _n: guard(stored), range(4)) for found in looked]
    assert len(made) == 1 and deployments.current(canary.deployment_id) == made[0]
