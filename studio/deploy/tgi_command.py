"""How to serve a revision's weights on a real TGI: the exact container command, or why TGI cannot.

Whoever runs it deploys the model once more with the target `external`, dialect `tgi`, and the same gates judge it.
TGI is frozen at 3.3.7: it knows these architectures itself, and others only as far as transformers 4.51 did.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from studio.deploy.artifact import findings, preflight
from studio.deploy.artifact.tgi_facts import IMAGE, MODEL_FOLDER


@dataclass(frozen=True)
class TgiAdvice:
    """The command, and what speaks against it."""

    command: str
    problems: list[str]


def tgi_command(folder: Path, port: int = 8080) -> str:
    """The command that serves this folder on TGI with a GPU. The key comes from the shell's environment."""
    words = ["docker", "run", "--rm", "--gpus", "all", "--shm-size", "1g", "-p", f"127.0.0.1:{port}:80"]
    words += ["-v", f"{folder}:{MODEL_FOLDER}:ro", "-e", "HF_HUB_OFFLINE=1", "-e", "API_KEY", IMAGE]
    words += ["--model-id", MODEL_FOLDER, "--usage-stats", "off", "--json-output"]
    return shlex.join(words)


def tgi_problems(folder: Path) -> list[str]:
    """Why TGI would refuse these weights, or be slow with them; empty when it knows them well."""
    return findings(folder) or [problem.text for problem in preflight(folder, "tgi")]
