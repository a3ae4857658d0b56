"""The composition root: the only place that joins ports to adapters. Everything else is handed what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from storage.artifacts import Artifacts
from storage.database import Database
from studio.access.keys import ApiKeys
from studio.access.people import People
from studio.access.projects import Projects
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.access.teams import Teams
from studio.capture.explorer.embedding import Vectors
from studio.capture.explorer.service import Explorer
from studio.capture.explorer.views import SavedViews
from studio.capture.feedback import FeedbackIntake
from studio.capture.imports import Imports
from studio.capture.logs import Logs
from studio.capture.privacy.keeping import fresh_cleaner
from studio.capture.privacy.service import Privacy
from studio.capture.templates import PromptTemplates
from studio.curate.datasets import Datasets
from studio.demo.sample import Sample
from studio.deploy.bundles.service import LaunchBundles
from studio.deploy.deployments import Deployments
from studio.deploy.places import ServingPlaces
from studio.deploy.publish.service import Publishing
from studio.deploy.shadows import Shadows
from studio.deploy.traffic import Traffic
from studio.evaluate.evaluations import Evaluations
from studio.improve.turns import Improve
from studio.jobs.queue import Jobs
from studio.label.catalog import labeling_backend
from studio.label.review.service import Reviews
from studio.label.tasks import Labeling
from studio.settings import Settings
from studio.train.experiments import Experiments
from studio.train.models import Models
from studio.train.places import Places
from studio.train.rehearse import Rehearsals
from studio.train.remedies import Remedies
from studio.train.runs import Training
from studio.train.takeaway.service import Takeaways


@dataclass(frozen=True)
class Studio:
    """The capabilities of the product, composed."""

    settings: Settings
    database: Database
    artifacts: Artifacts
    secrets: SecretBox
    people: People
    teams: Teams
    projects: Projects
    keys: ApiKeys
    providers: Providers
    jobs: Jobs
    logs: Logs
    explorer: Explorer
    views: SavedViews
    vectors: Vectors
    templates: PromptTemplates
    feedback: FeedbackIntake
    privacy: Privacy
    imports: Imports
    datasets: Datasets
    labeling: Labeling
    reviews: Reviews
    models: Models
    training: Training
    experiments: Experiments
    places: Places
    rehearsals: Rehearsals
    remedies: Remedies
    takeaways: Takeaways
    evaluations: Evaluations
    deployments: Deployments
    publishing: Publishing
    launch_bundles: LaunchBundles
    serving_places: ServingPlaces
    traffic: Traffic
    shadows: Shadows
    improve: Improve
    sample: Sample


def build_studio(settings: Settings | None = None) -> Studio:
    """Compose the studio on these settings (default: from the environment). The database must be migrated."""
    settings = settings or Settings()
    database, artifacts = Database(settings.database), Artifacts(settings.artifacts)
    secrets, jobs = SecretBox(settings.secrets), Jobs(database)
    providers, projects = Providers(database, secrets), Projects(database)
    datasets = Datasets(database, artifacts, jobs)
    labeling = Labeling(database, jobs, lambda: labeling_backend(settings), settings)
    models, training = Models(database), Training(database, artifacts, jobs, settings)
    deployments = Deployments(database, artifacts, jobs, settings)
    return Studio(
        settings=settings,
        database=database,
        artifacts=artifacts,
        secrets=secrets,
        people=People(database, secrets),
        teams=Teams(database),
        projects=projects,
        keys=ApiKeys(database),
        providers=providers,
        jobs=jobs,
        logs=Logs(database),
        explorer=Explorer(database, settings.root),
        views=SavedViews(database),
        vectors=Vectors(database, jobs),
        templates=PromptTemplates(database),
        feedback=FeedbackIntake(database, fresh_cleaner(settings.secrets, database)),
        privacy=Privacy(database, secrets, jobs),
        imports=Imports(database, jobs, settings),
        datasets=datasets,
        labeling=labeling,
        reviews=Reviews(database),
        models=models,
        training=training,
        experiments=Experiments(database, training, settings),
        places=Places(database, secrets),
        rehearsals=Rehearsals(database, artifacts, jobs, settings),
        remedies=Remedies(database, jobs, training),
        takeaways=Takeaways(database, artifacts, jobs, settings, training),
        evaluations=Evaluations(database, artifacts, jobs),
        deployments=deployments,
        publishing=Publishing(database, artifacts, jobs, settings),
        launch_bundles=LaunchBundles(database, artifacts, settings),
        serving_places=ServingPlaces(database, secrets),
        traffic=Traffic(database),
        shadows=Shadows(database, datasets, labeling),
        improve=Improve(database, jobs, datasets),
        sample=Sample(settings, jobs, projects, providers, models, deployments, training),
    )
