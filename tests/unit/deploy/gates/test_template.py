"""Prompts are compared with as much as a server shows of them."""

from studio.deploy.client import Prompt
from studio.deploy.gates.recorded import GoldenPrompt, digest
from studio.deploy.gates.template import Seen, rendered_diff

IDS = [5, 6, 7]
PROMPT = GoldenPrompt(
    [{"role": "user", "content": "Hi"}], "<user>Hi", [1], [2], prompt_tokens=3, prompt_digest=digest(IDS)
)


def test_text_and_tokens_must_both_be_the_same() -> None:
    same = Seen(PROMPT, Prompt("<user>Hi", IDS))
    assert same.by == "text and tokens" and not same.other_text and not same.other_tokens
    assert Seen(PROMPT, Prompt("<human>Hi", IDS)).other_text
    assert Seen(PROMPT, Prompt("<user>Hi", [1, *IDS])).other_tokens
    assert Seen(PROMPT, Prompt("<user>Hi", [5, 6, 8])).other_tokens


def test_tokens_alone_are_enough() -> None:
    assert Seen(PROMPT, Prompt(ids=IDS)).by == "tokens"
    assert not Seen(PROMPT, Prompt(ids=IDS)).other_tokens and Seen(PROMPT, Prompt(ids=[5, 6])).other_tokens


def test_their_number_is_the_least_that_is_compared() -> None:
    assert Seen(PROMPT, Prompt(), 3).by == "number of tokens"
    assert not Seen(PROMPT, Prompt(), 3).other_tokens and Seen(PROMPT, Prompt(), 4).other_tokens
    assert Seen(PROMPT, Prompt()).by == ""


def test_recordings_without_tokens_are_compared_by_text() -> None:
    old = GoldenPrompt([], "<user>Hi", [1], [2])
    assert Seen(old, Prompt("<user>Hi", IDS)).by == "text" and not Seen(old, Prompt("<user>Hi", IDS)).other_tokens
    assert Seen(old, Prompt(ids=IDS), 3).by == ""


def test_a_missing_line_break_is_seen_in_the_difference() -> None:
    diff = rendered_diff("<user>\nHi\n<assistant>", "<user>\nHi<assistant>")
    assert "-Hi⏎" in diff and "-<assistant>" in diff and "+Hi<assistant>" in diff
    assert rendered_diff("same\n", "same\n") == ""
