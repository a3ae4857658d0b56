"""Values that a person may set instead of the advised ones, checked, with the nearest name for a mistyped one."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from studio.errors import InvalidInput, StudioError
from studio.scoring import scorer

Training = Literal["lora", "rslora", "dora", "qlora", "full"]
Scheduler = Literal["linear", "cosine", "constant", "constant_with_warmup", "cosine_with_restarts", "inverse_sqrt"]
Mirror = Literal["none", "trackio", "mlflow", "wandb", "tensorboard"]
TASK_EXACT = "exact"


class Overrides(BaseModel):
    """Values a person may set instead of the advised ones."""

    model_config = ConfigDict(extra="forbid")

    training: Training | None = None
    lora_r: int | None = Field(None, ge=1, le=256)
    lora_alpha: int | None = Field(None, ge=1, le=1024)
    lora_dropout: float | None = Field(None, ge=0, lt=1)
    lora_target_modules: list[str] | str | None = None
    num_train_epochs: float | None = Field(None, gt=0, le=100)
    learning_rate: float | None = Field(None, gt=0, le=1)
    lr_scheduler_type: Scheduler | None = None
    warmup_steps: float | None = Field(None, ge=0, le=100_000)
    """Below 1 a share of the run, else a number of steps."""
    weight_decay: float | None = Field(None, ge=0, le=1)
    max_grad_norm: float | None = Field(None, ge=0, le=1000)
    batch_size: int | None = Field(None, ge=1, le=512)
    micro_batch: int | None = Field(None, ge=1, le=512)
    checkpointing: bool | None = None
    max_length: int | None = Field(None, ge=16, le=131072)
    order: Literal["random", "group_by_length"] | None = None
    packing: bool | None = None
    max_steps: int | None = Field(None, ge=1, le=1_000_000)
    seed: int | None = Field(None, ge=0, lt=2**31)
    beta: float | None = Field(None, ge=0, le=100)
    loss_type: list[str] | str | None = None
    desirable_weight: float | None = Field(None, gt=0, le=100)
    undesirable_weight: float | None = Field(None, gt=0, le=100)
    num_generations: int | None = Field(None, ge=2, le=64)
    max_completion_length: int | None = Field(None, ge=1, le=32768)
    temperature: float | None = Field(None, gt=0, le=2)
    rewards: list[dict[str, Any]] | None = Field(None, min_length=1)
    task: dict[str, Any] | None = None
    patience: int | None = Field(None, ge=1, le=1000)
    samples: int | None = Field(None, ge=0, le=20)
    every_turn: bool | None = None
    keep_version_id: str | None = None
    teacher_model_id: str | None = None
    report_to: Mirror | None = None

    @field_validator("rewards")
    @classmethod
    def _scorers(cls, given: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        for each in given or []:
            known_scorer({key: value for key, value in each.items() if key != "weight"})
        return given

    @field_validator("task")
    @classmethod
    def _measure(cls, given: dict[str, Any] | None) -> dict[str, Any] | None:
        if given and given.get("name") != TASK_EXACT:
            known_scorer(given)
        return given


NAMES = tuple(Overrides.model_fields)


def known_scorer(spec: dict[str, Any]) -> None:
    """Raise ValueError, in words, for a scorer that there is not."""
    try:
        scorer(spec)
    except StudioError as error:
        raise ValueError(error.message) from error


def parse_overrides(given: dict[str, Any] | None) -> dict[str, Any]:
    """The values given, checked. Raises InvalidInput naming the value and what is allowed."""
    try:
        return Overrides.model_validate(given or {}).model_dump(exclude_none=True)
    except ValidationError as error:
        raise InvalidInput(_in_words(error)) from error


def _in_words(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "overrides"
    if first["type"] == "extra_forbidden":
        near = get_close_matches(name, NAMES, n=1, cutoff=0.5)
        return f"There is no training value {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    said = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"The training value {name!r} cannot be used: {said[:1].lower()}{said[1:]}."
