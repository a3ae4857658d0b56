"""What the plan wants of the machine and the machine cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from studio.train.doctor.finding import Case, Finding

QUANTIZER = "bitsandbytes"


def missing_features(case: Case) -> Iterator[Finding]:
    """Four bits without their library, bf16 and FlashAttention on a GPU that is too old for them."""
    if case.value("training") == "qlora" and find_spec(QUANTIZER) is None:
        text = f"QLoRA needs the library {QUANTIZER}, which is not installed."
        yield Finding("error", text, f"Install {QUANTIZER}, or train with LoRA.", {"training": "lora"})
    device = case.device
    if device is None or device.kind != "cuda":
        return
    if not device.bf16:
        text = f"{device.name} does not compute in bf16; the run would be slow or fail."
        yield Finding("warning", text, "Use a GPU of the Ampere generation (2020) or later.")
    elif find_spec("flash_attn") is None and find_spec("kernels") is None:
        text = "FlashAttention is not installed, so rows are padded instead of packed."
        yield Finding("info", text, "Install `kernels` to pack rows without padding.")
