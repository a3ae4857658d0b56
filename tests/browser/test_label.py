"""An invited labeler answers ten examples in Argilla's own pages; an editor sees it happen without a reload."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FrameLocator, Locator, Page, expect

from storage.tables import Example, LabelTask
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio, build_studio
from studio.label.draft import TaskDraft
from tests.browser.conftest import Watched, settled, submit
from tests.fakes.studio_process import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.argilla, pytest.mark.timeout(240)]
OPERATOR = Actor.operator()
EXAMPLES = 10
SLOW_MS = 60_000
Open = Callable[[], Page]


@pytest.fixture
def studio(studio_server: RunningStudio) -> Studio:
    """The same database that the running processes use."""
    return build_studio(studio_server.settings)


def test_ten_answers_of_an_invited_labeler_move_the_editors_page(
    signed_in: Page, open_window: Open, studio_server: RunningStudio, studio: Studio, watched: Watched
) -> None:
    watched.allowed.append("fonts.googleapis.com")  # Argilla asks for a font from outside, and may not have it
    link = studio.people.invite(OPERATOR, "lotte", Role.LABELER)
    studio.people.invite(OPERATOR, "nils", Role.LABELER)
    task = sent(studio)
    editor = watch(signed_in, task)
    answer_by_program(studio, task, "nils")
    expect(editor).to_contain_text(f"0 of {EXAMPLES} examples have 2 answers", timeout=SLOW_MS)

    labeler = open_window()
    labeler.goto(f"{studio_server.url}/auth/link?token={link}")
    labeler.get_by_role("button", name="Continue").click()
    settled(labeler)
    mine = labeler.locator(f".st-key-task_{task.id}")
    expect(mine).to_contain_text(f"{EXAMPLES} left for you", timeout=SLOW_MS)
    labeler.get_by_text("Answer in this page").click()
    frame = mine.frame_locator("iframe")
    for at in range(EXAMPLES):
        if at == EXAMPLES // 2:
            labeler.reload()  # the frame is still there, with a new ticket
        answer(labeler, frame, correction="not covered" if at == 0 else "", is_last=at == EXAMPLES - 1)
    expect(mine).to_contain_text("0 left for you", timeout=SLOW_MS)

    expect(editor).to_contain_text(f"{EXAMPLES} of {EXAMPLES} examples have 2 answers", timeout=SLOW_MS)
    cells = editor.locator("[data-testid=stDataFrame] canvas [role=gridcell]")
    expect(cells.filter(has_text=re.compile("^90%$"))).to_have_count(
        2, timeout=SLOW_MS
    )  # verdict and output: one of ten differs
    assert signed_in.evaluate("window.stayed"), "the editor's page moved without a reload"


def sent(studio: Studio) -> LabelTask:
    """A task of ten examples, sent by the worker."""
    project = studio.projects.create(OPERATOR, "Warranty claims")
    dataset = studio.datasets.create(OPERATOR, project.id, "claims")
    with studio.database.write() as session:
        for number in range(EXAMPLES):
            messages = [{"role": "user", "content": f"Claim {number}: my kettle leaks."}]
            prompt_hash = f"{number:064d}"
            session.add(Example(dataset_id=dataset.id, messages=messages, output="covered", prompt_hash=prompt_hash))
    draft = TaskDraft(dataset.id, "Is it covered?", people=("lotte", "nils"), size=EXAMPLES)
    task = studio.labeling.create(OPERATOR, draft)
    [job] = studio.jobs.active(project.id)
    studio.jobs.wait(job.id, SLOW_MS / 1000)
    return studio.labeling.get(task.id)


def watch(page: Page, task: LabelTask) -> Locator:
    """The editor's page, opened once."""
    page.goto(f"/label?project=Warranty+claims&id={task.id}")
    settled(page)
    page.evaluate("window.stayed = true")
    return page.locator(f".st-key-task_{task.id}")


def answer_by_program(studio: Studio, task: LabelTask, username: str) -> None:
    """The second person, through Argilla's API: all of them are right."""
    right = {"verdict": "correct", "output": "covered"}
    answers = {item.id: right for item, _example in studio.labeling.items(task.id)}
    studio.labeling.backend().answer_as(task.backend_ref, username, answers)


def answer(page: Page, frame: FrameLocator, correction: str = "", is_last: bool = False) -> None:
    """Correct, or wrong with what is right; submit, and wait until it is stored and the next claim is there.

    After the last one the page around the frame tells: Argilla's own words differ when it was loaded anew meanwhile.
    """
    claim = frame.get_by_text(re.compile(r"Claim \d+: my kettle")).first
    shown = claim.inner_text(timeout=SLOW_MS)
    submit(frame, "wrong" if correction else "correct", correction)
    if is_last:
        expect(page.get_by_text("All done. Thank you!")).to_be_visible(timeout=SLOW_MS)
    else:
        expect(claim).not_to_have_text(shown, timeout=SLOW_MS)
