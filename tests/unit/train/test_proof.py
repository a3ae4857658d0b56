"""Which prompts become golden answers: golden rows first, every wanted answer once before any again, not too many."""

from studio.curate.snapshot import Row
from studio.train.data.proof import GOLDEN_PROMPTS, LETTERS_MOST, in_turn, proof_prompts


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def row(number: int, wanted: str) -> Row:
    return Row(f"e{number}", asked(f"ticket {number}"), [], wanted, "golden", True, "people", f"h{number}")


def line(number: int, wanted: str = "a") -> dict[str, object]:
    return {"prompt": asked(f"held {number}"), "completion": [{"role": "assistant", "content": wanted}]}


def test_every_wanted_answer_comes_once_before_any_comes_again() -> None:
    rows = [("a", asked("1")), ("a", asked("2")), ("b", asked("3")), ("a", asked("4")), ("c", asked("5"))]
    assert [messages[0]["content"] for messages in in_turn(rows)] == ["1", "3", "5", "2", "4"]


def test_golden_rows_come_first_and_held_out_ones_fill_up() -> None:
    found = proof_prompts([row(1, "a"), row(2, "b")], [line(number) for number in range(80)])
    assert len(found) == GOLDEN_PROMPTS == 50
    assert [messages[0]["content"] for messages in found[:3]] == ["ticket 1", "ticket 2", "held 0"]


def test_a_prompt_is_asked_once() -> None:
    assert len(proof_prompts([row(1, "a"), row(1, "b")], [line(2), line(2)])) == 2


def test_long_prompts_are_fewer_but_at_least_three() -> None:
    long = [{"prompt": asked("x" * LETTERS_MOST + str(number)), "completion": []} for number in range(9)]
    assert len(proof_prompts([], long)) == 3


def test_prompts_with_tools_are_left_to_training() -> None:
    assert proof_prompts([], [line(1) | {"tools": "[]"}, line(2)]) == [asked("held 2")]
