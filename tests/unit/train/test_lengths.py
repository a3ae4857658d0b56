from __future__ import annotations

from typing import Any

import pytest

from studio.train.lengths import Lengths, measure, measure_answers


def line(prompt: str, answer: str = "yes") -> dict[str, Any]:
    return {"prompt": [{"role": "user", "content": prompt}], "completion": [{"role": "assistant", "content": answer}]}


def test_tokens_are_counted_with_the_tokenizer_over_prompt_and_answer() -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    lengths = measure([line("one two three", "four")], tokenizer)
    assert lengths == Lengths((4 + 2 * 5,), exact=True)


def test_without_a_tokenizer_four_characters_are_a_token() -> None:
    assert measure([line("x" * 40, "y" * 8)], None) == Lengths((10 + 2 + 10,), exact=False)


def test_of_a_pair_the_longer_answer_counts_and_answers_are_measured_alone() -> None:
    short, long = [{"content": "y" * 8}], [{"content": "y" * 80}]
    pair = {"prompt": [{"content": "x" * 40}], "chosen": short, "rejected": long}
    assert measure([pair], None).longest == 10 + 20 + 2 * 5 and measure_answers([pair], None).longest == 20 + 5
    assert measure_answers([{"prompt": [], "reference": "z" * 40}], None).longest == 10 + 5


def test_the_histogram_counts_every_row_once() -> None:
    lengths = Lengths((1, 5, 5, 40, 99), exact=True)
    assert sum(rows for _edge, rows in lengths.histogram(7)) == 5
    assert lengths.longest == 99


@pytest.mark.parametrize("count", [0, 3, 2000])
def test_a_big_version_is_sampled(count: int) -> None:
    assert len(measure([line(str(n)) for n in range(count)], None).counts) == min(count, 500)
