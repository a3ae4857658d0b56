"""What the people of an alias may set: guardrail, smoke prompts, limits, how long a predecessor stays warm."""

from __future__ import annotations

from typing import Annotated, Any

import regex
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from storage.tables import Deployment
from studio.deploy.gates.smoke_rules import SmokePrompt as AnySmokePrompt
from studio.deploy.gates.smoke_rules import smoke_prompts
from studio.errors import InvalidInput

MOST_SMOKE_PROMPTS = 50


def _compiles(pattern: str) -> str:
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"this is no regular expression: {error}") from error
    return pattern


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GuardrailRules(_Strict):
    """When a revision that is new to the traffic loses it again by itself."""

    on: bool = True
    calls: int = Field(50, ge=10, le=1_000_000)
    """Calls since the release before anything is said."""
    alpha: float = Field(0.001, gt=0, le=0.05)
    """How unlikely by chance a difference has to be."""
    latency_factor: float = Field(1.5, ge=1, le=100)
    """An answer is slow when it takes longer than this times the live route's 95th percentile."""


class SmokePrompt(AnySmokePrompt):
    """A conversation that every new revision has to answer, and what its answer must be like."""

    name: str = Field(min_length=1, max_length=80)
    regex: Annotated[str, AfterValidator(_compiles)] = ""


class Rules(_Strict):
    """All of them, with the product's defaults for what nobody set."""

    guardrail: GuardrailRules = GuardrailRules()
    smoke: list[SmokePrompt] = Field(default_factory=list, max_length=MOST_SMOKE_PROMPTS)
    timeout_s: float | None = Field(None, gt=0, le=3600)
    """Seconds a route has for its first byte; the gateway's setting when left out."""
    fallback: bool = True
    """Whether the provider's model, without a share, answers when no revision does; false keeps calls off it."""
    keep_warm_hours: float | None = Field(24.0, ge=0)
    """Hours that a revision which lost its traffic keeps running, for an instant undo; null keeps it for ever."""


def rules_of(deployment: Deployment) -> Rules:
    """The deployment's rules. Raises InvalidInput if what is stored is none."""
    return _read(deployment.rules or {}, f"The rules of {deployment.alias} cannot be read; set them again.")


def checked_rules(rules: dict[str, Any]) -> dict[str, Any]:
    """The rules as stored: only what was set. Raises InvalidInput naming each field that is wrong."""
    checked = _read(rules, "The rules were not saved.").model_dump(by_alias=True, exclude_unset=True)
    smoke_prompts(checked)  # schemas too
    return checked


def _read(rules: dict[str, Any], otherwise: str) -> Rules:
    try:
        return Rules.model_validate(rules)
    except ValidationError as error:
        said = "; ".join(f"{_where(one['loc'])}: {_what(one)}" for one in error.errors())
        raise InvalidInput(f"{otherwise} {said}.") from error


def _where(location: tuple[int | str, ...]) -> str:
    return ", ".join(f"row {part + 1}" if isinstance(part, int) else part for part in location) or "rules"


def _what(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such rule"
    said = str(error["msg"]).removeprefix("Value error, ")
    return said[:1].lower() + said[1:]
