"""Acting on the guardrail: the worker looks every few seconds, and takes the traffic from a revision that trips it.

Nothing is remembered between looks but what the database says, so a worker that starts anew goes on watching. Of two
workers that see the same, the first to write acts: the other finds another release in force and leaves it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from sqlmodel import Session

from storage.database import Database
from storage.repositories.deployments import DeploymentRepository, EventRepository, ReleaseRepository
from storage.tables import Deployment, Release, Revision
from storage.types import now
from studio.access.actor import Actor
from studio.deploy.guardrail import Verdict, allowance, alone, judge
from studio.deploy.releases import present, put_in_force
from studio.deploy.rollout import arrival, everybody, key_of, traffic_of, without
from studio.deploy.rows import note
from studio.deploy.rules import GuardrailRules, rules_of
from studio.deploy.traffic import RouteStats, Traffic
from studio.deploy.undoing import usable
from studio.errors import StudioError

GUARDRAIL = Actor.operator("guardrail")
EVER = datetime.min.replace(tzinfo=UTC)
RECENTLY = timedelta(minutes=15)
"""What a route that nobody shares the calls with is judged by: its past of weeks would hide its present."""


@dataclass(frozen=True)
class Watch:
    """One revision that the guardrail looks at."""

    revision_id: str
    verdict: Verdict
    shadow: bool = False


def guard(database: Database) -> list[Release]:
    """One look at every alias; the releases that took a revision out. Raises the first alias's error at the end."""
    with database.read() as session:
        found = DeploymentRepository(session).newest_releases()
    made, errors = [], []
    for deployment, release in found:
        try:
            made.append(_guard_one(database, deployment, release) if _is_guarded(deployment, release) else None)
        except StudioError as error:  # it must not keep the other aliases from being watched
            errors.append(error)
    if errors:
        raise errors[0]
    return [release for release in made if release]


def watched(database: Database, deployment: Deployment, releases: list[Release]) -> list[Watch]:
    """What the guardrail says now of each revision that is new to the traffic. `releases` is newest first."""
    if not releases:
        return []
    rules, traffic = rules_of(deployment).guardrail, Traffic(database)
    return [*_shadows(traffic, rules, releases), *_shares(traffic, rules, releases)]


def _is_guarded(deployment: Deployment, release: Release) -> bool:
    return rules_of(deployment).guardrail.on and bool(everybody(release.routes, release.shadows))


def _guard_one(database: Database, deployment: Deployment, release: Release) -> Release | None:
    with database.read() as session:
        releases = ReleaseRepository(session).of(deployment.id)
    if releases[0].id != release.id:
        return None
    tripped = next((watch for watch in watched(database, deployment, releases) if watch.verdict.tripped), None)
    return _take_out(database, release, tripped) if tripped else None


def _shadows(traffic: Traffic, rules: GuardrailRules, releases: list[Release]) -> list[Watch]:
    """A shadow has nobody to harm but its place: it goes when surely more than half of its answers fail."""
    stats = traffic.stats(releases[0].deployment_id, releases[0].created_at, shadow=True)
    return [
        Watch(shadow["revision_id"], _alone(stats.get(shadow["revision_id"]), rules), shadow=True)
        for shadow in releases[0].shadows
    ]


def _shares(traffic: Traffic, rules: GuardrailRules, releases: list[Release]) -> list[Watch]:
    weighted = [route for route in releases[0].routes if route["weight"]]
    if not weighted:
        return []
    live = min(weighted, key=lambda route: (_share_since(releases, key_of(route)), -route["weight"]))
    if len(weighted) == 1:
        since = max(releases[0].created_at, now() - RECENTLY)
        stats = traffic.stats(releases[0].deployment_id, since)
        return [Watch(live["revision_id"], _alone(stats.get(key_of(live)), rules))] if live["revision_id"] else []
    return [
        Watch(route["revision_id"], _compared(traffic, rules, releases, key_of(live), route["revision_id"]))
        for route in weighted
        if route["revision_id"] and route is not live
    ]


def _compared(traffic: Traffic, rules: GuardrailRules, releases: list[Release], live: str, canary: str) -> Verdict:
    stats = traffic.stats(releases[0].deployment_id, _since(releases, canary))
    return judge(stats.get(live), stats.get(canary, RouteStats()), rules)


def _alone(stats: RouteStats | None, rules: GuardrailRules) -> Verdict:
    found = stats or RouteStats()
    if found.calls < rules.calls:
        return judge(None, found, rules)
    return alone(found, allowance(found.calls, rules))


def _share_since(releases: list[Release], route: str) -> int:
    """Number of the release since which it has had a share without a break; the oldest is the live one."""
    number = releases[0].number
    for release in releases:
        if route not in traffic_of(release)[0]:
            break
        number = release.number
    return number


def _since(releases: list[Release], route: str) -> datetime:
    """Since the release. Calls are counted by the minute: one that still counts an earlier try of it is left out."""
    start, since = releases[0].created_at, _share_since(releases, route)
    before = [release for release in releases if release.number < since]
    lost = (later.created_at for later, earlier in pairwise(before) if route in traffic_of(earlier)[0])
    minute = start.replace(second=0, microsecond=0)
    return minute + timedelta(minutes=1) if next(lost, EVER) >= minute else start


def _take_out(database: Database, seen: Release, watch: Watch) -> Release | None:
    with database.write() as session:
        newest = present(session, seen.deployment_id)
        if newest is None or newest.id != seen.id:
            return None
        revision = session.get_one(Revision, watch.revision_id)
        releases = ReleaseRepository(session).of(seen.deployment_id)
        routes = newest.routes if watch.shadow else without(releases, revision, _usable(session, releases))
        if routes is None:
            _say_once(session, seen, revision, watch.verdict)
            return None
        first = arrival(releases, revision.id) or newest
        shadows = [shadow for shadow in newest.shadows if shadow["revision_id"] != revision.id]
        what = f"guardrail: {'shadow ' if watch.shadow else ''}revision {revision.number}: {watch.verdict.sentence}"
        note(session, seen.deployment_id, revision.id, "guardrail", "guardrail", why=what, **watch.verdict.evidence)
        return put_in_force(session, seen.deployment_id, routes, what, GUARDRAIL, shadows=shadows, undo_of=first.id)


def _usable(session: Session, releases: list[Release]) -> set[str]:
    return {key_of(route) for release in releases for route in usable(session, release.routes)}


def _say_once(session: Session, seen: Release, revision: Revision, verdict: Verdict) -> None:
    """Nobody else can answer, so it keeps its calls; one event per release says so."""
    told = EventRepository(session).of_revision(revision.id, "guardrail cannot act", limit=1)
    if not told or told[0].at < seen.created_at:
        why = f"{verdict.sentence} Nobody else can answer, so it keeps its calls."
        note(session, seen.deployment_id, revision.id, "guardrail cannot act", "guardrail", why=why)
