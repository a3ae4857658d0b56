"""Whether what was trained elsewhere belongs to a base: by the name it tells, then by the shapes of its tensors."""

from __future__ import annotations

import re

from storage.tables import Model
from studio.errors import InvalidInput
from studio.train.takeaway.tensors import Shapes

PREFIX = "base_model.model."
PACKED = re.compile(r"-(unsloth-)?(bnb-)?4bit$|-unsloth$", re.IGNORECASE)
TIED = frozenset({"lm_head.weight"})
FACTOR = re.compile(r"^(?P<module>.+)\.lora_(?P<side>[AB])(\.\w+)?\.weight$")
MAGNITUDE = re.compile(r"^(?P<module>.+)\.lora_magnitude_vector(\.\w+)?(\.weight)?$")


def refuse_other_name(told: str, base: Model) -> None:
    """Raise InvalidInput when an adapter names another base; a path tells nothing, and the shapes decide."""
    if not base.hub_id or not re.fullmatch(r"[\w.-]+/[\w.-]+", told) or told.startswith((".", "/")):
        return
    theirs, ours = (PACKED.sub("", name.rpartition("/")[2]).lower() for name in (told, base.hub_id))
    if theirs != ours:
        raise InvalidInput(
            f"This adapter was trained on {told[:100]}, and “{base.name}” is {base.hub_id}. Choose its own base."
        )


def refuse_adapter(adapter: Shapes, base: Shapes, name: str) -> None:
    """Raise InvalidInput when a low-rank factor does not fit the module that it is for."""
    fitting = 0
    for tensor, shape in adapter.items():
        module, wanted = _wanted(tensor.removeprefix(PREFIX), shape, base)
        if wanted is None:
            continue
        if module not in base:
            raise InvalidInput(f"The adapter changes `{module}`, which “{name}” does not have. Choose its own base.")
        if shape != wanted:
            raise InvalidInput(_does_not_fit("adapter", module, shape, base[module], name))
        fitting += 1
    if not fitting:
        raise InvalidInput("The adapter holds no LoRA weights that are understood here. Merge it and bring the model.")


def refuse_model(tuned: Shapes, base: Shapes, name: str) -> None:
    """Raise InvalidInput when a whole model is not the base with other numbers in it."""
    for tensor, shape in tuned.items():
        if tensor in base and base[tensor] != shape:
            raise InvalidInput(_does_not_fit("model", tensor, shape, base[tensor], name))
    if strange := (tuned.keys() ^ base.keys()) - TIED:
        example = min(strange)
        raise InvalidInput(f"This model is not “{name}” trained further: `{example}` is in one of the two only.")


def _wanted(tensor: str, shape: tuple[int, ...], base: Shapes) -> tuple[str, tuple[int, ...] | None]:
    """The base's weight that a tensor is for, and the shape that it must have; None for what is no LoRA tensor."""
    if found := FACTOR.match(tensor):
        weight = f"{found['module']}.weight"
        out, inner = (*base.get(weight, (0, 0)), 0)[:2]
        return weight, (shape[0], inner) if found["side"] == "A" else (out, shape[-1])
    if found := MAGNITUDE.match(tensor):
        weight = f"{found['module']}.weight"
        return weight, (base.get(weight, (0,))[0],)
    return tensor, base.get(tensor)


def _does_not_fit(what: str, tensor: str, theirs: tuple[int, ...], ours: tuple[int, ...], name: str) -> str:
    sizes = "×".join(map(str, theirs)), "×".join(map(str, ours))
    return (
        f"This {what} does not fit “{name}”: `{tensor}` wants {sizes[0]}, the base has {sizes[1]}. Choose its own base."
    )
