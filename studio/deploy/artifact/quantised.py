"""Weights in fewer bits: what each target does by itself at load, and what it needs converted before.

The studio converts nothing. bitsandbytes, FP8 and EETQ need no conversion: the server does it as it loads plain
weights. AWQ and GPTQ weights are made beforehand by a tool and calibration rows, GGUF by llama.cpp's own script.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InvalidInput


@dataclass(frozen=True)
class Option:
    """One way to serve in fewer bits on one target."""

    name: str
    flag: str
    """What the server's command line is given; "" where it reads the model's own quantization_config."""
    converts: bool
    """Whether the server converts plain weights by itself as it loads them."""
    needs: str
    note: str = ""


@dataclass(frozen=True)
class Converter:
    """A tool that makes weights in fewer bits, and what is true of it."""

    format: str
    tool: str
    maintained: bool
    note: str


BEFOREHAND = "weights that were converted before"
GPU = "an NVIDIA GPU"
FP8 = "8 bits. Which generations of GPU compute in it is for the server's documentation to say."
TGI = (
    Option("bitsandbytes-nf4", "--quantize bitsandbytes-nf4", True, GPU, "4 bits."),
    Option("bitsandbytes-fp4", "--quantize bitsandbytes-fp4", True, GPU, "4 bits."),
    Option("bitsandbytes", "--quantize bitsandbytes", True, GPU, "8 bits."),
    Option("eetq", "--quantize eetq", True, GPU, "8 bits."),
    Option("fp8", "--quantize fp8", True, GPU, FP8),
    Option("awq", "--quantize awq", False, BEFOREHAND),
    Option("gptq", "--quantize gptq", False, BEFOREHAND),
    Option("marlin", "--quantize marlin", False, BEFOREHAND),
    Option("exl2", "--quantize exl2", False, BEFOREHAND),
    Option("compressed-tensors", "--quantize compressed-tensors", False, BEFOREHAND),
)
VLLM = (
    Option("bitsandbytes", "--quantization bitsandbytes", True, GPU, "4 bits as it loads."),
    Option("fp8", "--quantization fp8", True, GPU, FP8),
    Option("awq", "", False, BEFOREHAND, "Read from the model's quantization_config."),
    Option("gptq", "", False, BEFOREHAND, "Read from the model's quantization_config."),
    Option("compressed-tensors", "", False, BEFOREHAND, "Read from the model's quantization_config."),
)
QUANTISE: dict[str, tuple[Option, ...]] = {"tgi": TGI, "endpoints": TGI, "vllm": VLLM, "embedded": ()}
"""By kind of target. A vLLM or another server that runs already was started with its own flags."""
METHODS = {"awq", "gptq", "compressed-tensors", "exl2", "marlin"}
CONVERTER = "auto-round==0.16.1"
CONVERTERS = (
    Converter(
        "AWQ, GPTQ",
        "auto-round (PyPI, 0.16.1)",
        True,
        "Tried here on a CPU, on a tiny Qwen3, in an environment of its own: it wrote both. `conversion` says how.",
    ),
    Converter(
        "FP8, AWQ, GPTQ as compressed-tensors",
        "llmcompressor (PyPI, 0.14)",
        True,
        "vLLM's own. It asks for transformers up to 5.21, older than this studio's, so it needs an environment of its "
        "own. Not tried here.",
    ),
    Converter(
        "GPTQ, AWQ",
        "gptqmodel (PyPI, 7.7)",
        True,
        "Only its source is on PyPI, and it asks for a newer torch than this studio's. Not tried here.",
    ),
    Converter("AWQ", "autoawq (PyPI, 0.2.9)", False, "Its last release is of May 2025 and says it is deprecated."),
    Converter("GPTQ", "auto-gptq (PyPI, 0.7.1)", False, "Its last release is of March 2024."),
    Converter(
        "GGUF",
        "convert_hf_to_gguf.py of llama.cpp's repository",
        True,
        "Not on PyPI: the package gguf there reads and writes the format and converts no model, and auto-round's own "
        "GGUF export refused our tiny Qwen3 with gguf 0.19, the newest there. Clone llama.cpp and run its script on "
        "the exported folder. The studio has no converter of its own and serves no GGUF.",
    ),
)
"""What was found on PyPI in November 2026. None of them is part of the studio."""
CONVERTED = ("awq", "gptq")


def conversion(folder: Path, method: str, out: Path) -> list[str]:
    """The commands that make AWQ or GPTQ weights of an exported model, in an environment of their own.

    What they make is served on a TGI or vLLM of one's own and deployed here with the target external, so that the same
    gates judge it. Raises InvalidInput for a format that no maintained tool on PyPI makes.
    """
    if method not in CONVERTED:
        tool = next((each for each in CONVERTERS if each.format.lower() == method.lower()), None)
        raise InvalidInput(f"Nothing on PyPI that is maintained makes {method}. {tool.note if tool else ''}".strip())
    making = ["auto-round", "--model", str(folder), "--scheme", "W4A16", "--format", f"auto_{method}"]
    return [
        shlex.join(["uv", "tool", "run", "--from", CONVERTER, *making, "--output_dir", str(out)]),
        f"python -m studio.train.portable {shlex.quote(str(out))}/*/",
    ]


def quantise_options(kind: str) -> tuple[Option, ...]:
    """The ways to serve in fewer bits on a target of this kind."""
    return QUANTISE.get(kind, ())


def refused_quantisation(kind: str, wanted: str, stored: Any) -> str:
    """Why this target cannot serve these weights in these bits; "" if it can.

    `wanted` is the option asked for, `stored` the model's own quantization_config.
    """
    method = str((stored or {}).get("quant_method") or "") if isinstance(stored, dict | None) else ""
    options = {option.name: option for option in quantise_options(kind)}
    if wanted and kind in QUANTISE and wanted not in options:
        return f"This target has no quantize={wanted}. {_listed(options)}"
    if wanted and method and wanted != method:
        return f"Its weights are stored as {method} already, so quantize={wanted} does not fit. Leave it empty."
    if wanted in options and not options[wanted].converts and not method:
        return (
            f"quantize={wanted} needs {BEFOREHAND}, and these are plain. Convert them first (see the guide to "
            "Deploy), or choose one that the server does by itself."
        )
    if method and kind == "embedded":
        return f"Its weights are stored as {method}, which the embedded server does not serve. Use a vLLM container."
    return ""


def _listed(options: dict[str, Option]) -> str:
    return f"It has {', '.join(options)}." if options else "It serves weights as they are."
