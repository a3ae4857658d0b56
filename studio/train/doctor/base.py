"""Can the base be had, and can it be trained."""

from __future__ import annotations

import os
from collections.abc import Iterator

from studio.train.doctor.finding import Case, Finding

GATED = ("meta-llama/", "google/gemma", "mistralai/")
YES = ("1", "true", "yes", "on")


def reach(case: Case) -> Iterator[Finding]:
    """A base still to be downloaded: from a Hub that is out of reach, or behind a licence."""
    if case.plan.situation.shape.quantized:
        text = "The base's weights are stored in fewer bits and cannot be trained as they are."
        yield Finding("error", text, "Choose the same model in full precision; QLoRA makes it small by itself.")
    if case.base is None or case.base.digest or not case.base.hub_id:
        return
    hub_id = case.base.hub_id
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in YES:
        text = f"{hub_id} is not on this machine, and HF_HUB_OFFLINE tells it to stay offline."
        yield Finding("error", text, "Choose a base that is here, or allow the download.")
    elif hub_id.startswith(GATED) and not _signed_in():
        text = f"{hub_id} is gated: the download needs a Hub token of somebody who accepted its licence."
        yield Finding("warning", text, f"Accept it at https://huggingface.co/{hub_id} and set HF_TOKEN for the worker.")


def _signed_in() -> bool:
    from huggingface_hub import get_token

    return bool(get_token())
