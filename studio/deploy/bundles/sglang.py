"""SGLang: its OpenAI-compatible server, merged weights or adapters (docs.sglang.io, server arguments, LoRA serving)."""

from __future__ import annotations

from typing import Any

from studio.deploy.artifact.architectures import support
from studio.deploy.bundles.port import Served, Texts
from studio.deploy.bundles.words import openai_client, readme, script

PORT = "30000"
KEY = "SGLANG_API_KEY"


class SGLang:
    """`python -m sglang.launch_server`, from a virtual environment or its container."""

    name, label = "sglang", "SGLang"
    forms: tuple[str, ...] = ("merged", "adapter")
    options: dict[str, str] = {"gpus": "GPUs that hold the model together (tensor parallelism); 1 if not said."}

    def check(self, served: Served) -> list[str]:
        """Unknown architectures."""
        found = support(served.model_type, self.name)
        return [found.reason] if found.serves == "no" else []

    def texts(self, served: Served, options: dict[str, Any]) -> Texts:
        """Launch script, compose file, client, README."""
        command = ["python", "-m", "sglang.launch_server", *self._arguments(served, options)]
        steps = [
            "On a machine with an NVIDIA GPU, install SGLang by its own instructions, or use compose.yaml with the tag "
            "you have tested.",
            f"Choose a key: `export {KEY}=...`, then `bash launch.sh` (or `docker compose up`).",
            f"Ask it: `python client.py` (needs `pip install openai` and the same `{KEY}`).",
        ]
        mind = [
            "The server listens on this machine only. Put a proxy with TLS before it if others must reach it.",
            "An adapter is asked for as base:adapter; a request without it is answered by the base's weights.",
        ]
        return {
            "README.md": readme(served, self.label, steps, mind if served.is_adapter else mind[:1]),
            "launch.sh": script(f': "${{{KEY}:?choose a key first}}"', command),
            "compose.yaml": _compose(self._arguments(served, options, host="0.0.0.0")),
            "client.py": openai_client(self._asked_as(served), f"http://127.0.0.1:{PORT}/v1", KEY),
        }

    def _arguments(self, served: Served, options: dict[str, Any], host: str = "127.0.0.1") -> list[str]:
        words = ["--model-path", "model", "--served-model-name", self._served_as(served)]
        words += ["--host", host, "--port", PORT, "--api-key", f"${KEY}"]
        words += ["--context-length", str(served.max_tokens), "--enable-metrics"]
        if int(options.get("gpus") or 1) > 1:
            words += ["--tp-size", str(int(options["gpus"]))]
        if served.is_adapter:
            words += ["--enable-lora", "--lora-paths", f"{served.name}=adapter", "--max-lora-rank", str(served.rank)]
        return words

    def _served_as(self, served: Served) -> str:
        return "base" if served.is_adapter else served.name

    def _asked_as(self, served: Served) -> str:
        return f"base:{served.name}" if served.is_adapter else served.name


def _compose(arguments: list[str]) -> str:
    shown = "\n".join(f"      - {_quoted(word)}" for word in ["python3", "-m", "sglang.launch_server", *arguments])
    return f"""services:
  sglang:
    image: lmsysorg/sglang:${{SGLANG_TAG:?set the tag that you have tested}}
    working_dir: /bundle
    command:
{shown}
    volumes:
      - .:/bundle:ro
    ports:
      - "127.0.0.1:{PORT}:{PORT}"
    ipc: host
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              count: all
              capabilities: [gpu]
"""


def _quoted(word: str) -> str:
    return f'"${{{word[1:]}:?choose a key first}}"' if word.startswith("$") else f'"{word}"'
