"""Error rates without the truth: the paper's own example, and planted rates."""

from __future__ import annotations

import random

import numpy as np
import pytest

from studio.label.dawid_skene import estimate

# Table 1 of Dawid and Skene (1979): 45 patients, five anaesthetists, the first asked three times.
PATIENTS = (
    "111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3|222 2 2 2 3|"
    "232 2 2 2 3|444 4 4 4 4|222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1|111 1 1 1 1|111 1 1 1 1|"
    "222 2 2 2 1|222 1 3 2 2|222 2 2 2 2|222 2 2 2 1|222 3 2 2 2|221 2 2 2 2|111 1 1 1 1|111 1 1 1 1|232 2 2 2 2|"
    "111 1 1 1 1|111 1 1 1 1|112 1 1 2 1|111 1 1 1 1|333 3 2 3 3|111 1 1 1 1|222 2 2 2 2|222 3 2 3 2|433 4 3 4 3|"
    "221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1|111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1|222 2 2 2 2"
)
ANAESTHETISTS = [
    (f"patient {number}", f"observer {place + 1}", int(said))
    for number, row in enumerate(PATIENTS.split("|"), start=1)
    for place, column in enumerate(row.split())
    for said in column
]


def planted(
    rates: dict[str, float], labels: str, items: int, seed: int
) -> tuple[list[tuple[str, str, str]], list[str]]:
    chance = random.Random(seed)
    truth = [chance.choice(labels) for _item in range(items)]
    answers = [
        (
            str(at),
            who,
            right if chance.random() < rate else chance.choice([other for other in labels if other != right]),
        )
        for at, right in enumerate(truth)
        for who, rate in rates.items()
    ]
    return answers, truth


def test_the_example_of_the_paper() -> None:
    found = estimate(ANAESTHETISTS, smoothing=0)
    assert len(ANAESTHETISTS) == 315 and found.labels == [1, 2, 3, 4]
    assert found.prior == pytest.approx([0.40, 0.42, 0.11, 0.07], abs=0.005)
    first = [[0.89, 0.11, 0, 0], [0.07, 0.88, 0.05, 0], [0, 0.34, 0.66, 0], [0, 0, 0.56, 0.44]]
    assert found.confusion[0] == pytest.approx(np.array(first), abs=0.006)
    assert found.confusion.sum(axis=2) == pytest.approx(np.ones((5, 4)))


def test_planted_error_rates_are_recovered() -> None:
    rates = {"mia": 0.95, "noah": 0.8, "otto": 0.65, "vera": 0.9}
    answers, truth = planted(rates, "xyz", 600, seed=3)
    found = estimate(answers)
    assert {who: found.accuracy(who) for who in rates} == pytest.approx(rates, abs=0.04)
    right = sum(found.consensus()[str(at)] == label for at, label in enumerate(truth))
    counted = [[said for item, _who, said in answers if item == str(at)] for at in range(600)]
    by_count = sum(max(set(said), key=said.count) == label for said, label in zip(counted, truth, strict=True))
    assert right > by_count, "knowing who errs beats counting heads"


def test_somebody_who_takes_one_label_for_another_is_seen_in_their_confusion() -> None:
    answers, truth = planted({"mia": 0.95, "noah": 0.95, "vera": 0.95}, "ab", 300, seed=5)
    strict = [(str(at), "otto", "b" if at % 10 < 6 else label) for at, label in enumerate(truth)]
    found = estimate([*answers, *strict])
    otto = found.confusion[found.people.index("otto")]
    assert otto[0, 1] > 0.5 and otto[1, 1] > 0.95


def test_known_answers_hold_and_tell_two_people_apart() -> None:
    answers, truth = planted({"mia": 0.95, "noah": 0.6}, "ab", 300, seed=7)
    found = estimate(answers, known={str(at): truth[at] for at in range(60)})
    assert [found.consensus()[str(at)] for at in range(60)] == truth[:60]
    assert found.accuracy("mia") > 0.85 and found.accuracy("noah") < 0.75


def test_one_answer_makes_no_certainty() -> None:
    found = estimate([("1", "mia", "a"), ("2", "mia", "b")])
    assert 0.5 < found.accuracy("mia") < 1
