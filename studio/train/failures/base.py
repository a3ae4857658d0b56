"""The base model cannot be read, or does not fit with what comes with it."""

from __future__ import annotations

from studio.train.failures.case import Case, Failure

CHOOSE = "Choose another base"


def no_chat_template(case: Case) -> Failure | None:
    """The base was never taught to read messages."""
    line = case.line(r"chat_template is not set", r"has no chat template")
    if not line:
        return None
    cause = "The base has no chat template, so it cannot read messages. An instruction-tuned one has it."
    return Failure("no_chat_template", cause, line, "Choose an instruction-tuned base", page="train")


def vocabulary_mismatch(case: Case) -> Failure | None:
    """The tokenizer knows tokens that the model has no row for."""
    line = case.line(
        r"index out of range in self", r"vectorized_gather_kernel.*index out of bounds", r"srcIndex < srcSelectDim"
    )
    mismatch = "You set `ignore_mismatched_sizes`"
    line = line or (case.line(mismatch) if "embed" in case.text or "lm_head" in case.text else "")
    if not line:
        return None
    cause = "The base's tokenizer and weights do not belong together: it writes tokens that the model does not know."
    return Failure("vocabulary_mismatch", cause, line, CHOOSE, page="train")


def adapter_of_another_base(case: Case) -> Failure | None:
    """LoRA weights of other sizes than the base's."""
    line = case.line(r"size mismatch for .*lora_", r"lora_[AB].*size mismatch")
    if not line:
        return None
    cause = "The adapter was trained on another base: its weights do not fit this one."
    return Failure("adapter_of_another_base", cause, line, "Choose the base it was trained on", page="train")


def sizes_differ(case: Case) -> Failure | None:
    """The weights have other sizes than config.json says."""
    line = case.line(r"You set `ignore_mismatched_sizes`", r"size mismatch for ")
    if not line:
        return None
    return Failure("sizes_differ", "The base's weights do not fit its own description.", line, CHOOSE, page="train")


def unknown_architecture(case: Case) -> Failure | None:
    """A kind of model that the installed libraries do not know."""
    line = case.line(r"does not recognize this architecture", r"Unrecognized (?:model|configuration class)")
    if not line:
        return None
    cause = "The installed libraries do not know this kind of model."
    return Failure("unknown_architecture", cause, line, CHOOSE, page="train")


def base_out_of_reach(case: Case) -> Failure | None:
    """The Hub did not answer, or wants a licence accepted."""
    line = case.line(
        r"asks you to accept its licen[cs]e",
        r"could not be downloaded",
        r"gated repo",
        r"couldn't connect to .*hugging",
    )
    if not line:
        return None
    cause = "The base could not be downloaded from the Hugging Face Hub."
    label = "Try again once it can be reached"
    return Failure("base_out_of_reach", cause, line, label, resume=True)


def base_damaged(case: Case) -> Failure | None:
    """Files of the base are missing or broken."""
    line = case.line(
        r"SafetensorError", r"no file named .*(?:safetensors|bin)", r"Couldn't instantiate the backend tokenizer"
    )
    if not line:
        return None
    return Failure("base_damaged", "Files of the base are missing or broken.", line, CHOOSE, page="train")


def adapter_targets(case: Case) -> Failure | None:
    """LoRA was told to change layers that the base does not have."""
    line = case.line(r"Target modules .* not found", r"No modules were targeted")
    if not line:
        return None
    cause = "The adapter was told to change layers that this base does not have."
    change = {"lora_target_modules": "all-linear"}
    return Failure("adapter_targets", cause, line, "Change every linear layer", change)
