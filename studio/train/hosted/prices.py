"""What companies take for training, by the token: rough figures, which a place's own `prices` option overrides.

Nobody keeps these lists up to date: what they give is said to be rough, to be checked against the company's own page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from studio.train.hosted.port import HostedSpec, Price
from studio.train.hosted.rows import Upload

CHARACTERS_PER_TOKEN = 4
ROUGH = "Check it against the company's price page, and enter the right one under “Your prices” of the place."
SIZE = re.compile(r"(?:^|[-_/x])(\d+(?:[p.]\d+)?)b(?:[-_]|$)")
Listed = Iterable[tuple[str, float]]
"""(beginning of a model's name, USD per million trained tokens); the longest beginning that fits counts."""


def by_the_token(spec: HostedSpec, train: Upload, model: str, listed: Listed, options: dict[str, Any]) -> Price | None:
    """Tokens times epochs times the price of the model; None when nobody listed one."""
    own = options.get("prices") or {}
    per_million = own.get(model) if model in own else _longest_fit(model, listed)
    if per_million is None:
        return None
    tokens, epochs = spec.tokens or train.characters // CHARACTERS_PER_TOKEN, float(epochs_of(spec))
    trained = tokens * epochs
    how, check = ("your price", "") if model in own else ("a rough price", f" {ROUGH}")
    counted = "" if spec.tokens else " (tokens guessed from the text's length)"
    sentence = f"{trained:,.0f} tokens over {epochs:g} epochs at {how} of ${per_million:g} per million{counted}.{check}"
    return Price(round(trained * float(per_million) / 1_000_000, 4), sentence)


def by_size(model: str, tiers: Iterable[tuple[float, float]]) -> float | None:
    """The price of the first tier that the size in the model's name (…-8b-…, …-4p5b-…) fits; None without a size."""
    found = SIZE.search(model.lower())
    if not found:
        return None
    billions = float(found.group(1).replace("p", "."))
    return next((price for most, price in tiers if billions <= most), None)


def epochs_of(spec: HostedSpec) -> int:
    """Whole epochs, at least one: companies take no parts of one."""
    return max(1, round(float(spec.recipe.get("num_train_epochs", 1))))


def _longest_fit(model: str, listed: Listed) -> float | None:
    fitting = [(start, price) for start, price in listed if model.startswith(start)]
    return max(fitting, key=lambda each: len(each[0]))[1] if fitting else None
