"""Fireworks and Together as targets, against servers that speak their documented formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from studio.access.places import Health
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.company import CompanyTarget, server_name
from studio.deploy.targets.port import Launch, Look, Place, Sleeper
from studio.deploy.targets.seen import SEEN
from studio.errors import Conflict, InvalidInput, StudioError
from tests.fakes.hosted_server import Fault
from tests.fakes.serving_fireworks import FireworksModels
from tests.fakes.serving_together import TogetherModels

Launches = Callable[..., Launch]
MODELS = {"fireworks": "accounts/acme/models/triage", "together": "acme/triage"}
READY = {"fireworks": "READY", "together": "STARTED"}
COMING = {"fireworks": ("CREATING", "UPDATING"), "together": ("PENDING", "STARTING")}
FAILED = {"fireworks": "FAILED", "together": "FAILED"}


@dataclass
class Company:
    """A company, a place there, and a revision for it."""

    kind: str
    server: Any
    launch: Launch

    def target(self, key: str = "", **options: Any) -> CompanyTarget:
        """As the worker builds it for each look."""
        own = {"confirmed": True, **({"account": "acme"} if self.kind == "fireworks" else {}), **options}
        found = serving_target(self.kind, Place("there", self.server.origin, key or self.server.key, own))
        assert isinstance(found, CompanyTarget)
        found.api.sleep = lambda seconds: None
        return found

    def look(self, handle: str) -> Look:
        """A look that asks again."""
        (self.launch.folder / SEEN).unlink(missing_ok=True)
        return self.target().look(handle, self.launch.folder)

    @property
    def servers(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = getattr(self.server, "deployments", None) or getattr(
            self.server, "endpoints", {}
        )
        return found

    @property
    def creation(self) -> str:
        """The request that makes a server."""
        return r"POST /v1/(accounts/acme/deployments|endpoints)$"


@pytest.fixture(params=("fireworks", "together"))
def company(request: pytest.FixtureRequest, launches: Launches) -> Iterator[Company]:
    kind = str(request.param)
    server = FireworksModels() if kind == "fireworks" else TogetherModels()
    yield Company(kind, server, launches(repository=MODELS[kind], adapter=None))
    server.close()


def test_a_server_is_made_for_the_uploaded_model_and_its_address_is_told_once_it_answers(company: Company) -> None:
    running = company.target().launch(company.launch)
    assert (running.endpoint, running.dialect) == ("", "shared")
    (made,) = company.servers.values()
    assert MODELS[company.kind] in running.served_name and made["name"] in running.served_name
    for state in COMING[company.kind]:
        company.server.move(running.handle, state)
        look = company.look(running.handle)
        assert look.alive and look.endpoint == "" and state in look.log_tail
    company.server.move(running.handle, READY[company.kind])
    inference = f"{company.server.origin}/inference" if company.kind == "fireworks" else company.server.origin
    assert company.look(running.handle).endpoint == inference


def test_a_repeated_launch_pays_once(company: Company) -> None:
    handles = {company.target().launch(company.launch).handle for _ in range(3)}
    assert len(company.servers) == len(handles) == company.server.asked_for(company.creation) == 1


def test_a_creation_whose_answer_was_lost_is_found_again(company: Company) -> None:
    company.server.faults.append(Fault(company.creation, after=True))
    running = company.target().launch(company.launch)
    assert len(company.servers) == 1 and running.served_name
    assert company.target().launch(company.launch) == running


def test_two_revisions_get_two_servers(company: Company, launches: Launches) -> None:
    other = launches("aaaaaaaa7b4c1d9e0f11", repository=MODELS[company.kind], adapter=None)
    handles = {company.target().launch(each).handle for each in (company.launch, other)}
    assert len(handles) == len(company.servers) == 2


def test_stopping_ends_the_bill_and_launching_wakes_the_same_server(company: Company) -> None:
    handle = company.target().launch(company.launch).handle
    company.server.move(handle, READY[company.kind])
    company.target().stop(handle)
    company.target().stop(handle, now=True)
    assert not company.look(handle).alive
    assert company.server.asked_for("DELETE|PATCH") == 1
    assert company.target().launch(company.launch).handle == handle
    assert company.look(handle).alive and company.server.asked_for(company.creation) == 1


def test_stopping_one_that_is_gone_is_fine(company: Company) -> None:
    handle = company.target().launch(company.launch).handle
    company.servers.clear()
    company.target().stop(handle)
    look = company.look(handle)
    assert not look.alive and "has no" in look.log_tail


def test_silence_and_trouble_there_are_not_death(company: Company) -> None:
    handle = company.target().launch(company.launch).handle
    for fault in (Fault("GET", 503, times=9), Fault("GET", after=True, times=9), Fault("GET", 401, times=9)):
        company.server.faults[:] = [fault]
        look = company.look(handle)
        assert look.alive and look.endpoint == "" and "Nothing is known now" in look.log_tail


def test_their_api_is_not_asked_at_every_look(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.deploy.targets.company.LOOK_S", 3600.0)  # however long a look takes here
    handle = company.target().launch(company.launch).handle
    before = len(company.server.lines)
    looks = [company.target().look(handle, company.launch.folder) for _ in range(5)]
    assert len(company.server.lines) == before + 1 and looks == [looks[0]] * 5


def test_a_failure_there_is_told_and_not_tried_again(company: Company) -> None:
    handle = company.target().launch(company.launch).handle
    company.server.move(handle, FAILED[company.kind])
    look = company.look(handle)
    assert not look.alive and "FAILED" in look.log_tail
    with pytest.raises(Conflict, match="could not run"):
        company.target().launch(company.launch)
    assert company.server.asked_for(company.creation) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("POST", 401, said="Invalid key"), r"refused the key \(HTTP 401\).*Settings, Serving"),
        (Fault("POST", 402, said="add a card"), "wants to be paid first: add a card"),
        (Fault("POST", 429, times=9, said="quota"), "asks us to wait: quota"),
        (Fault("POST", 404, said="no such model"), "does not know this: no such model"),
        (Fault("POST", 500), "has trouble of its own"),
        (Fault("GET", 200, body="<html></html>"), "did not answer with JSON"),
        (Fault("POST", 200, body="{}"), "cannot read"),
    ],
)
def test_what_a_company_says_becomes_one_sentence(company: Company, fault: Fault, said: str) -> None:
    company.server.faults.append(Fault(fault.line, fault.status, fault.times, said=fault.said, body=fault.body))
    with pytest.raises(StudioError, match=said) as told:
        company.target().launch(company.launch)
    assert company.server.key not in told.value.message
    assert company.servers == {}


def test_a_wrong_key_and_none_are_told(company: Company) -> None:
    with pytest.raises(StudioError, match="refused the key") as told:
        company.target("sk-wrong").check()
    assert "sk-wrong" not in told.value.message
    bare = serving_target(company.kind, Place("there", company.server.origin))
    assert isinstance(bare, CompanyTarget)
    with pytest.raises(InvalidInput, match="needs a key"):
        bare.stop("accounts/acme/deployments/x")


def test_nothing_starts_that_was_not_uploaded_there_or_whose_price_nobody_confirmed(
    company: Company, launches: Launches
) -> None:
    unconfirmed = company.target(confirmed=False)
    assert company.target().refusals(MODELS[company.kind]) == []
    assert len(unconfirmed.refusals("")) == 2 and company.server.lines == []
    with pytest.raises(InvalidInput, match="costs money"):
        unconfirmed.launch(company.launch)
    with pytest.raises(InvalidInput, match=f"studio publish MODEL {company.kind}:"):
        company.target().launch(launches(adapter=None))
    assert company.servers == {}


def test_an_answer_from_another_company_is_no_answer(company: Company) -> None:
    company.server.faults.append(Fault("GET", 302, times=9, headers={"Location": "https://evil.example/"}))
    with pytest.raises(StudioError):
        company.target().check()


@pytest.mark.parametrize("name", ["Support_Triage.v2-r12", "x" * 120, "名前-r1", "---", "7up-r1"])
def test_names_fit_their_rules(launches: Launches, name: str) -> None:
    made = server_name(launches(name=name))
    assert len(made) <= 40 and made.endswith("-5f0c9d2e8a7b") and made[0].isalpha() and made == made.lower()


class TestFireworks:
    """What only Fireworks does."""

    @pytest.fixture
    def company(self, launches: Launches) -> Iterator[Company]:
        server = FireworksModels()
        yield Company("fireworks", server, launches(repository=MODELS["fireworks"], adapter=None))
        server.close()

    def test_the_request_is_the_documented_one(self, company: Company) -> None:
        company.target(accelerator="NVIDIA_H200_141GB", scale_to_zero_minutes=1).launch(company.launch)
        assert company.server.created == [
            {
                "baseModel": "accounts/acme/models/triage",
                "displayName": "triage-r3",
                "description": f"Whetstone revision {company.launch.revision_id}",
                "minReplicaCount": 0,
                "maxReplicaCount": 1,
                "acceleratorType": "NVIDIA_H200_141GB",
                "acceleratorCount": 1,
                "autoscalingPolicy": {"scaleToZeroWindow": "300s"},
            }
        ]

    def test_it_can_sleep(self, company: Company) -> None:
        target = company.target()
        handle = target.launch(company.launch).handle
        assert isinstance(target, Sleeper)
        target.scale_to_zero(handle)
        assert company.servers[handle.rpartition("/")[2]]["replicaCount"] == 0

    def test_a_price_is_yours_or_none(self, company: Company) -> None:
        none, own = company.target().check(), company.target(price_per_hour=5.8).check()
        assert none.usd_per_hour is None and "tells no price" in none.sentence
        assert own.usd_per_hour == 5.8 and "$5.80, as you entered it" in own.sentence

    def test_an_account_must_be_entered(self, company: Company) -> None:
        with pytest.raises(InvalidInput, match="Enter the account's id"):
            company.target(account="accounts/acme").launch(company.launch)

    def test_a_deployment_of_another_revision_is_left_alone(self, company: Company) -> None:
        handle = company.target().launch(company.launch).handle
        company.servers[handle.rpartition("/")[2]]["description"] = "Whetstone revision another"
        with pytest.raises(Conflict, match="for another revision"):
            company.target().launch(company.launch)


class TestTogether:
    """What only Together does."""

    @pytest.fixture
    def company(self, launches: Launches) -> Iterator[Company]:
        server = TogetherModels()
        yield Company("together", server, launches(repository=MODELS["together"], adapter=None))
        server.close()

    def test_the_request_is_the_documented_one(self, company: Company) -> None:
        company.target(stop_after_minutes=30).launch(company.launch)
        assert company.server.asked == [
            {
                "model": "acme/triage",
                "hardware": "1x_nvidia_h100_80gb_sxm",
                "autoscaling": {"min_replicas": 1, "max_replicas": 1},
                "display_name": server_name(company.launch),
                "inactive_timeout": 30,
            }
        ]

    def test_a_place_may_delete_what_is_stopped(self, company: Company) -> None:
        handle = company.target().launch(company.launch).handle
        company.target(when_stopped="delete").stop(handle)
        assert company.servers == {} and not company.look(handle).alive

    def test_the_price_is_togethers_own_else_yours(self, company: Company) -> None:
        listed: Health = company.target(confirmed=False).check()
        assert listed.usd_per_hour == pytest.approx(3.36) and "$3.36 an hour" in listed.sentence
        assert "confirms the price" in listed.warnings[0]
        unknown = company.target(hardware="9x_new", price_per_hour=2).check()
        assert unknown.usd_per_hour == 2 and "no hardware 9x_new" in unknown.sentence

    def test_an_endpoint_of_our_name_for_another_model_is_left_alone(self, company: Company, tmp_path: Path) -> None:
        handle = company.target().launch(company.launch).handle
        company.servers[handle]["model"] = "acme/other"
        with pytest.raises(Conflict, match="for acme/other, not acme/triage"):
            company.target().launch(company.launch)
