"""What a captured call becomes as an example."""

from __future__ import annotations

import pytest

from storage.tables import LogEntry
from studio.curate.examples import draft, prompt_hash, split_of
from studio.curate.outputs import assistant_message, output_of

PROMPT = [{"role": "user", "content": "hello"}]


def entry(content: str = "hi", **facts: object) -> LogEntry:
    return LogEntry.model_construct(
        **{
            "id": 1, "messages": PROMPT, "tools": [], "reply": {"role": "assistant", "content": content},
            "reply_text": content, "status": "ok", "source": "gateway", "rating": None, "correction": None, "tags": {},
            **facts,
        }
    )  # fmt: skip


def made(content: str = "hi", **facts: object) -> tuple[str, str, bool, str | None]:
    example = draft(entry(content, **facts), "d", 0)
    return example.output, example.output_source, example.verified, example.excluded


def test_a_plain_call_keeps_the_models_answer_unverified() -> None:
    assert made() == ("hi", "model", False, None)


def test_a_correction_becomes_the_verified_answer_even_of_a_call_that_failed() -> None:
    assert made("bad", correction="good", rating="down") == ("good", "correction", True, None)
    assert made("", status="error", correction="good") == ("good", "correction", True, None)


def test_thumbs_up_alone_does_not_verify() -> None:
    assert made(rating="up") == ("hi", "model", False, None)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [({"rating": "down"}, "thumbs_down"), ({"status": "error"}, "error"), ({"status": "cut"}, "error")],
)
def test_a_useless_answer_is_left_out_with_its_reason(facts: dict[str, object], reason: str) -> None:
    assert made(**facts)[3] == reason


def test_a_blank_answer_is_left_out_as_empty() -> None:
    assert made("  \n")[3] == "empty"


def test_imported_calls_say_so() -> None:
    assert made(source="import")[1] == "import"


def test_the_original_answer_is_kept_beside_the_correction() -> None:
    assert draft(entry("bad", correction="good"), "d", 10).original_output == "bad"


def test_the_hash_of_a_prompt_ignores_key_order_and_sees_tools() -> None:
    turned = [{"content": "hello", "role": "user"}]
    assert prompt_hash(PROMPT, []) == prompt_hash(turned, [])
    assert prompt_hash(PROMPT, []) != prompt_hash(PROMPT, [{"type": "function"}])


def test_the_split_depends_on_the_prompt_alone_and_grows_with_the_share() -> None:
    hashes = [prompt_hash([{"role": "user", "content": str(number)}], []) for number in range(2000)]
    golden = {digest for digest in hashes if split_of(digest, 10) == "golden"}
    assert 140 <= len(golden) <= 260
    assert golden <= {digest for digest in hashes if split_of(digest, 30) == "golden"}
    assert not any(split_of(digest, 0) == "golden" for digest in hashes)


def test_equal_tool_calls_are_equal_outputs_whatever_their_ids_and_spacing() -> None:
    def reply(call_id: str, arguments: str) -> dict[str, object]:
        return {"content": None, "tool_calls": [{"id": call_id, "function": {"name": "f", "arguments": arguments}}]}

    first, second = reply("a1", '{"x": 1, "y": 2}'), reply("b2", '{"y":2,"x":1}')
    assert output_of(first) == output_of(second)
    message = assistant_message(output_of(first))
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x":1,"y":2}'}


def test_text_that_only_mentions_tool_calls_stays_text() -> None:
    assert assistant_message('{"tool_calls": 3}') == {"role": "assistant", "content": '{"tool_calls": 3}'}


def test_content_parts_are_joined() -> None:
    assert output_of({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}) == "ab"
