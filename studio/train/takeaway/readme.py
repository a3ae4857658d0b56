"""The README of a bundle: how to run it, how to bring the result back, what could not be expressed."""

from __future__ import annotations

from collections.abc import Sequence

from studio.train.methods import METHODS
from studio.train.takeaway.port import BundleInput


def readme(
    given: BundleInput,
    label: str,
    install: Sequence[str],
    run: Sequence[str],
    result: str,
    left_out: Sequence[str],
    traps: Sequence[str] = (),
) -> bytes:
    """A README in Markdown. `result` is the folder to bring back."""
    about = METHODS[given.method].label
    minded = [*([given.base.note] if given.base.note else []), *traps]
    parts = [
        f"# {given.name}: train with {label}",
        f"{about}. Base: {given.base.hub_id or given.base.name}{_at(given)}. Data: {given.source or 'data/'}.",
        "The rows to train on are in the data folder; rows of the golden set are not among them and must stay so.",
        "## Run",
        _code([*install, *run]),
        *(["## Mind", *_listed(minded)] if minded else []),
        "## Bring the result back",
        f"Zip the folder `{result}` and give it to the studio: Train, Import a model trained elsewhere. It takes an "
        "adapter (adapter_config.json and adapter_model.safetensors) or a whole model (config.json and safetensors); "
        "never .bin or .pt files, which can run code when they are opened.",
        "## What could not be expressed",
        *(_listed(left_out) if left_out else ["Nothing: every setting of the run is in the config."]),
    ]
    return ("\n\n".join(parts) + "\n").encode()


def _at(given: BundleInput) -> str:
    return f" at {given.base.revision[:12]}" if given.base.revision else ""


def _code(lines: Sequence[str]) -> str:
    return "```bash\n" + "\n".join(lines) + "\n```"


def _listed(sentences: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {sentence}" for sentence in sentences)]
