"""A tuned model at a company: the key that trained it goes to the place's own origin and to no other."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.tables import ComputeTarget, Project, Provider, TrainingRun
from studio.access.actor import Actor
from studio.access.origins import origin_of
from studio.access.providers import Providers
from studio.access.secrets import SecretBox
from studio.settings import Settings
from studio.train.places import Places
from studio.train.served_there import provider_at

KEY, AT = "tgp-secret", "http://127.0.0.1:4777/v1"


@pytest.fixture
def secrets(settings: Settings) -> SecretBox:
    return SecretBox(settings.secrets)


@pytest.fixture
def place(database: Database, secrets: SecretBox, operator: Actor) -> ComputeTarget:
    return Places(database, secrets).save(operator, "company", "together", AT, KEY)


def adopted(database: Database, secrets: SecretBox, project: Project, base_url: str, place: str = "company") -> str:
    """The provider's id, "" where none was made."""
    run = TrainingRun(project_id=project.id, dataset_version_id="v", base_model_id="b", name="cups", runner=place)
    with database.write() as session:
        return provider_at(session, secrets, run, base_url, "acme/cups") or ""


def keys_of(database: Database, secrets: SecretBox, project: Project) -> dict[str, str]:
    providers = Providers(database, secrets)
    return {each.name: providers.key_of(each) for each in providers.all(project.id)}


def test_the_place_s_own_address_gets_its_key_once(
    database: Database, secrets: SecretBox, project: Project, place: ComputeTarget
) -> None:
    first = adopted(database, secrets, project, AT)
    assert first and adopted(database, secrets, project, f"{AT}/") == first, "the second run uses the same provider"
    assert keys_of(database, secrets, project) == {"company (tuned)": KEY}
    assert Providers(database, secrets).get(first).models == ["acme/cups"]


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/v1", "http://127.0.0.1:4778/v1", "https://127.0.0.1:4777/v1", "http://127.0.0.1:4777@x/v1"],
)
def test_no_other_origin_gets_the_key(
    database: Database, secrets: SecretBox, project: Project, place: ComputeTarget, address: str
) -> None:
    assert adopted(database, secrets, project, address) == ""
    assert keys_of(database, secrets, project) == {}


def test_without_an_address_of_its_own_only_the_company_s_counts(
    database: Database, secrets: SecretBox, project: Project, operator: Actor
) -> None:
    Places(database, secrets).save(operator, "company", "together", "", KEY)
    assert adopted(database, secrets, project, AT) == ""
    assert adopted(database, secrets, project, "https://api.together.xyz:443/v1")
    assert origin_of("https://api.together.xyz") == origin_of("https://api.together.xyz:443/v1")


def test_a_place_that_is_no_company_or_gone_never_gives_its_key(
    database: Database, secrets: SecretBox, project: Project, operator: Actor
) -> None:
    Places(database, secrets).save(operator, "cluster", "ray", AT, KEY)
    assert adopted(database, secrets, project, AT, "cluster") == adopted(database, secrets, project, AT, "gone") == ""
    assert keys_of(database, secrets, project) == {}


@pytest.mark.parametrize("key", ["sk-of-somebody-else", ""])
def test_a_provider_that_is_there_with_another_key_is_left_alone(
    database: Database, secrets: SecretBox, project: Project, place: ComputeTarget, operator: Actor, key: str
) -> None:
    Providers(database, secrets).save(operator, project.id, "mine", AT, key, ["big"])
    made = adopted(database, secrets, project, AT)
    assert keys_of(database, secrets, project) == {"mine": key, "company (tuned)": KEY}
    assert Providers(database, secrets).get(made).name == "company (tuned)"


def test_a_provider_with_the_very_key_learns_the_model(
    database: Database, secrets: SecretBox, project: Project, place: ComputeTarget, operator: Actor
) -> None:
    mine = Providers(database, secrets).save(operator, project.id, "mine", AT, KEY, ["big"])
    assert adopted(database, secrets, project, AT) == mine.id
    assert Providers(database, secrets).get(mine.id).models == ["big", "acme/cups"]


def test_a_key_that_can_no_longer_be_read_is_not_taken_for_the_same(
    database: Database, secrets: SecretBox, project: Project, place: ComputeTarget
) -> None:
    with database.write() as session:
        session.add(Provider(project_id=project.id, name="old", base_url=AT, encrypted_key="unreadable"))
    made = adopted(database, secrets, project, AT)
    assert Providers(database, secrets).get(made).name == "company (tuned)"
