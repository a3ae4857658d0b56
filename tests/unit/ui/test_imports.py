"""The import dialog with several files, and what stays on the page when imports have ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Job, Project
from storage.types import now
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from tests.unit.ui.conftest import Browser, texts

Open = Callable[[Role], Browser]
TABLE = b"a,b\nWhere is my parcel?,It is on its way.\nAnd the other one?,It is lost for good.\n"
CHAT = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}


@pytest.fixture
def project(studio: Studio) -> Project:
    return studio.projects.create(Actor.operator(), "support")


def ended(studio: Studio, project: Project, name: str, status: str = "succeeded", **facts: Any) -> None:
    result = {"imported": 0, "duplicates": 0, "first_errors": [], **facts.pop("result", {})}
    spec = {"filename": name, "group": facts.pop("group", "")}
    with studio.database.write() as session:
        session.add(
            Job(
                project_id=project.id,
                kind="import",
                title=f"Import {name}",
                spec=spec,
                status=status,
                result=result,
                started_at=now(),
                finished_at=now(),
                **facts,
            )
        )


def open_dialog(browser: Browser, studio: Studio, project: Project, files: dict[str, bytes]) -> AppTest:
    """The Capture page with the dialog open over these uploads."""
    actor = studio.people.actor_for(browser.token)
    assert actor
    ids = []
    for name, content in files.items():
        upload = studio.imports.uploads.begin(actor, project.id, name)
        upload.path.write_bytes(content)
        ids.append(upload.id)
    app = browser.open("capture")
    app.session_state["import_open"] = project.id
    app.session_state["import_uploads"] = (project.id, ids)
    return app.run()


def button(app: AppTest, label: str) -> Any:
    return next(found for found in app.button if found.label == label)


def test_files_that_can_be_imported_are_and_the_others_stay_with_what_is_wrong(
    browser_of: Open, studio: Studio, project: Project
) -> None:
    files = {"chat.jsonl": json.dumps(CHAT).encode(), "own.csv": TABLE, "scan.pdf": b"%PDF-1.7"}
    app = open_dialog(browser_of(Role.EDITOR), studio, project, files)
    assert not app.exception and "This is a PDF file." in texts(app)
    button(app, "Look").click().run()
    button(app, "All files").click().run()
    button(app, "Import 2 files").click().run()
    jobs = studio.jobs.recent(project.id, kinds=("import",))
    assert [job.spec["filename"] for job in reversed(jobs)] == ["chat.jsonl", "own.csv"]
    assert len({job.spec["group"] for job in jobs}) == 1
    assert not app.exception and "This is a PDF file." in "".join(error.value for error in app.error)


def test_a_table_without_any_mapped_column_cannot_be_imported(
    browser_of: Open, studio: Studio, project: Project
) -> None:
    app = open_dialog(browser_of(Role.EDITOR), studio, project, {"own.csv": TABLE})
    assert not app.exception and not button(app, "Import").disabled
    for column in ("a is", "b is"):
        next(found for found in app.selectbox if found.label == column).select("").run()
    assert button(app, "Import").disabled and "Say which column is the prompt" in app.info[0].value


def test_an_import_that_failed_stays_in_sight_and_can_be_tried_again(
    browser_of: Open, studio: Studio, project: Project
) -> None:
    ended(studio, project, "bad.jsonl", "failed", error="None of the 2 rows can be read. Line 1: it is cut off.")
    app = browser_of(Role.EDITOR).open("capture")
    assert "None of the 2 rows can be read" in app.error[0].value and button(app, "Try again")


@pytest.mark.parametrize(("files", "said"), [(2, ["file0.csv: **1** call imported"]), (6, ["6 files: **6** calls"])])
def test_files_imported_together_are_told_together(
    browser_of: Open, studio: Studio, project: Project, files: int, said: list[str]
) -> None:
    ended(studio, project, "earlier.csv", result={"imported": 7})
    for number in range(files):
        wrong = [{"line": 3, "field": "a", "reason": "It is empty."}] if number == 0 else []
        result = {"imported": 1, "errors": len(wrong), "first_errors": wrong}
        ended(studio, project, f"file{number}.csv", group="together", result=result)
    app = browser_of(Role.EDITOR).open("capture")
    told = [found.value for found in app.success]
    assert len(told) == (1 if files > 4 else files) and all(part in told[0] for part in said)
    assert [found.label for found in app.expander if "could not be read" in found.label] == [
        "1 row of file0.csv could not be read"
    ]
    button(app, "Show imported calls").click().run()
    assert "import" in app.query_params["source"] and "All" in app.query_params["range"]
