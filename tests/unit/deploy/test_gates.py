"""Each gate refuses what it is there to refuse, and says why."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from storage.tables import Model
from studio.deploy.client import ServerClient
from studio.deploy.gates import GateResult, LiveFigures, run_gates, sentence, subject
from studio.jobs.context import JobCancelled
from tests.fakes.tgi import FakeTgi, words

TUNED = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [2, 2, 2, 2, 2, 2, 2, 2], [5, 6]]
BASE = [[9] * 9, [8] * 8, [7, 7]]
TICKETS = ["crash", "refund", "seat"]


def messages(ticket: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": ticket}]


def model(**changes: Any) -> Model:
    fake = FakeTgi()
    prompts = [
        {
            "messages": messages(ticket),
            "text": fake.prompt(messages(ticket)),
            "tuned_tokens": tuned,
            "base_tokens": base,
            "tuned_text": words(tuned),
            "base_text": words(base),
        }
        for ticket, tuned, base in zip(TICKETS, TUNED, BASE, strict=True)
    ]
    return Model(project_id="p", name="tuned", kind="tuned", facts={"golden": {"prompts": prompts}} | changes)


@pytest.fixture
def tgi() -> Iterator[FakeTgi]:
    with FakeTgi(key="secret").running() as running:
        serve(running, TUNED)
        yield running


def serve(fake: FakeTgi, answers: list[list[int]]) -> None:
    fake.answers = {fake.prompt(messages(t)): tokens for t, tokens in zip(TICKETS, answers, strict=True)}


def judge(fake: FakeTgi, found: Model | None = None, dialect: str = "tgi") -> dict[str, GateResult]:
    client = ServerClient(fake.url, "triage-r1", "secret", dialect)
    return {result.gate: result for result in run_gates(client, subject(found or model()))}


def test_the_right_weights_pass_every_gate(tgi: FakeTgi) -> None:
    results = judge(tgi)
    assert list(results) == ["health", "identity", "golden", "template", "smoke", "latency"]
    assert all(result.passed for result in results.values()) and sentence(list(results.values())) == ""
    assert results["golden"].evidence["matches"] == 3


def test_the_base_models_weights_fail_the_golden_gate(tgi: FakeTgi) -> None:
    serve(tgi, BASE)
    golden = judge(tgi)["golden"]
    assert not golden.passed and "like the base" in golden.evidence["why"]


def test_one_answer_that_drifted_is_tolerated_and_two_are_not(tgi: FakeTgi) -> None:
    serve(tgi, [[3] * 8, *TUNED[1:]])
    assert judge(tgi)["golden"].passed
    serve(tgi, [[3] * 8, [4] * 8, TUNED[2]])
    golden = judge(tgi)["golden"]
    assert not golden.passed and "Only 1 of 3" in golden.evidence["why"]


def test_one_single_answer_like_the_base_is_not_tolerated(tgi: FakeTgi) -> None:
    serve(tgi, [BASE[0], *TUNED[1:]])
    assert not judge(tgi)["golden"].passed


def test_a_model_that_answers_like_its_base_cannot_be_proven(tgi: FakeTgi) -> None:
    found = model()
    for prompt in found.facts["golden"]["prompts"]:
        prompt["base_tokens"] = prompt["tuned_tokens"]
    golden = judge(tgi, found)["golden"]
    assert not golden.passed and "nothing can tell" in golden.evidence["why"]


def test_answers_that_part_late_are_compared_further(tgi: FakeTgi) -> None:
    found = model()
    prompts = found.facts["golden"]["prompts"][:1]
    prompts[0]["base_tokens"] = [*TUNED[0][:8], 99]
    found.facts = {"golden": {"prompts": prompts}}
    assert judge(tgi, found)["golden"].passed
    serve(tgi, [[*TUNED[0][:8], 99], *TUNED[1:]])
    assert not judge(tgi, found)["golden"].passed


def test_a_model_without_golden_answers_fails_with_what_to_do(tgi: FakeTgi) -> None:
    results = judge(tgi, model(golden={}))
    assert not results["golden"].passed and "admin override" in results["golden"].evidence["why"]


def test_an_unhealthy_server_is_asked_nothing_else(tgi: FakeTgi) -> None:
    tgi.healthy = False
    assert list(judge(tgi)) == ["health"]


def test_another_server_on_the_port_is_noticed_by_its_name(tgi: FakeTgi) -> None:
    tgi.name = "somebody-else"
    results = judge(tgi)
    assert list(results) == ["health", "identity"]
    assert "answers as somebody-else, not as triage-r1" in results["identity"].evidence["why"]


def test_another_chat_template_is_shown_beside_the_trained_one(tgi: FakeTgi) -> None:
    found = model()
    for prompt in found.facts["golden"]["prompts"]:
        tgi.answers["[INST]" + prompt["text"]] = prompt["tuned_tokens"]
        prompt["text"] = "[INST]" + prompt["text"]
    template = judge(tgi, found)["template"]
    assert not template.passed and template.evidence["trained"] != template.evidence["served"]


def test_an_empty_answer_to_a_real_prompt_fails_the_smoke_gate(tgi: FakeTgi) -> None:
    tgi.chat_answer = "  "
    assert not judge(tgi)["smoke"].passed


def test_a_server_of_another_kind_is_judged_by_its_words(tgi: FakeTgi) -> None:
    tgi.shows_prompts = False
    results = judge(tgi, dialect="openai")
    assert all(result.passed for result in results.values())
    serve(tgi, BASE)
    assert not judge(tgi, dialect="openai")["golden"].passed


def test_a_refused_key_is_a_failed_gate_not_a_crash(tgi: FakeTgi) -> None:
    tgi.key = "changed"
    golden = judge(tgi)["golden"]
    assert not golden.passed and "401" in golden.evidence["why"]


def test_a_start_token_that_the_tokenizer_adds_again_is_taken_out(tgi: FakeTgi) -> None:
    tgi.adds_start = True
    client = ServerClient(tgi.url, "triage-r1", "secret")
    client.greedy_tokens("<s>hello", 4)
    assert tgi.seen[-1]["inputs"] == "hello"


def test_the_certificate_keeps_the_evidence_and_the_time(tgi: FakeTgi) -> None:
    record = judge(tgi)["identity"].record()
    assert record["gate"] == "identity" and record["passed"] is True
    assert record["evidence"]["found"] == ["triage-r1"] and record["at"]


def test_a_machine_cut_off_from_the_hub_still_reaches_its_own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with FakeTgi().running() as fake:
        client = ServerClient(fake.url, "triage-r1", "secret")
        assert client.chat([{"role": "user", "content": "Hi"}])


def test_a_server_that_answers_a_conversation_otherwise_than_its_prompt_is_noticed(tgi: FakeTgi) -> None:
    tgi.chat_answer = "something else"
    golden = judge(tgi)["golden"]
    assert not golden.passed and "Asked again as a conversation" in golden.evidence["why"]
    assert golden.evidence["changed"][0]["then"] == "something else"


def test_the_first_token_that_differs_is_shown_with_both_texts(tgi: FakeTgi) -> None:
    serve(tgi, [[1, 2, 3, 99, 5, 6, 7, 8], [4] * 8, TUNED[2]])
    evidence = judge(tgi)["golden"].evidence
    assert evidence["first_divergence"]["at"] == 0 and evidence["first_divergence"]["served"]["text"] == "w4 "
    assert [row["diverges_at"] for row in evidence["rows"]] == [3, 0, None]
    assert evidence["agreement"] == round((3 + 0 + 2) / 18, 4)


def test_weights_that_the_target_rounds_itself_may_differ_in_a_fifth(tgi: FakeTgi) -> None:
    serve(tgi, [[3] * 8, [4] * 8, TUNED[2]])
    client = ServerClient(tgi.url, "triage-r1", "secret")
    judged = subject(model(), quantised=True)
    assert judged.slack == 0.2 and not run_gates(client, judged)[2].passed
    assert run_gates(client, replace(judged, slack=0.7))[2].passed


def test_progress_is_told_within_a_gate_and_a_cancel_is_heard(tgi: FakeTgi) -> None:
    told: list[tuple[str, float]] = []

    def report(gate: str, share: float) -> None:
        told.append((gate, share))
        if gate == "golden" and share > 0:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run_gates(ServerClient(tgi.url, "triage-r1", "secret"), subject(model()), report)
    assert told[:3] == [("health", 0.0), ("identity", 0.0), ("golden", 0.0)] and told[-1][1] > 0


def test_the_live_revision_is_asked_in_turn_with_the_new_one(tgi: FakeTgi) -> None:
    client = ServerClient(tgi.url, "triage-r1", "secret")
    live = LiveFigures("revision 1", client, 10.0, 20.0, 100)
    found = run_gates(client, subject(model(), {"guardrail": {"latency_factor": 1000}}, live))[-1]
    assert found.passed and found.evidence["live"] == "revision 1" and found.evidence["factor"] == 1000
    assert found.evidence["ratio_low"] <= found.evidence["ratio_high"]


def test_a_live_model_of_a_provider_is_shown_and_not_judged_by(tgi: FakeTgi) -> None:
    client = ServerClient(tgi.url, "triage-r1", "secret")
    found = run_gates(client, subject(model(), {}, LiveFigures("teacher", None, 0.1, 0.1, 900)))[-1]
    assert found.passed and found.evidence["live_p95_ms"] == 0.1 and "not judged by" in found.evidence["note"]


def test_smoke_prompts_of_the_rules_are_asked_instead_of_a_golden_one(tgi: FakeTgi) -> None:
    rules = {"smoke": [{"name": "refund", "messages": messages("refund"), "contains": "w2"}]}
    client = ServerClient(tgi.url, "triage-r1", "secret")
    assert run_gates(client, subject(model(), rules))[4].evidence["kept"] == 1
    rules["smoke"][0]["contains"] = "w9"
    smoke = run_gates(client, subject(model(), rules))[4]
    assert not smoke.passed and "“refund” does not contain “w9”" in smoke.evidence["why"]
