"""Smoke prompts that people write: what may be asked, and what an answer must be."""

from __future__ import annotations

import json
from typing import Any

import regex
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import Draft202012Validator, validator_for
from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as WrongShape
from referencing.exceptions import Unresolvable

from studio.deploy.schemas import TEXT_MOST, checker, holds_unchecked, matches
from studio.errors import InvalidInput

PROMPTS_MOST = 50
PATTERN_MOST = 500


class SmokePrompt(BaseModel):
    """One prompt and what its answer must be; without any demand, not empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="", max_length=120)
    messages: list[dict[str, Any]] = Field(min_length=1, max_length=50)
    contains: list[str] | str = Field(default_factory=list)
    regex: str = Field(default="", max_length=PATTERN_MOST)
    wants: bool | dict[str, Any] = Field(default=False, alias="json")
    max_ms: float | None = Field(default=None, gt=0)
    max_tokens: int = Field(default=256, ge=1, le=4096)

    def faults(self, text: str, milliseconds: float) -> list[str]:
        """What the answer should be and is not."""
        looked = text[:TEXT_MOST]
        wanted = [self.contains] if isinstance(self.contains, str) else self.contains
        found = [f"does not contain “{part}”" for part in wanted if part not in looked]
        found += [f"does not match {self.regex}"] if self.regex and not matches(self.regex, looked) else []
        found += _json_faults(self.wants, text) if self.wants is not False else []
        if self.max_ms is not None and milliseconds > self.max_ms:
            found.append(f"took {milliseconds:.0f} ms, more than {self.max_ms:.0f}")
        return found or ([] if text.strip() else ["is empty"])


def smoke_prompts(rules: dict[str, Any]) -> tuple[SmokePrompt, ...]:
    """The smoke prompts of a deployment's rules. Raises InvalidInput that says which one is wrong, and how."""
    listed = rules.get("smoke") or []
    if not isinstance(listed, list) or len(listed) > PROMPTS_MOST:
        raise InvalidInput(f"Smoke prompts are a list of at most {PROMPTS_MOST}.")
    return tuple(_checked(number, row) for number, row in enumerate(listed, 1))


def _checked(number: int, row: Any) -> SmokePrompt:
    try:
        made = SmokePrompt.model_validate(row)
        if made.regex:
            regex.compile(made.regex)
        if isinstance(made.wants, dict):
            validator_for(made.wants, Draft202012Validator).check_schema(made.wants)
            if holds_unchecked(made.wants):
                raise InvalidInput(f"Smoke prompt {number}: json: patternProperties is not supported. Name the keys.")
    except WrongShape as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"Smoke prompt {number}: {place}: {first['msg']}.") from error
    except regex.error as error:
        raise InvalidInput(f"Smoke prompt {number}: the pattern cannot be read: {error}.") from error
    except SchemaError as error:
        raise InvalidInput(f"Smoke prompt {number}: json is no valid schema: {error.message[:200]}.") from error
    return made


def _json_faults(wants: bool | dict[str, Any], text: str) -> list[str]:
    try:
        value = json.loads(text)
    except ValueError:
        return ["is not JSON"]
    if not isinstance(wants, dict):
        return []
    try:
        checker(wants).validate(value)
    except ValidationError as error:
        return [f"does not fit the schema: {error.message[:200]}"]
    except Unresolvable as error:
        return [f"cannot be checked: the schema refers to {error.ref[:200]}"]
    return []
