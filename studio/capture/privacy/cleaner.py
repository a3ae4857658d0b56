"""Cleaner: what stands between a call and the first write of it, on every path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from studio.capture.entries import entry_values
from studio.capture.privacy import keys
from studio.capture.privacy.bodies import clean_body, clean_stream, stream_is_suspicious
from studio.capture.privacy.detectors import DETECTORS
from studio.capture.privacy.facts import ERROR, reply_facts, request_facts
from studio.capture.privacy.policy import FULL, Policy
from studio.capture.privacy.redactor import Redactor
from studio.capture.privacy.rules import rules_of
from studio.capture.privacy.scrub import Scrub, Seal
from studio.capture.record import FEEDBACK, Record

NAMED = ("external_id", "trace_id", "span_id", "parent_span_id", "session_id", "user_id")
"""What calls are found by: a value that must go becomes a mark that is the same every time."""
WORDS = ("model", "upstream_model")
SAID = ("uid", "id", "external_id", "trace_id", "span_id", "feedback_id", "given_by", "session_id", "user_id")
OWN_WORDS = ("kind",)
"""What the studio itself says of feedback."""


class Cleaner:
    """Cleans records, feedback and texts by the policy of their project. Keys always."""

    def __init__(
        self, redactor: Redactor, policies: Callable[[str], Policy] = lambda _: FULL, seal: Seal | None = None
    ) -> None:
        self.redactor = redactor
        self._policies = policies
        self._seal = seal

    def record(self, record: Record) -> Record | None:
        """The record as it may be written; None when the project records nothing."""
        if record.kind == FEEDBACK:
            return self._feedback_record(record)
        project_id = str(record.meta.get("project_id"))
        policy = self._policies(project_id)
        if policy.record == "off":
            return None
        if policy.record == "metadata":
            record = _facts(record)
        elif not policy.looks_for_personal_data and not _suspicious(record):
            return record
        return self._cleaned(record, self._scrub(project_id, policy))

    def bare(self, record: Record) -> Record | None:
        """The facts of a call whose texts could not be cleaned; None when the project records nothing."""
        project_id = str(record.meta.get("project_id"))
        policy = self._policies(project_id)
        if policy.record == "off":
            return None
        cleaned = self._cleaned(_facts(record), self._scrub(project_id, policy))
        told = {**cleaned.meta.get("redactions", {}), "withheld": 1}
        return replace(cleaned, meta={**cleaned.meta, "redactions": told})

    def policy(self, project_id: str) -> Policy:
        """The policy in force."""
        return self._policies(project_id)

    def feedback(self, project_id: str, said: dict[str, Any]) -> dict[str, Any] | None:
        """Feedback as it may be written; None when nothing of it may (off; or a text where only facts are kept)."""
        policy = self._policies(project_id)
        if policy.record == "off":
            return None
        scrub = self._scrub(project_id, policy)
        told = {
            name: scrub.text(value, name in SAID) if isinstance(value, str) and name not in OWN_WORDS else value
            for name, value in said.items()
        }
        told |= {name: _tags(value, scrub) for name, value in said.items() if isinstance(value, dict)}
        if policy.record == "metadata" and told.get("text"):
            told["text"] = None
            return None if told.get("kind") in ("comment", "correction") else told
        return told

    def keeps_texts(self, project_id: str) -> bool:
        """Whether the project's policy lets texts be written at all."""
        return self._policies(project_id).record == "full"

    def text(self, project_id: str, text: str) -> str:
        """Any text of the project."""
        return self._scrub(project_id, self._policies(project_id)).text(text)

    def look(self, project_id: str, text: str) -> tuple[str, dict[str, int]]:
        """Any text of the project, and how much of each kind was taken out."""
        scrub = self._scrub(project_id, self._policies(project_id))
        return scrub.text(text), dict(scrub.counts)

    def names(self, project_id: str, name: str) -> set[str]:
        """The marks under which an id may stand in the log, whatever the policy was when it was written."""
        own = self._policies(project_id)
        policies = (own, Policy(detectors=tuple(DETECTORS)), *(Policy(detectors=(each,)) for each in DETECTORS))
        return {Scrub(self.redactor, project_id, rules_of(each), None).text(name, named=True) for each in policies}

    def body(self, project_id: str, body: bytes, sse: bool = False) -> bytes:
        """A request or an answer of the project, cleaned as in a record."""
        policy = self._policies(project_id)
        scrub = self._scrub(project_id, policy)
        return clean_stream(body, scrub) if sse else clean_body(body, scrub)

    def _scrub(self, project_id: str, policy: Policy) -> Scrub:
        rules = rules_of(policy) if policy.looks_for_personal_data else None
        return Scrub(self.redactor, project_id, rules, self._seal if policy.pseudonyms else None)

    def _cleaned(self, record: Record, scrub: Scrub) -> Record:
        request = clean_body(record.request, scrub)
        reply = clean_stream(record.reply, scrub) if record.meta.get("sse") else clean_body(record.reply, scrub)
        meta = _clean_meta(record.meta, scrub)
        if scrub.counts:
            meta["redactions"] = dict(scrub.counts)
        if scrub.pseudonyms:
            meta["pseudonyms"] = scrub.pseudonyms
        return Record(meta, request, reply)

    def _feedback_record(self, record: Record) -> Record | None:
        said = self.feedback(str(record.meta.get("project_id")), dict(record.meta.get("feedback") or {}))
        return None if said is None else replace(record, meta={**record.meta, "feedback": said})


def _suspicious(record: Record) -> bool:
    """Whether a key may be anywhere in the record; what most calls pay, and all that they pay."""
    meta = record.meta
    told = [str(meta[name]) for name in (*NAMED, *WORDS, "error") if meta.get(name)]
    for name, value in (meta.get("tags") or {}).items():
        told += [str(name), str(value)]
    if keys.suspicious("\n".join(told).encode("utf-8", "surrogatepass")) or keys.suspicious(record.request):
        return True
    return stream_is_suspicious(record.reply) if meta.get("sse") else keys.suspicious(record.reply)


def _clean_meta(meta: dict[str, Any], scrub: Scrub) -> dict[str, Any]:
    meta = dict(meta)
    for name in (*NAMED, *WORDS, "error"):
        if isinstance(meta.get(name), str):
            meta[name] = scrub.text(meta[name], name in NAMED, plain=name in WORDS)
    if isinstance(meta.get("tags"), dict):
        meta["tags"] = _tags(meta["tags"], scrub)
    return meta


def _tags(tags: dict[str, Any], scrub: Scrub) -> dict[str, Any]:
    return {
        scrub.text(str(name), True): scrub.text(value, True) if isinstance(value, str) else value
        for name, value in tags.items()
    }


def _facts(record: Record) -> Record:
    """The record without texts; what is read from them (tokens, cost, who called) goes into the facts first."""
    meta = dict(record.meta)
    values = entry_values(record)
    for name in ("prompt_tokens", "completion_tokens", "tokens_estimated", "cost_usd", "user_id", "session_id"):
        if values.get(name) is not None and meta.get(name) is None:
            meta[name] = values[name]
    meta["tags"] = values["tags"]
    meta["status"] = values["status"]
    meta["error"] = ERROR if values["error"] else None
    return Record(meta, request_facts(record.request), reply_facts(record.reply, bool(meta.get("sse"))))
