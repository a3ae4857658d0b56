"""A project's own patterns are checked when they are saved, and a slow one never stalls what it searches."""

from __future__ import annotations

import pytest

from studio.capture.privacy import patterns
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.patterns import OwnPattern, Withheld, checked_patterns
from studio.capture.privacy.policy import Policy
from studio.capture.privacy.redactor import Redactor
from studio.errors import InvalidInput

NESTED = r"(a|aa)+$"
HOSTILE = "a" * 60 + "!"


def test_names_are_made_plain_and_blank_rows_are_left_out() -> None:
    assert checked_patterns([("Customer number", r"KD-\d{6}"), ("", "")]) == (("customer_number", r"KD-\d{6}"),)


@pytest.mark.parametrize(
    ("name", "pattern", "why"),
    [
        ("x", "(", "not a regular expression"),
        ("x", "a*", "empty text"),
        ("x", r"\s", "blank"),
        ("x", "", "1 to 300"),
        ("x", "a" * 301, "1 to 300"),
        ("x", NESTED, "too long on a long text"),
        ("", "abc", "give it a name"),
        ("Ä!", "abc", "letters"),
        ("email", "abc", "already"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_reason(name: str, pattern: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        checked_patterns([(name, pattern)])


def test_there_are_limits_to_number_and_names() -> None:
    with pytest.raises(InvalidInput, match="At most 20"):
        checked_patterns([(f"n{number}", "abc") for number in range(21)])
    with pytest.raises(InvalidInput, match="already"):
        checked_patterns([("one", "abc"), ("One", "abd")])


def test_a_pattern_that_is_slow_on_one_text_rests_and_texts_are_withheld_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = OwnPattern("bad", NESTED)
    with pytest.raises(Withheld):
        list(own.find(HOSTILE))
    with pytest.raises(Withheld):
        list(own.find("quick"))
    monkeypatch.setattr(own, "_rests_until", 0.0)
    assert list(own.find("quick aaa")) == [(6, 9)]


def test_a_withheld_text_is_not_written_at_all() -> None:
    policy = Policy(patterns=(("bad_one", NESTED),))
    cleaner = Cleaner(Redactor(b"k"), lambda _: policy)
    text, counts = cleaner.look("p", HOSTILE)
    assert text == "[withheld: the pattern bad_one took too long]" and counts == {"withheld": 1}


def test_empty_matches_count_for_nothing() -> None:
    assert list(OwnPattern("x", r"(?=b)|bb").find("abbc")) == [(1, 3)]
    assert patterns.PAUSE_S > 1
