"""The model card says what was recorded, with intervals, and nothing that users wrote."""

from __future__ import annotations

import yaml
from huggingface_hub import ModelCard, ModelCardData

from storage.database import Database
from storage.tables import Deployment, Model, Project, Release, Revision
from studio.deploy.publish.card import model_card
from studio.deploy.publish.lineage import Lineage
from studio.deploy.publish.service import Publishing


def test_the_hub_reads_its_metadata(publishing: Publishing, model: Model) -> None:
    found = ModelCard(publishing.card(model.id)).data
    assert isinstance(found, ModelCardData)
    assert (found.license, found.base_model) == ("apache-2.0", "Qwen/Qwen2.5-0.5B-Instruct")
    scores = {each.metric_type: each.metric_value for each in found.eval_results or []}
    assert scores == {"exact_match": 0.98, "valid_json": 1.0}


def test_it_tells_data_recipe_scores_with_intervals_and_licence(publishing: Publishing, model: Model) -> None:
    text = publishing.card(model.id)
    assert "494.0 million parameters, trained from Qwen small on tickets version 3." in text
    assert "| Exact match | 98.0% | 95.0% – 100.0% | 60 |" in text
    assert "900 examples of tickets version 3; 60 golden examples were kept apart" in text
    assert "Method sft, seed 7" in text and "| lora_r | 16 |" in text
    assert "The base's licence, apache-2.0, holds for this model too." in text
    assert "It answers 98 % of held-out tickets exactly." in text
    assert "It has not had traffic yet." in text and model.digest in text


def test_it_names_who_let_it_have_traffic(
    publishing: Publishing, model: Model, database: Database, project: Project
) -> None:
    with database.write() as session:
        deployment = Deployment(project_id=project.id, alias="triage")
        session.add(deployment)
        session.flush()
        revision = Revision(deployment_id=deployment.id, model_id=model.id, number=1)
        session.add(revision)
        session.flush()
        routes = [{"model_id": model.id, "revision_id": revision.id, "weight": 100}]
        release = Release(deployment_id=deployment.id, number=1, routes=routes, reason="all gates green")
        release.created_by = "ann"
        session.add(release)
    assert "ann gave it 100 % of the calls (all gates green)" in publishing.card(model.id)


def test_a_model_of_which_little_is_known_still_has_a_true_card() -> None:
    text = model_card(Lineage("imported: yes", "0" * 64))
    metadata = yaml.safe_load(text.split("---")[1])
    assert "license" not in metadata and "model-index" not in metadata
    assert "It was not evaluated yet." in text and "The licence of the base is not recorded." in text


def test_a_licence_that_the_hub_does_not_know_is_named_as_other() -> None:
    metadata = yaml.safe_load(model_card(Lineage("m", "0" * 64, base_licence="Research Only")).split("---")[1])
    assert metadata["license"] == "other" and metadata["license_name"] == "research-only"
