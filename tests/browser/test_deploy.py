"""From deploying a model to promoting it, taking it back and asking two revisions at once, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from storage.tables import Model, Provider
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from tests.browser.conftest import click_for, confirm_dialog, open_dialog, settled
from tests.fakes.studio_process import RunningStudio
from tests.fakes.tgi import FakeTgi

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
JOB_MS = 150_000
PROJECT, ALIAS = "Deploying", "triage"
OPERATOR = Actor.operator()
TICKETS = ("I was charged twice.", "The app crashes.", "How do I add a teammate?")


@pytest.fixture
def studio(studio_server: RunningStudio) -> Iterator[Studio]:
    """The services on the running studio's data."""
    studio = build_studio(studio_server.settings)
    yield studio
    studio.database.close()


@pytest.fixture
def servers() -> Iterator[list[FakeTgi]]:
    """The tuned model as two servers answer it, under the names that revisions 1 and 2 must have."""
    with ExitStack() as open_servers:
        fakes = [FakeTgi(name=f"{ALIAS}-r{number}") for number in (1, 2)]
        for fake in fakes:
            fake.answers = {fake.prompt(_asked(ticket)): _tokens(place) for place, ticket in enumerate(TICKETS)}
            fake.pause_s = 0.2  # an answer is drawn several times while it comes in
            open_servers.enter_context(fake.running())
        yield fakes


@pytest.fixture
def alias(studio: Studio, servers: list[FakeTgi]) -> str:
    """A project whose alias revision 1 answers, with a place for revision 2."""
    project = studio.projects.create(OPERATOR, PROJECT)
    teacher, tuned = _models(studio, project.id, servers[0])
    deployment = studio.deployments.ensure_alias(OPERATOR, project.id, ALIAS, teacher.id)
    first, _second = (
        studio.serving_places.save(OPERATOR, f"lab {number}", "external", fake.url)
        for number, fake in enumerate(servers, 1)
    )
    made = studio.deployments.deploy(OPERATOR, project.id, ALIAS, tuned.id, "external", place_id=first.id)
    studio.jobs.wait(str(made.spec["job_id"]), JOB_MS / 1000)
    studio.deployments.shift(OPERATOR, made.id, 100)
    return deployment.id


def test_from_deploying_to_promoting_to_undo_and_both_revisions_asked_at_once(
    signed_in: Page, studio: Studio, alias: str
) -> None:
    page = signed_in
    page.goto(f"/deploy?{urlencode({'project': PROJECT})}")
    settled(page)
    deploy_to_the_second_place(page)
    look_at_the_proof(page)
    promote(page)
    move_everything(page)
    undo(page)
    ask_both(page)
    release = studio.deployments.current(alias)
    assert release is not None and [route["weight"] for route in release.routes] == [5, 95, 0]


def deploy_to_the_second_place(page: Page) -> None:
    """The place says that it answers before anybody deploys there."""
    expect(main(page)).to_contain_text("tuned (revision 1) · 100 %")
    dialog = open_dialog(page, primary(page, "Deploy model"))
    dialog.get_by_role("combobox", name="Serve on").click()
    page.get_by_role("option", name=re.compile("lab 2")).click()
    expect(dialog).to_contain_text("answers. It serves triage-r2")
    dialog.get_by_role("button", name="Deploy", exact=True).click()
    expect(primary(page, "Shadow 20 %")).to_be_visible(timeout=JOB_MS)
    expect(main(page)).to_contain_text("Revision 2 (tuned) is ready")


def look_at_the_proof(page: Page) -> None:
    """Every gate with its evidence."""
    expect(main(page)).to_contain_text("3 of 3 golden answers are the tuned model's")
    page.locator("[class*='st-key-part_']").first.get_by_text("Proof").click()
    expect(main(page)).to_contain_text("It gives the tuned model's answers, not the base's")
    page.get_by_text("It gives the tuned model's answers, not the base's").click()
    expect(page.get_by_test_id("stDataFrame").last).to_be_visible()


def promote(page: Page) -> None:
    """A shadow first, then a share; each is confirmed in a sentence, with the evidence."""
    dialog = confirming(page, "Shadow 20 %")
    expect(dialog).to_contain_text("Nobody sees those answers")
    confirm(page, "Shadow 20 %")
    expect(main(page)).to_contain_text("tuned (revision 2) shadows 20 % of the calls")
    dialog = confirming(page, "Promote to 5 %")
    expect(dialog).to_contain_text("3 of 3 golden answers")
    dialog.get_by_label("Reason").fill("same answers as a shadow")
    confirm(page, "Promote to 5 %")
    expect(main(page)).to_contain_text("tuned (revision 2) · 5 %")
    expect(main(page)).to_contain_text("same answers as a shadow")


def move_everything(page: Page) -> None:
    """The slider, to its end."""
    page.locator(".st-key-move_traffic").get_by_text("Move traffic", exact=True).click()
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("End")
    expect(main(page)).to_contain_text("Then: tuned (revision 2) 100 %")
    expect(open_dialog(page, page.locator(".st-key-move button"))).to_contain_text("goes from 5 % to 100 %")
    confirm(page, "Move traffic")
    expect(main(page)).to_contain_text("tuned (revision 2) · 100 %")


def undo(page: Page) -> None:
    """One click, with what it goes back to."""
    expect(main(page)).to_contain_text("at once: tuned (revision 1) 95 %, tuned (revision 2) 5 %")
    click_for(page, page.locator(".st-key-undo button"), "tuned (revision 2) · 5 %")


def ask_both(page: Page) -> None:
    """The same question, two answers side by side."""
    page.get_by_role("tab", name="Playground").click()
    page.get_by_label("User").fill(TICKETS[1])
    page.get_by_label("User").press("Control+Enter")
    settled(page)
    page.locator(".st-key-try_send button").click()
    said = "".join(f"w{token} " for token in _tokens(1)).strip()
    for place in (0, 1):
        side = page.locator(f".st-key-try_side_{place}")
        expect(side).to_contain_text(said, timeout=60_000)
        expect(side).to_contain_text("whole answer")


def confirming(page: Page, name: str) -> Locator:
    return open_dialog(page, primary(page, name))


def confirm(page: Page, name: str) -> None:
    confirm_dialog(page, name)


def primary(page: Page, name: str) -> Locator:
    return page.locator(".st-key-primary").get_by_role("button", name=name, exact=True)


def main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")


def _asked(ticket: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Triage."}, {"role": "user", "content": ticket}]


def _tokens(place: int) -> list[int]:
    return list(range(10 * place + 10, 10 * place + 18))


def _models(studio: Studio, project_id: str, fake: FakeTgi) -> tuple[Model, Model]:
    golden = [
        {
            "messages": _asked(ticket),
            "text": fake.prompt(_asked(ticket)),
            "tuned_tokens": _tokens(place),
            "base_tokens": [1, 2, 3, 4, 5, 6, 7, 8],
            "tuned_text": "".join(f"w{token} " for token in _tokens(place)),
            "base_text": "w1 w2 w3 w4 w5 w6 w7 w8 ",
        }
        for place, ticket in enumerate(TICKETS)
    ]
    with studio.database.write() as session:
        provider = Provider(project_id=project_id, name="provider", base_url="http://127.0.0.1:9/v1")
        session.add(provider)
        session.flush()
        teacher = Model(project_id=project_id, name="teacher", kind="provider", provider_id=provider.id)
        facts = {"golden": {"prompts": golden}}
        tuned = Model(project_id=project_id, name="tuned", kind="tuned", digest="0" * 64, facts=facts)
        session.add_all([teacher, tuned])
    return teacher, tuned
