"""The sample project: a support-ticket triage feature with today's model behind the alias `support-triage`."""

from __future__ import annotations

from dataclasses import dataclass

from storage.tables import Job, Model, Project
from studio.access.actor import Actor
from studio.access.projects import Projects
from studio.access.providers import Providers
from studio.demo.corpus import documents
from studio.demo.teacher import MODEL
from studio.deploy.deployments import Deployments
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.models import Models
from studio.train.runs import Training

PROJECT, ALIAS, BASE = "Support triage (sample)", "support-triage", "tiny-base"
PRICES = {MODEL: {"prompt": 2.5, "completion": 10.0}}
"""USD per million tokens: what a mid-size hosted model costs, so that the savings ledger has something to show."""
SEED = 7


@dataclass(frozen=True)
class Sample:
    """Sets the sample project up, step by step, through the same verbs the pages use."""

    settings: Settings
    jobs: Jobs
    projects: Projects
    providers: Providers
    models: Models
    deployments: Deployments
    training: Training

    def start(self, actor: Actor, calls: int | None = None, seed: int = SEED) -> Job:
        """Create the project if it is missing and send sample calls through the gateway, as a job."""
        project, calls = self.set_up(actor), calls or self.settings.sample_calls
        spec = {"project_id": project.id, "calls": calls, "alias": ALIAS, "seed": seed}
        title = f"Send {calls:,} sample calls"
        return self.jobs.submit(actor, "sample_traffic", spec, title=title, project_id=project.id)

    def set_up(self, actor: Actor) -> Project:
        """The sample project with its provider, model and alias; made once, found afterwards."""
        text = "Ticket text in, strict JSON out: category, priority, sentiment, needs_human."
        project = self.projects.find(PROJECT) or self.projects.create(actor, PROJECT, text, is_sample=True)
        self.deployments.ensure_alias(actor, project.id, ALIAS, self.teacher(actor, project.id).id)
        return project

    def teacher(self, actor: Actor, project_id: str) -> Model:
        """Today's model, registered as a provider's model."""
        found = self.models.find(project_id, MODEL)
        if found:
            return found
        url = f"{self.settings.sample_url}/v1"
        provider = self.providers.save(actor, project_id, MODEL, url, "sample", [MODEL], PRICES)
        return self.models.register_provider_model(actor, project_id, provider.id, MODEL, MODEL)

    def build_base(self, actor: Actor, project_id: str) -> Job:
        """Build the tiny base model from the sample's text, as a job (about half a minute on two cores)."""
        return self.training.build_base(actor, project_id, documents(), BASE)
