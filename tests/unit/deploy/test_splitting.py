"""An alias over several providers' models: weights, fallbacks in order, and revisions that keep their share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project, Provider, Release, Revision
from studio.access.actor import Actor
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.deploy.deployments import Deployments
from studio.deploy.router import RoutingTable
from studio.deploy.splitting import ProviderShare, share_of
from studio.errors import InvalidInput, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings

ME = Actor.operator()


@pytest.fixture
def deployments(database: Database, settings: Settings, project: Project) -> Deployments:
    providers = Providers(database, SecretBox(settings.secrets))
    providers.save(ME, project.id, "openai", "http://one/v1", "sk-one", ["gpt"], {"gpt": {"prompt": 1.0}})
    providers.save(ME, project.id, "azure", "http://two/v1", "sk-two", ["*"])
    providers.save(ME, project.id, "claude", "http://three/v1", "sk-three", ["opus", "gpt"], kind="anthropic")
    return Deployments(database, Artifacts(settings.artifacts), Jobs(database), settings)


def split(deployments: Deployments, project: Project, *shares: str) -> Release:
    return deployments.split(ME, project.id, "triage", [share_of(share) for share in shares])


def table(deployments: Deployments) -> RoutingTable:
    return RoutingTable.load(deployments.database, SecretBox(deployments.settings.secrets))


def test_calls_are_shared_by_weight_each_with_its_own_address_and_key(
    deployments: Deployments, project: Project
) -> None:
    split(deployments, project, "openai/gpt=70", "azure/gpt-4.1=30", "claude/opus=0")
    found = table(deployments)
    routes = [found.pick(project.id, "triage", f"user-{n}", "openai") for n in range(2000)]
    shares = Counter((route.base_url, route.api_key, route.upstream_model) for route in routes if route)
    assert set(shares) == {("http://one/v1", "sk-one", "gpt"), ("http://two/v1", "sk-two", "gpt-4.1")}
    assert shares["http://one/v1", "sk-one", "gpt"] == pytest.approx(1400, abs=100)


def test_fallbacks_come_after_the_others_in_the_order_given(deployments: Deployments, project: Project) -> None:
    split(deployments, project, "openai/gpt=100", "azure/b=0", "azure/a=0")
    found = table(deployments)
    first = found.pick(project.id, "triage", None, "openai")
    assert first and [route.upstream_model for route in found.fallbacks(first)] == ["b", "a"]


def test_a_caller_gets_only_servers_that_speak_its_format(deployments: Deployments, project: Project) -> None:
    split(deployments, project, "openai/gpt=100", "claude/opus=0")
    found = table(deployments)
    speaking = [found.pick(project.id, "triage", "ann", kind) for kind in ("openai", "anthropic", None)]
    assert [route and route.upstream_model for route in speaking] == ["gpt", "opus", "gpt"]
    named = [found.pick(project.id, "gpt", None, kind) for kind in ("openai", "anthropic")]
    assert [route and route.api_key for route in named] == ["sk-one", "sk-three"]
    assert found.pick(project.id, "opus", None, "openai") is not None, "a catch-all of that kind takes every name"
    assert found.pick(project.id, "unheard-of", None, "anthropic") is None


def test_splitting_again_changes_the_shares_and_reuses_the_models(deployments: Deployments, project: Project) -> None:
    split(deployments, project, "openai/gpt=100")
    again = split(deployments, project, "openai/gpt=50", "claude/gpt=50")
    with deployments.database.read() as session:
        names = [session.get_one(Model, route["model_id"]).name for route in again.routes]
    assert names == ["gpt", "claude/gpt"] and again.number == 2
    assert again.reason == "split: openai/gpt 50 %, claude/gpt 50 %"


def test_a_revision_of_our_own_keeps_its_share_and_the_rest_is_split(
    deployments: Deployments, project: Project
) -> None:
    first = split(deployments, project, "openai/gpt=100")
    with deployments.database.write() as session:
        tuned = Model(project_id=project.id, name="tuned", kind="tuned")
        session.add(tuned)
        session.flush()
        revision = Revision(
            deployment_id=first.deployment_id, model_id=tuned.id, number=1, state="ready", endpoint="http://own"
        )
        session.add(revision)
    deployments.shift(ME, revision.id, 25)
    routes = split(deployments, project, "openai/gpt=66.67", "azure/b=33.33").routes
    assert [route["weight"] for route in routes] == [25, 50.0, 25.0] and routes[0]["revision_id"] == revision.id
    deployments.shift(ME, revision.id, 100)
    routes = split(deployments, project, "openai/gpt=50", "azure/b=50").routes
    assert [route["weight"] for route in routes] == [100, 0, 0]


@pytest.mark.parametrize(
    ("shares", "error", "said"),
    [
        ([], InvalidInput, "at least one"),
        ([("openai", "gpt", 90)], InvalidInput, "add up to 90 %"),
        ([("openai", "gpt", 150), ("azure", "b", -50)], InvalidInput, "between 0 and 100"),
        ([("openai", "gpt", 50), ("openai", "gpt", 50)], InvalidInput, "named twice"),
        ([("nobody", "gpt", 100)], NotFound, "no provider 'nobody' in this project. There are: openai, azure, claude"),
    ],
)
def test_what_is_no_split_is_refused_with_the_reason(
    deployments: Deployments, project: Project, shares: list[Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        deployments.split(ME, project.id, "triage", [ProviderShare(*share) for share in shares])
    assert deployments.find(project.id, "triage") is None


@pytest.mark.parametrize("written", ["gpt=100", "openai/=100", "/gpt=100", "openai/gpt", "openai/gpt=many", ""])
def test_a_share_is_written_in_one_way(written: str) -> None:
    with pytest.raises(InvalidInput, match="provider/model=percent"):
        share_of(written)


def test_a_models_name_may_hold_slashes() -> None:
    assert share_of("together/meta/llama=12.5") == ProviderShare("together", "meta/llama", 12.5)


def test_a_provider_that_was_there_before_speaks_like_openai(deployments: Deployments, project: Project) -> None:
    with deployments.database.write() as session:
        session.add(Provider(project_id=project.id, name="old", base_url="http://old/v1", models=["old"]))
    assert table(deployments).pick(project.id, "old", None, "openai") is not None
