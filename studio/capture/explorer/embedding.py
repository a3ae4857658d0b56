"""Vectors: asks the model that a project chose for vectors of its prompts, so that likeness goes by meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from storage.database import Database
from storage.repositories.log_neighbours import LogNeighbourRepository
from storage.tables import CapturePolicy, Job, LogVector, Provider
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.access.providers import Providers
from studio.capture.explorer.vectors import packed
from studio.errors import InvalidInput, NotFound, Unavailable
from studio.jobs.queue import Jobs

KIND = "make_vectors"
BATCH = 64
LONGEST = 8_000
"""Characters of a prompt that are sent."""
TIMEOUT_S = 60.0


class Vectors:
    """What a project's prompts are compared by."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self.database = database
        self.jobs = jobs

    def choose(self, actor: Actor, project_id: str, provider_id: str | None, model: str = "") -> None:
        """Name the provider and model that see the project's prompts; without a provider, none does."""
        model = model.strip() if provider_id else ""
        if provider_id and not model:
            raise InvalidInput("Name the provider's embedding model, as text-embedding-3-small.")
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            provider = session.get(Provider, provider_id) if provider_id else None
            if provider_id and (provider is None or provider.project_id != project_id):
                raise NotFound("This provider is not one of the project's. Add it under Settings, Providers.")
            policy = session.get(CapturePolicy, project_id) or CapturePolicy(project_id=project_id)
            policy.embedding_provider_id, policy.embedding_model = provider_id, model
            policy.updated_at, policy.updated_by = now(), actor.username
            session.add(policy)
            record(session, actor, "chose what similar calls are compared by", model or "MinHash signatures")

    def start(self, actor: Actor, project_id: str) -> Job:
        """Have a worker ask for the vectors that are missing, newest calls first. Raises InvalidInput."""
        _, model = chosen(self.database, project_id)
        spec = {"project_id": project_id}
        return self.jobs.submit(actor, KIND, spec, title=f"Vectors by {model}", project_id=project_id)

    def made(self, project_id: str) -> int:
        """Calls that have a vector by the chosen model."""
        with self.database.read() as session:
            policy = session.get(CapturePolicy, project_id)
            if policy is None or not policy.embedding_model:
                return 0
            return LogNeighbourRepository(session).count_vectors(project_id, policy.embedding_model)


def chosen(database: Database, project_id: str) -> tuple[Provider, str]:
    """The provider and model of the project's policy. Raises InvalidInput."""
    with database.read() as session:
        policy = session.get(CapturePolicy, project_id)
        provider = (
            session.get(Provider, policy.embedding_provider_id) if policy and policy.embedding_provider_id else None
        )
        if policy is None or provider is None or not policy.embedding_model:
            raise InvalidInput("The project has no embedding model. Choose a provider and its model first.")
        return provider, policy.embedding_model


def make_vectors(database: Database, providers: Providers, project_id: str, after_batch: Callable[[int], None]) -> int:
    """Ask for the missing vectors batch by batch; what was made stays when it is stopped. How many there were."""
    provider, model = chosen(database, project_id)
    made, below = 0, None
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False) as client:
        while True:
            with database.read() as session:
                calls = LogNeighbourRepository(session).without_vector(project_id, model, below, BATCH)
            if not calls:
                return made
            below = calls[-1][0]
            found = _ask(client, provider, providers.key_of(provider), model, [text[:LONGEST] for _, text in calls])
            numbered = [(number, vector) for (number, _), vector in zip(calls, found, strict=True)]
            made += _keep(database, project_id, model, numbered)
            after_batch(made)


def _keep(database: Database, project_id: str, model: str, found: list[tuple[int, list[float]]]) -> int:
    with database.write() as session:
        there = LogNeighbourRepository(session).still_there([number for number, _ in found])
        for number, vector in found:
            if number in there:
                row = LogVector(log_entry_id=number, project_id=project_id, model=model, vector=packed(vector))
                session.merge(row)
    return len(there)


def _ask(client: httpx.Client, provider: Provider, key: str, model: str, texts: list[str]) -> list[list[float]]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = client.post(
            f"{provider.base_url.rstrip('/')}/embeddings", json={"model": model, "input": texts}, headers=headers
        )
        answer.raise_for_status()
        return _read(answer.json(), len(texts))
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise Unavailable(f"{provider.name} answered {status} when asked for vectors by {model}.") from error
    except httpx.HTTPError as error:
        raise Unavailable(f"{provider.name} cannot be reached for vectors: {error}.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(f"{provider.name} did not answer with vectors; is {model} an embedding model?") from error


def _read(found: Any, wanted: int) -> list[list[float]]:
    ordered = sorted(found["data"], key=lambda each: each["index"])
    vectors = [[float(value) for value in each["embedding"]] for each in ordered]
    if len(vectors) != wanted or not all(vectors):
        raise ValueError("not one vector a text")
    return vectors
