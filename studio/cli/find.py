"""Finds by name what commands are given: projects, datasets, versions, models."""

from __future__ import annotations

from typing import Annotated

import typer

from storage.tables import Dataset, DatasetVersion, Model, Project
from studio.bootstrap import Studio
from studio.errors import InvalidInput, NotFound

ProjectName = Annotated[str, typer.Option("--project", "-p", help="Project name; the only one when left out.")]


def project_named(studio: Studio, name: str) -> Project:
    """The project of this name, or the only one. Raises InvalidInput."""
    found = studio.projects.all()
    if name:
        found = [each for each in found if each.name == name]
    if len(found) != 1:
        names = ", ".join(each.name for each in studio.projects.all()) or "none yet: run `studio sample`"
        raise InvalidInput(f"Name the project with --project. There are: {names}.")
    return found[0]


def find_dataset(studio: Studio, project: Project, name: str) -> Dataset | None:
    """The project's dataset of this name, or None."""
    return next((each for each in studio.datasets.all(project.id) if each.name == name), None)


def dataset_named(studio: Studio, project: Project, name: str) -> Dataset:
    """The project's dataset of this name. Raises NotFound."""
    found = find_dataset(studio, project, name)
    if found is None:
        raise NotFound(f"No dataset named {name!r} in {project.name}. Make one with `studio curate {name}`.")
    return found


def newest_version(studio: Studio, dataset: Dataset) -> DatasetVersion:
    """The dataset's newest version. Raises NotFound."""
    versions = studio.datasets.versions(dataset.id)
    if not versions:
        raise NotFound(f"{dataset.name} has no frozen version. Run `studio freeze {dataset.name}`.")
    return max(versions, key=lambda each: each.number)


def model_named(studio: Studio, project: Project, name: str) -> Model:
    """The project's model of this name. Raises NotFound."""
    found = studio.models.find(project.id, name)
    if found is None:
        names = ", ".join(each.name for each in studio.models.all(project.id)) or "none"
        raise NotFound(f"No model named {name!r} in {project.name}. There are: {names}.")
    return found
