"""One suite over every company: what the studio may rely on, whoever trains."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from studio.errors import Conflict, InvalidInput, NotFound, StudioError, Unavailable
from studio.train.hosted.http import Busy
from tests.contract.hosted.conftest import Hosted, chats, pairs, write_rows
from tests.fakes.hosted_server import Fault

CREATE = r"POST .*(jobs|fine-tunes|Jobs)$"
READ = r"GET .*(jobs|fine-tunes|Jobs)"


def test_a_run_is_uploaded_started_watched_and_ends_as_a_model(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    hosted.server.run(handle)
    assert hosted.trainer.status(handle).state == "running"
    hosted.server.finish(handle)
    assert hosted.trainer.status(handle).state == "succeeded"
    result = hosted.trainer.result(handle)
    assert result.model and result.model != hosted.spec.name
    assert result.base_url or result.note


def test_every_row_arrives_and_none_of_the_golden_ones(hosted: Hosted) -> None:
    golden = hosted.spec.folder / "data" / "golden.jsonl"
    golden.write_text(json.dumps({"prompt": [], "completion": [], "secret": "golden"}) + "\n")
    hosted.trainer.start(hosted.spec)
    texts = [json.dumps(row, ensure_ascii=False) for row in hosted.server.rows("train")]
    assert len(texts) == 12
    assert all(f"Ticket {number}: späte Lieferung" in text for number, text in enumerate(texts))
    assert not any(b"golden" in content for content in hosted.server.files.values())


def test_starting_twice_starts_once(hosted: Hosted) -> None:
    first = hosted.trainer.start(hosted.spec)
    assert hosted.another().start(hosted.spec) == first
    assert hosted.server.asked_for(CREATE) == 1


def test_a_run_whose_answer_was_lost_is_found_again(hosted: Hosted) -> None:
    hosted.server.faults.append(Fault(CREATE, after=True))
    handle = hosted.trainer.start(hosted.spec)
    assert len(hosted.server.jobs) == 1
    hosted.server.run(handle)
    assert hosted.trainer.status(handle).state == "running"


def test_a_failed_run_can_be_started_again(hosted: Hosted) -> None:
    first = hosted.trainer.start(hosted.spec)
    hosted.server.fail(first, "ran out of credit")
    assert hosted.trainer.start(hosted.spec) != first


def test_files_that_are_there_are_not_sent_twice(hosted: Hosted) -> None:
    first = hosted.trainer.start(hosted.spec)
    hosted.server.fail(first, "bad luck")
    sent = len(hosted.server.files)
    hosted.another().start(hosted.spec)
    assert len(hosted.server.files) == sent


def test_a_wrong_key_is_a_sentence_without_the_key(hosted: Hosted) -> None:
    wrong = "AKIDEXAMPLE:not-the-secret" if hosted.kind == "bedrock" else "sk-not-the-key"
    with pytest.raises(Unavailable, match=r"refused the key|does not allow") as refused:
        hosted.another(wrong).check()
    assert "not-the" not in refused.value.message
    assert "Settings" in refused.value.message


def test_the_right_key_is_confirmed(hosted: Hosted) -> None:
    assert "accepts the key" in hosted.trainer.check()


def test_keys_are_never_logged(hosted: Hosted, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        hosted.trainer.start(hosted.spec)
    secret = hosted.server.key.rpartition(":")[2]
    assert caplog.records
    assert secret not in caplog.text
    assert secret not in repr(hosted.trainer.api)
    assert secret not in repr(vars(hosted.trainer))


def test_a_busy_company_is_waited_for_as_long_as_it_asks(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    hosted.waits.clear()
    hosted.server.faults.append(Fault(READ, 429, times=2, headers={"Retry-After": "7"}))
    assert not hosted.trainer.status(handle).ended
    assert hosted.waits == [7.0, 7.0]


def test_a_company_that_stays_busy_says_when_to_come_back(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    hosted.server.faults.append(Fault(READ, 429, headers={"Retry-After": "900"}))
    with pytest.raises(Busy) as busy:
        hosted.trainer.status(handle)
    assert busy.value.wait_s == 900


def test_trouble_at_the_company_is_asked_again_and_then_told(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    hosted.server.faults.append(Fault(READ, 503, times=2))
    assert not hosted.trainer.status(handle).ended
    hosted.server.faults.append(Fault(READ, 500, times=10))
    with pytest.raises(Unavailable, match="trouble of its own"):
        hosted.trainer.status(handle)


def test_a_company_out_of_reach_is_told(hosted: Hosted) -> None:
    hosted.server.close()
    with pytest.raises(Unavailable, match="does not answer"):
        hosted.trainer.check()


def test_a_failed_run_tells_the_companys_reason(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    hosted.server.fail(handle, "The file has a row without an answer")
    status = hosted.trainer.status(handle)
    assert (status.state, status.reason) == ("failed", "The file has a row without an answer")


def test_a_cancel_stops_and_another_one_does_nothing(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    hosted.trainer.cancel(handle)
    assert hosted.trainer.status(handle).state == "cancelled"
    hosted.trainer.cancel(handle)


@pytest.mark.parametrize("hosted", ["fireworks"], indirect=True)
def test_a_kind_of_job_without_a_cancel_is_deleted(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    hosted.server.knows_cancel = False
    hosted.trainer.cancel(handle)
    assert hosted.trainer.status(handle).state == "cancelled"


def test_there_is_no_result_before_the_end(hosted: Hosted) -> None:
    handle = hosted.trainer.start(hosted.spec)
    with pytest.raises(Conflict, match="no model yet"):
        hosted.trainer.result(handle)


def test_a_run_that_the_company_does_not_know_is_told(hosted: Hosted) -> None:
    if hosted.kind == "fireworks":
        assert hosted.trainer.status("supervisedFineTuningJobs/nobody").state == "cancelled"
        return
    with pytest.raises(NotFound, match="does not know"):
        hosted.trainer.status("nobody")


def test_a_base_that_cannot_be_trained_there_is_refused_in_words(hosted: Hosted) -> None:
    with pytest.raises(InvalidInput, match="refused this"):
        hosted.another(model="our-own-tiny").start(hosted.spec)


def test_a_method_that_the_company_does_not_know_is_refused_before_anything_is_sent(hosted: Hosted) -> None:
    with pytest.raises(InvalidInput, match="does not train with kto"):
        hosted.trainer.start(replace(hosted.spec, method="kto"))
    assert not hosted.server.lines


def test_no_rows_start_no_run(hosted: Hosted) -> None:
    write_rows(hosted.spec.folder, [])
    with pytest.raises(InvalidInput, match="no row to train on"):
        hosted.trainer.start(hosted.spec)


def test_the_price_is_told_before_the_start(hosted: Hosted) -> None:
    price = hosted.trainer.price(hosted.spec)
    assert price is not None and price.usd > 0
    assert "tokens" in price.sentence
    assert not hosted.server.jobs and not hosted.server.files, "no row leaves before somebody confirmed"


@pytest.mark.parametrize("hosted", ["together"], indirect=True)
def test_a_company_that_estimates_is_asked_once_the_place_is_confirmed(hosted: Hosted) -> None:
    price = hosted.another(confirmed=True).price(hosted.spec)
    assert price is not None and price.usd == pytest.approx(2.4)
    assert price.sentence == "Together estimates 2,400 tokens to train."


@pytest.mark.parametrize("hosted", ["together", "fireworks"], indirect=True)
def test_a_price_by_size_needs_a_size_in_the_models_name(hosted: Hosted) -> None:
    assert hosted.another(model="acme/very-large").price(hosted.spec) is None
    small, large = (hosted.another(model=f"acme/m-{size}b-it").price(hosted.spec) for size in ("4p5", "70"))
    assert small is not None and large is not None and large.usd > 2 * small.usd


@pytest.mark.parametrize("hosted", ["bedrock"], indirect=True)
def test_a_refusal_in_xml_is_told_in_words(hosted: Hosted) -> None:
    said = "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>No write to it</Message></Error>"
    hosted.server.faults.append(Fault(r"PUT /bucket", 403, body=said))
    with pytest.raises(Unavailable, match="No write to it"):
        hosted.trainer.start(hosted.spec)


@pytest.mark.parametrize("hosted", ["fireworks"], indirect=True)
def test_a_file_that_is_too_large_is_refused_before_it_is_sent(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.train.hosted.fireworks.LARGEST_UPLOAD", 10)
    with pytest.raises(InvalidInput, match="150 MB"):
        hosted.trainer.start(hosted.spec)
    assert not hosted.server.files


def test_your_own_price_comes_before_the_published_one(hosted: Hosted) -> None:
    model = hosted.trainer.model_of(hosted.spec)
    price = hosted.another(prices={model: 10.0}).price(replace(hosted.spec, tokens=50_000))
    assert price is not None and price.usd == pytest.approx(1.0)
    assert "your price" in price.sentence


def test_preferences_arrive_as_triples_where_the_company_learns_from_them(hosted: Hosted) -> None:
    spec = hosted.with_rows("dpo", pairs())
    if "dpo" not in hosted.trainer.methods:
        with pytest.raises(InvalidInput, match="does not train with dpo"):
            hosted.trainer.start(spec)
        return
    handle = hosted.trainer.start(spec)
    first = hosted.server.rows("train")[0]
    assert first["preferred_output"][0]["content"] == '{"n": 0}'
    assert first["non_preferred_output"][0]["content"] == "No idea."
    assert hosted.trainer.status(handle).state in ("queued", "running")


def test_tool_calls_arrive_as_the_company_wants_them_or_are_refused(hosted: Hosted) -> None:
    call = {"type": "function", "function": {"name": "find", "arguments": {"order": 7}}}
    asked = [
        {"role": "user", "content": "Where is order 7?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "find", "content": "on its way"},
    ]
    row = {"prompt": asked, "completion": [{"role": "assistant", "content": "On its way."}], "tools": "[]"}
    spec = hosted.with_rows("sft", [*chats(11), row])
    if hosted.kind == "bedrock":
        with pytest.raises(InvalidInput, match="no tool calls"):
            hosted.trainer.start(spec)
        return
    hosted.trainer.start(spec)
    said = hosted.server.rows("train")[-1]["messages"]
    assert said[1]["tool_calls"][0]["function"]["arguments"] == '{"order": 7}'
    assert said[2]["tool_call_id"] == said[1]["tool_calls"][0]["id"]
    assert said[1]["weight"] == 0 and "weight" not in said[3]


def test_what_is_missing_in_a_places_options_is_named(hosted: Hosted) -> None:
    needed = {"fireworks": "account", "bedrock": "role_arn"}.get(hosted.kind, "model")
    spec = replace(hosted.spec, base="")
    with pytest.raises(StudioError, match=f"`{needed}`"):
        hosted.another(**{needed: ""}).start(spec)
