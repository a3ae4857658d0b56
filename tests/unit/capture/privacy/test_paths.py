"""Nothing planted reaches the journal, the database or a job's folder, whichever way it came."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlmodel import SQLModel, select

from storage.database import Database
from storage.tables import CapturePolicy, Deployment, LogEntry, Model, Project, Pseudonym, Revision
from studio.access.secrets import SecretBox
from studio.capture.drain import Drain
from studio.capture.feedback import FeedbackIntake
from studio.capture.jobs import import_file
from studio.capture.journal import Journal
from studio.capture.privacy.keeping import fresh_cleaner
from studio.capture.privacy.service import Privacy
from studio.capture.recorder import Recorder
from studio.deploy.shadow_log import Answered, ShadowLog
from studio.errors import InvalidInput, NotAllowed, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings

KEY, EMAIL, CARD = "sk-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7", "maria.lopez@example.com", "4111 1111 1111 1111"
TEXT = f"My key {KEY}, my mail {EMAIL}, my card {CARD}."
ARGUMENTS = json.dumps({"to": EMAIL, "why": TEXT}).replace("@", "\\u0040")
TURNS = [{"role": "user", "content": TEXT}]
PIECES = [TEXT[at : at + 3] for at in range(0, len(TEXT), 3)]


def sse(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"


CALL = {"id": "c1", "type": "function", "function": {"name": "send", "arguments": ARGUMENTS}}
CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT, "tool_calls": [CALL]}}]}
TOOL_PIECES = [{"index": 0, "function": {"arguments": ARGUMENTS[at : at + 5]}} for at in range(0, len(ARGUMENTS), 5)]
WIRES: dict[str, tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]] = {
    "chat": (
        {"messages": [*TURNS, {"role": "tool", "content": ARGUMENTS}], "metadata": {"note": TEXT}},
        CHAT,
        [{"choices": [{"index": 0, "delta": {"content": each}}]} for each in PIECES]
        + [{"choices": [{"index": 0, "delta": {"tool_calls": [each]}}]} for each in TOOL_PIECES],
    ),
    "completions": (
        {"prompt": TEXT},
        {"choices": [{"index": 0, "text": TEXT, "logprobs": {"tokens": PIECES}}]},
        [{"choices": [{"index": 0, "text": each}]} for each in PIECES],
    ),
    "embeddings": ({"input": [TEXT]}, {"data": [{"embedding": [0.1], "index": 0}]}, []),
    "responses": (
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": TEXT}]}], "instructions": TEXT},
        {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}]},
        [{"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "delta": each} for each in PIECES],
    ),
    "messages": (
        {"messages": TURNS, "system": TEXT, "max_tokens": 9},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": TEXT}]},
        [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": each}} for each in PIECES],
    ),
}


class Studio:
    """A recorder, its drain and a project that wants addresses and cards out."""

    def __init__(self, settings: Settings, database: Database, project: Project) -> None:
        self.settings, self.database, self.project = settings, database, project
        with database.write() as session:
            session.add(CapturePolicy(project_id=project.id, detectors=["email", "card"], pseudonyms=True))
        self.cleaner = fresh_cleaner(settings.secrets, database)
        self.journal = Journal(settings.journal)
        self.recorder = Recorder(self.journal, self.cleaner)

    def call(self, request: Any, reply: bytes, **meta: Any) -> None:
        facts = {"uid": "u1", "at": time.time(), "project_id": self.project.id, "error": TEXT, "tags": {"note": TEXT}}
        assert self.recorder.call({**facts, **meta}, orjson.dumps(request), reply)

    def everything(self, *folders: Path) -> str:
        """The journal before it is drained, then every table and file."""
        files = [path for root in (self.settings.root, *folders) for path in root.rglob("*") if path.is_file()]
        told = [path.read_bytes().decode("utf-8", "replace") for path in files if "studio.db" not in path.name]
        self.journal.close()
        Drain(self.database, self.settings.journal).once()
        with self.database.read() as session:
            for table in SQLModel.metadata.sorted_tables:
                told += [json.dumps(list(row), default=str) for row in session.execute(table.select())]
        return "\n".join(told).replace("\\u0040", "@")


@pytest.fixture
def studio(settings: Settings, database: Database, project: Project) -> Studio:
    return Studio(settings, database, project)


def assert_clean(text: str) -> None:
    assert not [secret for secret in (KEY, EMAIL, CARD, "maria.lopez", "aB3dE5") if secret in text]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("endpoint", list(WIRES))
def test_the_proxy_writes_nothing_planted_at_any_endpoint(studio: Studio, endpoint: str, stream: bool) -> None:
    request, reply, events = WIRES[endpoint]
    body = sse(events) if stream else orjson.dumps(reply)
    studio.call({"model": "m", **request}, body, endpoint=endpoint, sse=stream, user_id=EMAIL)
    text = studio.everything()
    assert_clean(text)
    assert "[redacted:" in text and "[email:" in text and "[card:" in text
    with studio.database.read() as session:
        assert (
            len(session.exec(select(Pseudonym)).all()) == 2 and session.exec(select(LogEntry)).one().redactions["key"]
        )


def test_feedback_from_a_program_and_from_the_studio_is_cleaned(studio: Studio) -> None:
    studio.call({"model": "m", "messages": TURNS}, b"{}", external_id=EMAIL)
    tags = {"note": TEXT}
    for number, kind in enumerate(("comment", "correction")):
        said = {"kind": kind, "text": TEXT, "tags": tags, "given_by": EMAIL}
        studio.recorder.feedback(f"f{number}", time.time(), studio.project.id, said)
    studio.everything()
    intake = FeedbackIntake(studio.database, studio.cleaner)
    given = intake.give(studio.project.id, external_id=EMAIL, kind="comment", text=TEXT, given_by=EMAIL)
    assert_clean(str(given) + studio.everything())
    with studio.database.read() as session:
        assert session.exec(select(LogEntry)).one().correction  # found by the tag as it was given


def test_an_import_leaves_nothing_planted_behind(
    studio: Studio, import_context: Callable[[Path], Any], tmp_path: Path
) -> None:
    rows = [
        {"messages": [*TURNS, {"role": "assistant", "content": TEXT}], "metadata": {"note": TEXT}, "user": EMAIL},
        {"messages": [*TURNS, {"role": "assistant", "content": None, "tool_calls": [CALL]}]},
        {"messages": TEXT},
    ]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert import_file(import_context(path))["imported"] == 2
    assert_clean(studio.everything(tmp_path / "run"))


def test_answers_of_shadows_are_cleaned_and_not_kept_where_no_text_is(studio: Studio) -> None:
    with studio.database.write() as session:
        model = Model(project_id=studio.project.id, name="m", kind="tuned")
        deployment = Deployment(project_id=studio.project.id, alias="a")
        session.add_all([model, deployment])
        session.flush()
        revision = Revision(deployment_id=deployment.id, model_id=model.id, number=1)
        session.add(revision)
    kept = ShadowLog(studio.database, studio.cleaner)
    answered = Answered(
        studio.project.id, deployment.id, revision.id, "u1", orjson.dumps({"messages": TURNS}), "m",
        sse(WIRES["chat"][2]), True, 1.0, 200, orjson.dumps(CHAT), 1.0, None,
    )  # fmt: skip
    kept.add(answered)
    assert kept.flush()
    text = studio.everything()
    assert_clean(text)
    assert "[redacted:" in text
    with studio.database.write() as session:
        session.exec(select(CapturePolicy)).one().record = "metadata"
    strict = ShadowLog(studio.database, fresh_cleaner(studio.settings.secrets, studio.database))
    strict.add(Answered(**{**vars(answered), "log_uid": "u2"}))
    assert strict.flush() and '"u2"' not in studio.everything()


def test_what_stands_behind_a_mark_is_told_to_the_admin_only_and_noted(
    studio: Studio, operator: Any, editor: Any
) -> None:
    studio.call({"model": "m", "messages": TURNS}, b"{}")
    studio.everything()
    privacy = Privacy(studio.database, SecretBox(studio.settings.secrets), Jobs(studio.database))
    with studio.database.read() as session:
        tokens = {row.kind: row.token for row in session.exec(select(Pseudonym))}
    assert privacy.reveal(operator, studio.project.id, f"[{tokens['email']}]") == EMAIL
    assert "revealed a pseudonym" in studio.everything()
    for actor, token in ((editor, tokens["card"]), (operator, "[email:unknownunkno]")):
        with pytest.raises((NotAllowed, NotFound)):
            privacy.reveal(actor, studio.project.id, token)


def test_a_policy_is_checked_saved_and_followed(studio: Studio, operator: Any) -> None:
    privacy = Privacy(studio.database, SecretBox(studio.settings.secrets), Jobs(studio.database))
    for wrong in ({"record_what": "some"}, {"detectors": ["names"]}, {"retention_days": 0}):
        with pytest.raises(InvalidInput):
            privacy.save(operator, studio.project.id, **wrong)
    saved = privacy.save(
        operator, studio.project.id, detectors=["ip"], patterns=[("Order", r"O-\d+")], retention_days=9
    )
    assert privacy.policy(studio.project.id) == saved and saved.patterns == (("order", r"O-\d+"),)
    shown = privacy.preview(studio.project.id, f"O-12 from 203.0.113.7 with {KEY}")
    assert shown.text.startswith("[order] from [ip] with [redacted:")
    assert shown.taken_out == {"order": 1, "ip": 1, "key": 1}
