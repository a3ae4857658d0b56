"""Training from choosing a method to the card of a finished run, and the queue, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from storage.tables import DatasetVersion, Model
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.demo.corpus import documents
from studio.demo.tickets import as_json, tickets
from studio.jobs.ordering import next_tonight
from tests.browser.conftest import settled
from tests.fakes.frozen_rows import freeze_rows, make_row
from tests.fakes.studio_process import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
JOB_MS = 150_000
PROJECT = "Training"
ROWS, GOLDEN, STEPS = 48, 8, 8
POCKET = {"hidden": 32, "layers": 1, "heads": 2, "kv_heads": 1, "steps": 20}
OPERATOR = Actor.operator()


@pytest.fixture
def studio(studio_server: RunningStudio) -> Iterator[Studio]:
    """The services on the running studio's data."""
    studio = build_studio(studio_server.settings)
    yield studio
    studio.database.close()


@pytest.fixture
def version(studio: Studio) -> DatasetVersion:
    """A project with a frozen version."""
    project = studio.projects.create(OPERATOR, PROJECT)
    rows = [make_row(each.text, as_json(each.triage)) for each in tickets(ROWS, seed=3)]
    golden = [make_row(each.text, as_json(each.triage), "golden") for each in tickets(GOLDEN, seed=4)]
    return freeze_rows(studio.database, studio.artifacts, project.id, rows, golden)


@pytest.fixture
def base(studio: Studio, version: DatasetVersion) -> Model:
    """The smallest base there can be, built by the studio's worker."""
    project = studio.projects.find(PROJECT)
    assert project is not None
    job = studio.training.build_base(OPERATOR, project.id, documents(400), "pocket", POCKET)
    studio.jobs.wait(job.id, JOB_MS / 1000)
    return studio.models.all(project.id, ("base",))[0]


def test_from_choosing_how_to_learn_to_a_card_a_clone_and_the_queue(
    signed_in: Page, studio: Studio, version: DatasetVersion, base: Model
) -> None:
    page = signed_in
    open_train(page)
    choose(page)
    look_at_one_batch(page)
    train(page)
    clone_for_tonight(page)
    reorder(page, studio, version, base)


def choose(page: Page) -> None:
    """The method cards say what is missing; the chosen one makes a plan."""
    expect(page.locator(".st-key-method_dpo")).to_contain_text("0 pairs; DPO wants 200")
    expect(page.locator(".st-key-method_dpo").get_by_role("link", name="Open Label")).to_be_visible()
    expect(page.locator(".st-key-learn_dpo button")).to_be_disabled()
    expect(main(page)).to_contain_text("Teach pocket your")
    page.get_by_text("Advanced: change any value").click()
    steps = page.get_by_label("Step limit")
    steps.fill(str(STEPS))
    steps.press("Enter")
    settled(page)
    expect(main(page)).to_contain_text(re.compile(rf"Steps\s*{STEPS}"))


def look_at_one_batch(page: Page) -> None:
    """A job shows the batch token by token; what is learned is marked, the ticket is only read."""
    page.get_by_role("button", name="Look at one batch").click()
    view = page.locator(".st-key-batch_tokens")
    learned = view.locator("mark.learned")
    expect(learned.first).to_be_visible(timeout=JOB_MS)
    assert '"category"' in "".join(learned.all_inner_texts())
    assert learned.first.evaluate("node => getComputedStyle(node).borderBottomStyle") == "solid"
    expect(main(page)).to_contain_text("tokens/s measured")


def train(page: Page) -> None:
    """The run shows its curves and ends with a card."""
    page.locator(".st-key-primary").get_by_role("button", name="Train", exact=True).click()
    expect(page).to_have_url(re.compile("run="))
    expect(main(page)).to_contain_text("Under the hood", timeout=JOB_MS)
    expect(page.locator(".st-key-run_card")).to_be_visible(timeout=JOB_MS)
    expect(main(page)).to_contain_text("succeeded")
    expect(page.locator(".st-key-answers section").first).to_be_visible()
    page.get_by_text("Recipe and take-away").click()
    expect(page.get_by_text("studio reproduce")).to_be_visible()


def clone_for_tonight(page: Page) -> None:
    """Everything is filled in; the clone waits for the night."""
    page.get_by_role("button", name="Clone and tweak").click()
    expect(main(page)).to_contain_text("Filled from")
    page.get_by_text("Advanced: change any value").click()
    expect(page.get_by_label("Step limit")).to_have_value(str(STEPS))
    page.get_by_text("Tonight", exact=True).click()
    settled(page)
    page.locator(".st-key-primary").get_by_role("button", name="Train", exact=True).click()
    expect(page).to_have_url(re.compile("run="))
    expect(main(page)).to_contain_text("queued")


def reorder(page: Page, studio: Studio, version: DatasetVersion, base: Model) -> None:
    """The later run goes up, the other is cancelled."""
    tonight = next_tonight(studio.settings.tonight)
    late = studio.training.start(OPERATOR, version.id, base.id, name="late", not_before=tonight)
    open_train(page, view="Runs")
    waiting = page.locator("[class*='st-key-wait_']")
    expect(waiting).to_have_count(2)
    expect(waiting.last).to_contain_text("late")
    waiting.last.get_by_role("button", name="Up").click()
    expect(waiting.first).to_contain_text("late")
    waiting.last.get_by_role("button", name="Cancel").click()
    expect(waiting).to_have_count(1)
    studio.training.cancel(OPERATOR, late.id)


def open_train(page: Page, **query: str) -> None:
    """The project's Train page."""
    page.goto(f"/train?{urlencode({'project': PROJECT, **query})}")
    settled(page)


def main(page: Page) -> Locator:
    return page.get_by_test_id("stMain")
