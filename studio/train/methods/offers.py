"""Which methods a frozen version holds the data for, told from its statistics: no row is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from storage.artifacts import Artifacts
from storage.tables import DatasetVersion
from studio.curate.kto import read_judged
from studio.curate.pairs import read_pairs
from studio.train.methods import ALL, Method

UNITS = {"rows": "row", "pairs": "pair", "judged": "judged answer", "prompts": "prompt"}
WHERE = {"label": "on Label", "curate": "on Curate", "improve": "on Improve"}
NO_TEACHER = "Needs a bigger model to learn from: add a provider's model under Settings, Providers."
ONE_SIDED = "All judged answers are {side}; it learns from both kinds: collect thumbs of the other kind on Improve."


@dataclass(frozen=True)
class Holdings:
    """What a version holds to learn from."""

    rows: int
    pairs: int
    wanted: int
    unwanted: int

    def of(self, what: str) -> int:
        """How much there is of one kind of data."""
        return {"pairs": self.pairs, "judged": self.wanted + self.unwanted}.get(what, self.rows)


@dataclass(frozen=True)
class Offer:
    """A method, and whether the version holds what it learns from."""

    method: Method
    have: int
    available: bool
    why_not: str = ""
    """What is missing and which page makes it; empty when the method can start."""
    hint: str = ""
    """What more would help although it can start."""

    @property
    def sentence(self) -> str:
        """What there is, and what is missing."""
        return self.why_not or self.hint or f"{counted(self.have, self.method.need.what)} to learn from."


def offers_of(holdings: Holdings, has_teacher: bool) -> list[Offer]:
    """Every method with what the version has for it."""
    return [_offer(method, holdings, has_teacher) for method in ALL]


def holdings(artifacts: Artifacts, version: DatasetVersion) -> Holdings:
    """What the version holds: from its statistics, or counted once for a version frozen before there were any."""
    stats: dict[str, Any] = version.stats
    if "pairs" not in stats or "kto" not in stats:
        return _counted(artifacts, version.digest, version.train_rows)
    kto, pairs = stats["kto"], stats["pairs"].get("train", {})
    return Holdings(version.train_rows, sum(pairs.values()), kto.get("desirable", 0), kto.get("undesirable", 0))


def counted(number: int, what: str) -> str:
    """A number with its unit: 1 pair, 42 pairs."""
    return f"{number:,} {UNITS[what]}{'' if number == 1 else 's'}"


def _offer(method: Method, held: Holdings, has_teacher: bool) -> Offer:
    need = method.need
    have, name = held.of(need.what), _short(method)
    missing = f"{counted(have, need.what)}; {name} wants {need.wanted:,}: {need.how} {WHERE[need.page]}."
    if have < need.least:
        return Offer(method, have, False, missing)
    if need.what == "judged" and not (held.wanted and held.unwanted):
        return Offer(method, have, False, ONE_SIDED.format(side="wanted" if held.wanted else "unwanted"))
    if method.name == "distil" and not has_teacher:
        return Offer(method, have, False, NO_TEACHER)
    return Offer(method, have, True, hint=missing if have < need.wanted else "")


def _short(method: Method) -> str:
    named = {"sft": "SFT", "distil": "distillation", "simpo": "SimPO", "reward": "a reward model"}
    return named.get(method.name, method.name.upper())


@lru_cache(maxsize=32)
def _counted(artifacts: Artifacts, digest: str, rows: int) -> Holdings:
    labels = [each.label for each in read_judged(artifacts, digest)]
    return Holdings(rows, sum(1 for _ in read_pairs(artifacts, digest)), labels.count(True), labels.count(False))
