"""The processor cannot do what the recipe asks, or gave up."""

from __future__ import annotations

from studio.train.failures.case import Case, Failure


def flash_attention_missing(case: Case) -> Failure | None:
    """FlashAttention was asked for and is not there."""
    line = case.line(r"FlashAttention\d? has been toggled on, but", r"flash_attn.*(?:not installed|No module)")
    if not line:
        return None
    cause = "The recipe asks for FlashAttention, which this machine does not have."
    return Failure("flash_attention_missing", cause, line, "Train without it", {"packing": False})


def precision_unsupported(case: Case) -> Failure | None:
    """bf16, fp16 or tf32 on a processor without it."""
    line = case.line(r"doesn't support bf16", r"bf16/gpu", r"requires? (?:an? )?Ampere", r"--tf32 requires")
    if not line:
        return None
    cause = "The recipe asks for a precision (bf16 or tf32) that this processor does not have."
    return Failure("precision_unsupported", cause, line, "Plan it anew for this machine")


def quantisation_missing(case: Case) -> Failure | None:
    """QLoRA without bitsandbytes."""
    line = case.line(
        r"needs bitsandbytes", r"`?bitsandbytes`? (?:to be|is not) installed", r"pip install .*bitsandbytes"
    )
    if not line:
        return None
    cause = "QLoRA holds the base in 4 bits with a library (bitsandbytes) that is not installed here."
    return Failure("quantisation_missing", cause, line, "Train a plain adapter (LoRA)", {"training": "lora"})


def cuda_error(case: Case) -> Failure | None:
    """The GPU or its driver gave up; out of memory was told apart before."""
    line = case.line(
        r"CUDA error", r"CUDA driver", r"NCCL error", r"device-side assert", r"not compiled with CUDA", r"\bXid\b"
    )
    if not line:
        return None
    cause = "The GPU or its driver gave up. Often it works again; if not, the machine must be looked at."
    return Failure("cuda_error", cause, line, "Go on from the newest checkpoint", resume=True)


def place_out_of_reach(case: Case) -> Failure | None:
    """Another machine or company did not answer."""
    line = case.line(
        r"does not answer", r"did not start the run within", r"timed out", r"Read timed out|ConnectTimeout|ConnectError"
    )
    if not line:
        return None
    cause = "The place that should carry the run out did not answer in time."
    return Failure("place_out_of_reach", cause, line, "Try again", resume=True)
