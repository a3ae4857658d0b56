from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event

from storage.database import Database
from storage.tables import Deployment, Model, Project, Provider, Release, Revision
from studio.deploy.router import Route, RoutingTable, openai_base


class Reversed:
    """A secret box whose sealing is easy to see through."""

    def decrypt(self, sealed: str) -> str:
        return sealed[::-1]


@pytest.fixture
def world(database: Database, project: Project) -> dict[str, Any]:
    """An alias on a provider's model, with a ready revision waiting beside it."""
    with database.write() as session:
        provider = Provider(
            project_id=project.id,
            name="teacher",
            base_url="http://upstream/v1/",
            encrypted_key="yek",
            models=["big", "small"],
            prices={"big": {"prompt": 1.0, "completion": 2.0}},
        )
        session.add(provider)
        session.flush()
        big = Model(project_id=project.id, name="Big", kind="provider", provider_id=provider.id, provider_model="big")
        tuned = Model(project_id=project.id, name="tuned", kind="tuned")
        alias = Deployment(project_id=project.id, alias="triage")
        session.add_all([big, tuned, alias])
        session.flush()
        revision = Revision(
            deployment_id=alias.id,
            model_id=tuned.id,
            number=1,
            state="ready",
            endpoint="http://127.0.0.1:7",
            spec={"served_name": "triage-r1", "encrypted_key": "terces"},
        )
        session.add(revision)
    return {"project": project, "provider": provider, "big": big, "tuned": tuned, "alias": alias, "revision": revision}


def release(database: Database, world: dict[str, Any], number: int, *weights: tuple[str, int]) -> None:
    routes = [
        {"model_id": world[name].id, "revision_id": world["revision"].id if name == "tuned" else None, "weight": weight}
        for name, weight in weights
    ]
    with database.write() as session:
        session.add(Release(deployment_id=world["alias"].id, number=number, routes=routes))


def test_an_alias_on_a_providers_model_goes_there_with_its_key_and_prices(
    database: Database, world: dict[str, Any]
) -> None:
    release(database, world, 1, ("big", 100))
    route = RoutingTable.load(database, Reversed()).pick(world["project"].id, "triage")
    assert route is not None
    assert (route.base_url, route.upstream_model, route.name) == ("http://upstream/v1", "big", "triage")
    assert (route.api_key, route.prices) == ("key", {"prompt": 1.0, "completion": 2.0})
    assert (route.model_id, route.deployment_id, route.revision_id) == (world["big"].id, world["alias"].id, None)


def test_a_revision_is_addressed_by_its_served_name_at_its_v1(database: Database, world: dict[str, Any]) -> None:
    release(database, world, 1, ("tuned", 100))
    route = RoutingTable.load(database, Reversed()).pick(world["project"].id, "triage")
    assert route is not None
    assert (route.base_url, route.upstream_model, route.api_key) == ("http://127.0.0.1:7/v1", "triage-r1", "secret")
    assert (route.revision_id, route.dialect) == (world["revision"].id, "tgi")


def test_only_the_newest_release_counts(database: Database, world: dict[str, Any]) -> None:
    release(database, world, 1, ("tuned", 100))
    release(database, world, 2, ("big", 100))
    route = RoutingTable.load(database, Reversed()).pick(world["project"].id, "triage")
    assert route is not None and route.model_id == world["big"].id


def test_calls_are_split_by_weight_and_a_sticky_key_always_lands_alike(
    database: Database, world: dict[str, Any]
) -> None:
    release(database, world, 1, ("big", 80), ("tuned", 20))
    table = RoutingTable.load(database, Reversed())
    picked = [table.pick(world["project"].id, "triage", f"user-{n}") for n in range(2000)]
    shares = Counter(route.model_id for route in picked if route)
    assert 0.16 < shares[world["tuned"].id] / 2000 < 0.24
    assert picked == [table.pick(world["project"].id, "triage", f"user-{n}") for n in range(2000)]


def test_nobody_is_moved_back_while_a_revisions_share_grows(database: Database, world: dict[str, Any]) -> None:
    users = [f"user-{n}" for n in range(500)]
    moved: set[str] = set()
    for number, share in enumerate((10, 20, 50, 100), start=1):
        release(database, world, number, ("big", 100 - share), ("tuned", share))
        table = RoutingTable.load(database, Reversed())
        picks = {user: table.pick(world["project"].id, "triage", user) for user in users}
        now = {user for user, route in picks.items() if route and route.revision_id}
        assert moved <= now
        moved = now
    assert moved == set(users)


def test_a_revision_that_is_not_ready_gets_nothing_and_its_standby_answers(
    database: Database, world: dict[str, Any]
) -> None:
    release(database, world, 1, ("tuned", 100), ("big", 0))
    with database.write() as session:
        world["revision"].state = "restarting"
        session.add(world["revision"])
    route = RoutingTable.load(database, Reversed()).pick(world["project"].id, "triage")
    assert route is not None and route.model_id == world["big"].id


def test_fallbacks_are_the_other_routes_of_the_alias(database: Database, world: dict[str, Any]) -> None:
    release(database, world, 1, ("tuned", 100), ("big", 0))
    table = RoutingTable.load(database, Reversed())
    route = table.pick(world["project"].id, "triage")
    assert route is not None and route.revision_id
    assert [other.model_id for other in table.fallbacks(route)] == [world["big"].id]


def test_a_providers_model_name_passes_through_and_an_unknown_one_does_not(
    database: Database, world: dict[str, Any]
) -> None:
    table = RoutingTable.load(database, Reversed())
    route = table.pick(world["project"].id, "small")
    assert route is not None and route.upstream_model == "small" and route.provider_id == world["provider"].id
    assert table.pick(world["project"].id, "nobody") is None
    assert table.pick("another project", "small") is None
    assert table.fallbacks(route) == []


def test_a_star_forwards_every_name_that_nothing_else_claims(database: Database, world: dict[str, Any]) -> None:
    with database.write() as session:
        session.add(Provider(project_id=world["project"].id, name="any", base_url="http://any/v1", models=["*"]))
    table = RoutingTable.load(database, Reversed())
    forwarded, claimed = table.pick(world["project"].id, "gpt-x"), table.pick(world["project"].id, "small")
    assert forwarded is not None and forwarded.base_url == "http://any/v1" and forwarded.upstream_model == "gpt-x"
    assert claimed is not None and claimed.base_url == "http://upstream/v1"


def test_names_list_aliases_before_providers_models(database: Database, world: dict[str, Any]) -> None:
    release(database, world, 1, ("big", 100))
    assert RoutingTable.load(database, Reversed()).names(world["project"].id) == ["triage", "big", "small"]


def test_a_routes_key_does_not_show_in_its_repr(database: Database, world: dict[str, Any]) -> None:
    release(database, world, 1, ("big", 100))
    assert "'key'" not in repr(RoutingTable.load(database, Reversed()).pick(world["project"].id, "triage"))


@pytest.mark.parametrize("endpoint", ["http://host:1", "http://host:1/", "http://host:1/v1", "http://host:1/v1/"])
def test_a_server_root_becomes_one_openai_base(endpoint: str) -> None:
    assert openai_base(endpoint) == "http://host:1/v1"


def two_revisions(database: Database, world: dict[str, Any]) -> Revision:
    """A second ready revision beside the first."""
    with database.write() as session:
        made = Revision(
            deployment_id=world["alias"].id,
            model_id=world["tuned"].id,
            number=2,
            state="ready",
            endpoint="http://127.0.0.1:8",
            spec={"served_name": "triage-r2"},
        )
        session.add(made)
    return made


def put(
    database: Database, world: dict[str, Any], number: int, *routes: tuple[str | None, float], **facts: Any
) -> None:
    """A release of (revision or None for the provider's model, weight)."""
    specs = [
        {"model_id": world["tuned" if revision else "big"].id, "revision_id": revision, "weight": weight}
        for revision, weight in routes
    ]
    with database.write() as session:
        session.add(Release(deployment_id=world["alias"].id, number=number, routes=specs, **facts))


def picked(database: Database, world: dict[str, Any]) -> tuple[Route, list[Route]]:
    table = RoutingTable.load(database, Reversed())
    route = table.pick(world["project"].id, "triage", "user-1")
    assert route is not None
    return route, table.fallbacks(route)


def rule(database: Database, world: dict[str, Any], **rules: Any) -> None:
    with database.write() as session:
        session.get_one(Deployment, world["alias"].id).rules = rules


def test_the_teacher_answers_last_also_when_no_release_names_it_any_more(
    database: Database, world: dict[str, Any]
) -> None:
    first, second = world["revision"].id, two_revisions(database, world).id
    put(database, world, 1, (None, 100))
    put(database, world, 2, (first, 80), (second, 20))
    put(database, world, 3, (second, 100), (first, 0))
    route, others = picked(database, world)
    assert route.revision_id == second
    assert [(other.key, other.weight) for other in others] == [(first, 0), (world["big"].id, 0)]
    assert others[-1].base_url == "http://upstream/v1"


def test_the_teacher_answers_alone_when_no_revision_is_ready(database: Database, world: dict[str, Any]) -> None:
    put(database, world, 1, (None, 100))
    put(database, world, 2, (world["revision"].id, 100))
    with database.write() as session:
        session.get_one(Revision, world["revision"].id).state = "failed"
    route, others = picked(database, world)
    assert route.key == world["big"].id and others == []


def test_a_rule_keeps_calls_away_from_the_teacher(database: Database, world: dict[str, Any]) -> None:
    revision = world["revision"].id
    rule(database, world, fallback=False)
    put(database, world, 1, (None, 100))
    put(database, world, 2, (revision, 100))
    assert picked(database, world)[1] == []
    put(database, world, 3, (revision, 100), (None, 0))
    assert picked(database, world)[1] == []
    put(database, world, 4, (revision, 60), (None, 40))
    assert len(picked(database, world)[1]) == 1  # a share is somebody's decision


def test_heavier_routes_are_tried_before_lighter_ones_and_a_standby_before_the_teacher(
    database: Database, world: dict[str, Any]
) -> None:
    first, second = world["revision"].id, two_revisions(database, world).id
    put(database, world, 1, (None, 0), (first, 0), (second, 100))
    assert [other.key for other in picked(database, world)[1]] == [first, world["big"].id]
    put(database, world, 2, (None, 20), (first, 0), (second, 80))
    table = RoutingTable.load(database, Reversed())
    light = next(route for route in table.fallbacks(picked(database, world)[0]) if route.key == first)
    assert [other.key for other in table.fallbacks(light)] == [second, world["big"].id]


def test_a_rule_says_how_long_to_wait_for_a_route(database: Database, world: dict[str, Any]) -> None:
    put(database, world, 1, (world["revision"].id, 100), (None, 0))
    assert picked(database, world)[0].timeout_s is None
    rule(database, world, timeout_s=2.5)
    route, others = picked(database, world)
    assert (route.timeout_s, others[0].timeout_s) == (2.5, 2.5)


def test_shadows_are_ready_revisions_beside_the_one_that_answers(database: Database, world: dict[str, Any]) -> None:
    shadow = two_revisions(database, world)
    shadows = [{"revision_id": shadow.id, "percent": 20}, {"revision_id": "gone", "percent": 100}]
    put(database, world, 1, (None, 100), shadows=shadows)
    table = RoutingTable.load(database, Reversed())
    live = table.pick(world["project"].id, "triage")
    assert live is not None
    ((found, percent),) = table.shadows(live)
    assert (found.key, found.upstream_model, percent) == (shadow.id, "triage-r2", 20)
    assert shadow.id not in [other.key for other in table.fallbacks(live)]
    assert table.shadows(found) == ()  # nobody shadows itself
    other = table.pick(world["project"].id, "small")
    assert other is not None and table.shadows(other) == ()


def test_the_table_leaves_proofs_and_golden_answers_where_they_are(database: Database, world: dict[str, Any]) -> None:
    """It is loaded every second beside the calls, and they are a hundred kilobytes for each model."""
    release(database, world, 1, ("big", 50), ("tuned", 50))
    asked: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    RoutingTable.load(database, Reversed())
    event.remove(database.engine, "before_cursor_execute", note)
    assert asked and not [name for name in ("facts", "certificate", "evidence") if name in " ".join(asked)]
