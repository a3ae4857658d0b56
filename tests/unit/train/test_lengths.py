from __future__ import annotations

import pytest

from studio.train.lengths import Lengths, measure
from tests.fakes.frozen_rows import make_row


def test_tokens_are_counted_with_the_tokenizer_over_prompt_and_answer() -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    lengths = measure([make_row("one two three", "four")], tokenizer)
    assert lengths == Lengths((4 + 2 * 5,), exact=True)


def test_without_a_tokenizer_four_characters_are_a_token() -> None:
    assert measure([make_row("x" * 40, "y" * 8)], None) == Lengths((10 + 2 + 10,), exact=False)


def test_the_histogram_counts_every_row_once() -> None:
    lengths = Lengths((1, 5, 5, 40, 99), exact=True)
    assert sum(rows for _edge, rows in lengths.histogram(7)) == 5
    assert (lengths.longest, lengths.quantile(0.5)) == (99, 5)


@pytest.mark.parametrize("count", [0, 3, 2000])
def test_a_big_version_is_sampled(count: int) -> None:
    assert len(measure([make_row(str(n)) for n in range(count)], None).counts) == min(count, 500)
