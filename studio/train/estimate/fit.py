"""Does it fit: a badge for every device of this machine, and the change that would make it fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio.train.estimate.load import Load
from studio.train.estimate.memory import memory_parts
from studio.train.estimate.whole import SPREAD, fit_of
from studio.train.hub import MENU
from studio.train.machine import Device, Machine
from studio.train.shape import ModelShape

SHORTEST = 256
"""Rows are not cut below this many tokens to make a run fit."""


@dataclass(frozen=True)
class Fix:
    """A change that would make the run fit."""

    label: str
    overrides: dict[str, Any] = field(default_factory=dict)
    """Values of the plan to change."""
    hub_id: str = ""
    """A smaller base to choose instead, where no setting helps."""


@dataclass(frozen=True)
class Badge:
    """Whether the run fits on one device."""

    device: Device
    fit: str
    """fits, tight or too big."""
    memory: int
    """Bytes the run is estimated to need there."""
    usable: bool
    """Whether the worker may use the device (`STUDIO_WORKER_GPUS`)."""
    fix: Fix | None = None

    @property
    def memory_range(self) -> tuple[int, int]:
        """Bytes, low and high."""
        return int(self.memory * (1 - SPREAD)), int(self.memory * (1 + SPREAD))


@dataclass(frozen=True)
class _Change:
    label: str
    overrides: dict[str, Any]
    load: Load


def badges(shape: ModelShape, load: Load, devices: Sequence[Device], worker_gpus: int = 0) -> list[Badge]:
    """A badge for every device; the worker may use the CPU and its first `worker_gpus` GPUs."""
    return [badge(shape, load, device, device.kind == "cpu" or device.index < worker_gpus) for device in devices]


def badge(shape: ModelShape, load: Load, device: Device, usable: bool = True) -> Badge:
    """Whether the run fits on the device, with the best fix where it does not."""
    machine = device.machine
    memory = sum(memory_parts(shape, load, machine).values())
    fit = fit_of(memory, machine.room)
    found = [] if fit == "fits" else fixes(shape, load, machine)
    return Badge(device, fit, memory, usable, found[0] if found else None)


def fixes(shape: ModelShape, load: Load, machine: Machine) -> list[Fix]:
    """Changes that would make the run fit, the one that costs least first: one setting, several, or a smaller base."""
    single = [change for knob in KNOBS if (change := _mildest(shape, knob(load, machine), machine))]
    if single:
        return [Fix(change.label, change.overrides) for change in single]
    together = _together(shape, load, machine)
    if _fits(shape, together.load, machine):
        return [Fix(together.label, together.overrides)]
    base = _smaller_base(shape, _Change("", {}, load), machine) or _smaller_base(shape, together, machine)
    return [base] if base else []


def _mildest(shape: ModelShape, changes: Iterator[_Change], machine: Machine) -> _Change | None:
    return next((change for change in changes if _fits(shape, change.load, machine)), None)


def _together(shape: ModelShape, load: Load, machine: Machine) -> _Change:
    """Turn one knob after another as far as it goes, until the run fits or all are turned."""
    so_far = _Change("", {}, load)
    for knob in KNOBS:
        options = list(knob(so_far.load, machine))
        if not options:
            continue
        change = _mildest(shape, iter(options), machine) or options[-1]
        label = f"{so_far.label}, {change.label[0].lower()}{change.label[1:]}" if so_far.label else change.label
        so_far = _Change(label, so_far.overrides | change.overrides, change.load)
        if _fits(shape, so_far.load, machine):
            break
    return so_far


def _checkpointing(load: Load, _machine: Machine) -> Iterator[_Change]:
    if not load.checkpointing:
        label = "Recompute activations (checkpointing: a third slower)"
        yield _Change(label, {"checkpointing": True}, replace(load, checkpointing=True))


def _micro_batch(load: Load, _machine: Machine) -> Iterator[_Change]:
    rows = load.batch // 2
    while rows >= 1:
        label = f"Hold {rows} row{'s' if rows > 1 else ''} in memory at once instead of {load.batch}"
        yield _Change(label, {"micro_batch": rows}, replace(load, batch=rows))
        rows //= 2


def _adapter(load: Load, machine: Machine) -> Iterator[_Change]:
    rank = load.lora_rank or 16
    if load.is_full:
        learned = replace(load, training="lora", lora_rank=rank)
        yield _Change("Train an adapter (LoRA) instead of every weight", {"training": "lora", "lora_r": rank}, learned)
    if machine.gpu and not load.is_quantized:
        label = "Hold the base in four bits (QLoRA)"
        quantized = replace(load, training="qlora", lora_rank=rank)
        yield _Change(label, {"training": "qlora", "lora_r": rank}, quantized)


def _length(load: Load, _machine: Machine) -> Iterator[_Change]:
    tokens = load.row_tokens // 2 // 64 * 64
    while tokens >= SHORTEST:
        label = f"Cut rows at {tokens} tokens instead of {load.row_tokens}"
        yield _Change(label, {"max_length": tokens}, replace(load, row_tokens=tokens))
        tokens = tokens // 2 // 64 * 64


KNOBS = (_micro_batch, _checkpointing, _adapter, _length)
"""Mildest first: fewer rows at once change nothing but speed, shorter rows lose text."""


def _smaller_base(shape: ModelShape, change: _Change, machine: Machine) -> Fix | None:
    """The biggest base on the menu that fits with these settings."""
    smaller = [base for base in MENU if base.shape.parameters < shape.parameters]
    for base in sorted(smaller, key=lambda each: -each.shape.parameters):
        if _fits(base.shape, change.load, machine):
            more = f"; {change.label[0].lower()}{change.label[1:]}" if change.label else ""
            return Fix(f"Choose a smaller base: {base.name} fits{more}", change.overrides, base.hub_id)
    return None


def _fits(shape: ModelShape, load: Load, machine: Machine) -> bool:
    return fit_of(sum(memory_parts(shape, load, machine).values()), machine.room) == "fits"
