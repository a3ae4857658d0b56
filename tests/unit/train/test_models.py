from __future__ import annotations

import pytest

from storage.database import Database
from storage.tables import Model, Project, Provider
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from studio.train import hub
from studio.train.models import Models


def test_a_provider_model_is_found_by_name(
    models: Models, database: Database, project: Project, operator: Actor
) -> None:
    with database.write() as session:
        provider = Provider(project_id=project.id, name="hosted", base_url="http://x/v1")
        session.add(provider)
    made = models.register_provider_model(operator, project.id, provider.id, "gpt-x", "today")
    assert models.find(project.id, "today") == made
    assert (made.kind, made.provider_model) == ("provider", "gpt-x")


def test_a_provider_of_another_project_is_refused(models: Models, project: Project, operator: Actor) -> None:
    with pytest.raises(NotFound):
        models.register_provider_model(operator, project.id, "nobody", "m", "m")


def test_a_name_is_taken_once(models: Models, project: Project, operator: Actor, base: Model) -> None:
    with pytest.raises(Conflict, match="tiny"):
        models.register_base(operator, project.id, "tiny", digest=base.digest)


@pytest.mark.parametrize("name", ["", "  ", "x" * 121])
def test_a_name_must_be_usable(models: Models, project: Project, operator: Actor, name: str) -> None:
    with pytest.raises(InvalidInput):
        models.register_base(operator, project.id, name, digest="0")


def test_a_base_without_weights_is_refused(models: Models, project: Project, operator: Actor) -> None:
    with pytest.raises(InvalidInput):
        models.register_base(operator, project.id, "empty")


def test_a_viewer_registers_nothing(models: Models, project: Project, viewer: Actor) -> None:
    with pytest.raises(NotAllowed):
        models.register_hub_base(viewer, project.id, "Qwen/Qwen3-0.6B")


def test_a_hub_base_is_registered_once_with_its_size_and_licence(
    models: Models, project: Project, operator: Actor
) -> None:
    first = models.register_hub_base(operator, project.id, "Qwen/Qwen3-0.6B")
    again = models.register_hub_base(operator, project.id, "Qwen/Qwen3-0.6B")
    assert first.id == again.id and first.parameters == 596_049_920
    assert "Apache" in first.facts["licence"]
    assert [model.id for model in models.all(project.id, ("base",))] == [first.id]
    assert models.all(project.id, ("tuned",)) == []


def test_only_the_menu_can_be_chosen(models: Models, project: Project, operator: Actor) -> None:
    with pytest.raises(InvalidInput, match="menu"):
        models.register_hub_base(operator, project.id, "someone/else")


def test_a_hub_that_does_not_answer_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="network"):
        hub.download("Qwen/Qwen3-0.6B", "", tmp_path / "hub")  # type: ignore[operator]


def test_an_unknown_model_is_not_found(models: Models) -> None:
    with pytest.raises(NotFound):
        models.get("nothing")
