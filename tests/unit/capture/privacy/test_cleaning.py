"""Cleaning never breaks JSON, cleans twice as once, and lets no planted secret through, wherever it stands."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.capture.entries import entry_values
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.detectors import DETECTORS
from studio.capture.privacy.policy import Policy
from studio.capture.privacy.redactor import Redactor
from studio.capture.record import FEEDBACK, Record

KEY, EMAIL, CARD = "sk-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7", "maria.lopez@example.com", "4111 1111 1111 1111"
PLANTED = (KEY, EMAIL, CARD, "+49 30 901820", "DE89 3704 0044 0532 0130 00", "203.0.113.7", "KD-123456")
ALL = Policy(detectors=tuple(DETECTORS), patterns=(("customer", r"KD-\d{6}"),))
META: dict[str, Any] = {"uid": "u", "at": 1.0, "project_id": "p"}

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
texts = st.one_of(words, st.builds(lambda a, s, b: f"{a} {s} {b}", words, st.sampled_from(PLANTED), words))
nested = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False), texts),
    lambda each: st.one_of(
        st.lists(each, max_size=4),
        st.dictionaries(texts, each, max_size=4),
        st.builds(lambda value: json.dumps(value), st.dictionaries(words, each, max_size=3)),
    ),
    max_leaves=12,
)


def cleaner(policy: Policy = ALL) -> Cleaner:
    return Cleaner(Redactor(b"k" * 32), lambda _: policy, lambda value: "sealed")


def cleaned(body: bytes, policy: Policy = ALL, **meta: Any) -> Record:
    record = cleaner(policy).record(Record({**META, **meta}, body, b""))
    assert record is not None
    return record


def has(value: Any) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [secret for secret in PLANTED if secret in text]


@given(nested, st.booleans())
def test_any_json_stays_json_and_loses_every_planted_secret(value: Any, ascii_only: bool) -> None:
    body = json.dumps([value], ensure_ascii=ascii_only).encode()
    first = cleaned(body).request
    assert has(orjson.loads(first)) == []
    assert cleaned(first).request == first


@given(st.lists(texts, max_size=6), st.data())
def test_a_stream_cut_anywhere_is_cleaned_joined(parts: list[str], data: Any) -> None:
    text, events, at = " ".join(parts), [], 0
    while at < len(text):
        end = at + data.draw(st.integers(1, 9))
        events.append({"id": "c", "choices": [{"index": 0, "delta": {"content": text[at:end]}}]})
        at = end
    events.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    record = cleaner().record(Record({**META, "sse": True}, b"{}", body))
    assert record is not None
    row = entry_values(record)
    assert has(row["reply"]) == [] and row["finish_reason"] == "stop"
    if not has(text):
        assert (row["reply"].get("content") or "") == cleaner().text("p", text)


@given(words)
def test_text_without_secrets_is_left_as_it_is(text: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
    record = Record(dict(META), body, body)
    if not has(text):
        assert cleaner(Policy()).record(record) == record


def test_escapes_and_arguments_within_arguments_hide_nothing() -> None:
    inner = '{"to": "maria.lopez\\u0040example.com", "card": 4111111111111111}'
    call = {"function": {"name": "send", "arguments": json.dumps({"body": inner, "at": [inner]})}}
    body = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()
    arguments = orjson.loads(cleaned(body).request)["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert orjson.loads(orjson.loads(arguments)["body"]) == {"to": "[email]", "card": "[card]"}
    raw = b'{"content": "maria.lopez\\u0040example.com \\u0073k-proj-aB3dE5fG7hJ9kL1mN3pQ5rS7 https:\\/\\/a:pw12@b.c"}'
    assert not any(secret in cleaned(raw).request for secret in (b"maria", b"aB3dE5", b"pw12"))


def test_bodies_that_are_no_json_are_cleaned_as_text() -> None:
    cut = json.dumps({"messages": [{"content": f"{EMAIL} and {KEY}"}]}).encode()[:-4]
    assert not any(secret in cleaned(cut).request for secret in (EMAIL.encode(), KEY.encode()))
    escaped = cut.replace(b"@", b"\\u0040")
    assert b"maria" not in cleaned(escaped).request
    assert cleaned(b"\xff\xfe bytes").request == b"\xff\xfe bytes"


def test_deep_and_odd_json_is_cleaned_too() -> None:
    deep = b"[" * 900 + json.dumps(EMAIL).encode() + b"]" * 900
    assert EMAIL.encode() not in cleaned(deep).request
    odd = b'{"a": "\\ud800 maria.lopez@example.com", "n": 123456789012345678901234567890, "x": NaN}'
    assert (
        b"maria" not in cleaned(odd).request and json.loads(cleaned(odd).request)["n"] == 123456789012345678901234567890
    )


def test_pictures_are_left_alone_but_text_beside_them_is_not() -> None:
    picture = "data:image/png;base64," + "4111111111111111AAAA/" * 40 + "=="
    audio = "UklGR4111111111111111" * 40
    parts = [{"type": "image_url", "image_url": {"url": picture}}, {"input_audio": {"data": audio}}]
    body = json.dumps(
        {"messages": [{"content": [*parts, {"type": "text", "text": f"{EMAIL} ![x]({picture})"}]}]}
    ).encode()
    found = orjson.loads(cleaned(body).request)["messages"][0]["content"]
    assert found[0]["image_url"]["url"] == picture and found[1]["input_audio"]["data"] == audio
    assert found[2]["text"] == f"[email] ![x]({picture})"


def test_what_calls_are_found_by_stays_the_same_everywhere() -> None:
    body = json.dumps({"user": EMAIL, "metadata": {"who": EMAIL}, "messages": [{"content": EMAIL}]}).encode()
    record = cleaned(body, tags={"who": EMAIL}, user_id=EMAIL, external_id=f"{EMAIL}-1")
    request = orjson.loads(record.request)
    assert request["user"] == request["metadata"]["who"] == record.meta["tags"]["who"] == record.meta["user_id"]
    assert request["user"] in cleaner().names("p", EMAIL) and request["messages"][0]["content"] == "[email]"
    said = cleaner().feedback("p", {"kind": "comment", "text": f"ask {EMAIL}", "tags": {"who": EMAIL}})
    assert said == {"kind": "comment", "text": "ask [email]", "tags": record.meta["tags"]}
    assert record.meta["redactions"]["email"] == 6


def test_pseudonyms_are_equal_within_a_project_and_sealed() -> None:
    policy = Policy(detectors=("email",), pseudonyms=True)
    body = json.dumps({"messages": [{"content": f"{EMAIL}, {EMAIL.upper()}"}]}).encode()
    record = cleaned(body, policy)
    marks = orjson.loads(record.request)["messages"][0]["content"].split(", ")
    assert marks[0] == marks[1] and marks[0].strip("[]") in record.meta["pseudonyms"]
    assert record.meta["pseudonyms"][marks[0].strip("[]")] == {"kind": "email", "sealed": "sealed"}
    other = cleaner(policy).record(Record({**META, "project_id": "q"}, body, b""))
    assert other is not None and marks[0].encode() not in other.request


def test_log_probabilities_go_when_something_was_taken_out() -> None:
    tokens = {"content": [{"token": each, "logprob": -1.0} for each in ("maria", ".lopez@", "example.com")]}
    choice = {"index": 0, "message": {"content": f"ask {EMAIL}"}, "logprobs": tokens, "finish_reason": "stop"}
    record = cleaner().record(Record(dict(META), b"{}", json.dumps({"choices": [choice]}).encode()))
    assert record is not None and b"lopez" not in record.reply


def test_a_key_that_is_cut_across_events_is_found_without_any_detector() -> None:
    pieces = ["use s", "k-pr", "oj-aB3dE5fG7h", "J9kL1mN3pQ5rS7", " now"]
    events = [{"choices": [{"index": 0, "delta": {"content": each}}]} for each in pieces]
    body = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    record = cleaner(Policy()).record(Record({**META, "sse": True}, b"{}", body))
    assert record is not None
    content = entry_values(record)["reply"]["content"]
    assert content.startswith("use [redacted:") and content.endswith("] now") and "J9kL" not in record.reply.decode()


def test_facts_only_keeps_what_is_counted_and_no_text() -> None:
    request = json.dumps({"model": "m", "temperature": 0.5, "user": "u7", "messages": [{"content": "a word"}]}).encode()
    choice = {"index": 0, "message": {"role": "assistant", "content": "an answer"}, "finish_reason": "stop"}
    reply = {"id": "r", "model": "gpt", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}
    policy = Policy(record="metadata", detectors=("email",))
    for told in (reply, {**reply, "usage": None}):
        meta = {**META, "tags": {"who": EMAIL}, "prices": {"prompt": 1.0, "completion": 2.0}}
        record = cleaner(policy).record(Record(meta, request, json.dumps(told).encode()))
        assert record is not None
        row = entry_values(record)
        assert (row["user_id"], row["finish_reason"], row["served_model"], row["status"]) == ("u7", "stop", "gpt", "ok")
        assert row["prompt_tokens"] and row["completion_tokens"] and row["cost_usd"] > 0
        assert row["prompt_text"] == row["reply_text"] == "" and row["params"] == {"temperature": 0.5}
        assert "word" not in str(row) and "an answer" not in str(row) and EMAIL not in str(row)
    failed = cleaner(policy).record(Record({**META, "status": "error", "error": "no: a word"}, request, b"a word"))
    assert failed is not None and "word" not in str(entry_values(failed))


def test_facts_only_of_a_stream() -> None:
    deltas = [{"role": "assistant", "content": "se"}, {"content": "cret"}, {}]
    events = [{"id": "c", "model": "gpt", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events[-1]["choices"] = [{"index": 0, "delta": {}, "finish_reason": "length"}]
    body = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    record = cleaner(Policy(record="metadata")).record(Record({**META, "sse": True}, b"{}", body))
    assert record is not None and b"cret" not in record.reply
    row = entry_values(record)
    assert (row["finish_reason"], row["status"], row["completion_tokens"] > 0) == ("length", "ok", True)


def test_off_writes_nothing_and_facts_only_no_words_of_feedback() -> None:
    off, facts = cleaner(Policy(record="off")), cleaner(Policy(record="metadata"))
    feedback = {"kind": FEEDBACK, "uid": "f", "at": 1.0, "project_id": "p", "feedback": {"kind": "thumbs", "value": 1}}
    assert off.record(Record(dict(META), b"{}", b"{}")) is None and off.record(Record(feedback)) is None
    assert facts.record(Record(feedback)) is not None
    assert facts.feedback("p", {"kind": "comment", "text": "x"}) is None
    assert facts.feedback("p", {"kind": "score", "value": 1.0, "text": "x"}) == {
        "kind": "score",
        "value": 1.0,
        "text": None,
    }


def test_a_key_in_what_feedback_says_of_itself_is_taken_out() -> None:
    key = "sk-proj-0123456789abcdefABCDEF0123"
    said = {
        "kind": "tags",
        "source": key,
        "name": key,
        "given_by": key,
        "uid": key,
        "set": {key: key},
        "tags": {key: key},
    }
    assert key not in str(cleaner(Policy()).feedback("p", said))


@pytest.mark.parametrize("start", ["", "-", "_", "--", "_-_", "-----"])
def test_our_own_keys_are_found_whatever_their_first_letters_are(start: str) -> None:
    """They are made of letters, digits, - and _, and three in a hundred begin with one of the last two."""
    key = f"wk-{start}" + "gY8R2QSlIlUzlhpBiD09nML0-nasVoaXw3t6NvEgUab"[: 43 - len(start)]
    body = orjson.dumps({"messages": [{"role": "user", "content": f"my key is {key}."}]})
    cleaned = cleaner(Policy()).record(Record(dict(META, user_id=key), body, b"{}"))
    assert cleaned is not None and key.encode() not in cleaned.pack()
    rule = "wk-" + "-" * 60
    assert cleaner(Policy()).text("p", rule) == rule
