"""Language and likeness of prompts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.capture.enrich.language import language_of
from studio.capture.enrich.signature import BITS, jaccard, likeness, shingles, signature

LANGUAGES = {
    "en": "My order has not arrived yet, can you help me?",
    "de": "Wo bleibt meine Bestellung? Ich warte seit zwei Wochen.",
    "fr": "Bonjour, je voudrais annuler ma commande s'il vous plaît.",
    "es": "Hola, necesito ayuda con la factura de este mes.",
    "ja": "注文した商品がまだ届いていません。",
    "ru": "Здравствуйте, мой заказ до сих пор не пришёл.",
}


@pytest.mark.parametrize(("code", "text"), LANGUAGES.items())
def test_a_sentence_is_known_by_its_language(code: str, text: str) -> None:
    assert language_of(text) == code


@pytest.mark.parametrize("text", ["", "ok", "12345 67890 12345", "😀😀😀", '{"a": 1}'])
def test_what_is_too_short_or_no_language_has_none(text: str) -> None:
    assert language_of(text) == ""


@given(st.text(max_size=400))
def test_any_text_has_a_language_or_none_and_a_signature(text: str) -> None:
    assert len(language_of(text)) in (0, 2, 3)
    assert len(signature(text)) * 8 == BITS
    assert likeness(signature(text), signature(text)) == 1.0


def test_likeness_is_close_to_the_exact_similarity() -> None:
    chance = random.Random(1)
    words = [f"word{number}" for number in range(400)]
    errors = []
    for _ in range(60):
        base = [chance.choice(words) for _ in range(200)]
        other = [chance.choice(words) if chance.random() < 0.1 else word for word in base]
        one, two = " ".join(base), " ".join(other)
        errors.append(abs(likeness(signature(one), signature(two)) - jaccard(one, two)))
    assert sum(errors) / len(errors) < 0.09


def test_texts_that_share_nothing_are_not_alike() -> None:
    one, two = (" ".join(f"{kind}{number}" for number in range(100)) for kind in "ab")
    assert jaccard(one, two) == 0.0 and likeness(signature(one), signature(two)) < 0.35


def test_case_and_punctuation_do_not_matter() -> None:
    assert signature("Where is my order?") == signature("where is MY order")
    assert shingles("one two") == {"one", "two"}
