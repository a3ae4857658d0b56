"""What all bundles say alike: the README, a shell script, and a client that calls the result."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from studio.deploy.bundles.port import Served

UNPROVEN = """## Prove it yourself

The studio cannot ask this server, for it speaks a form of its own. Compare its answers to some golden examples with
those on the Evaluate page before your users see any.
"""


def readme(served: Served, label: str, steps: Sequence[str], mind: Sequence[str], provable: bool = True) -> str:
    """The README: what this is, how to run it, what to mind, how to let the studio prove it (if it can ask it)."""
    numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    minded = "\n".join(f"- {each}" for each in mind)
    return f"""# {served.name} on {label}

{served.lineage or "A model of the studio."} The weights are {served.weights}.

## Run

{numbered}

## Mind

{minded}

{_proof(served) if provable else UNPROVEN}"""


def _proof(served: Served) -> str:
    return f"""## Let the studio prove it

Deploy the model once more with the target "A server that runs elsewhere", this server's address, and the model name
`{served.name}`. The same gates judge it that judge the studio's own servers; no call goes there before they pass.
"""


def script(*commands: Sequence[str] | str) -> str:
    """A shell script that stops at the first failure. A command is its words, or a line as it stands."""
    lines = [line if isinstance(line, str) else _wrapped(line) for line in commands]
    return "\n".join(["#!/usr/bin/env bash", "set -euo pipefail", 'cd "$(dirname "$0")"', *lines]) + "\n"


def openai_client(model: str, base_url: str, key_variable: str, extra: str = "") -> str:
    """A Python client of an OpenAI-compatible server. `extra` is one more argument of the call."""
    more = f"\n    {extra}," if extra else ""
    return f'''"""Ask the server one question."""

import os

from openai import OpenAI

client = OpenAI(base_url="{base_url}", api_key=os.environ["{key_variable}"])
reply = client.chat.completions.create(
    model={model!r},
    messages=[{{"role": "user", "content": "Hello"}}],
    max_tokens=64,
    temperature=0,{more}
)
print(reply.choices[0].message.content)
'''


def _wrapped(words: Sequence[str]) -> str:
    """One option to a line, `$VARIABLES` left for the shell."""
    shown = [f'"{word}"' if word.startswith("$") else shlex.quote(word) for word in words]
    lines, line = [], ""
    for word in shown:
        if word.startswith("--") and line:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return " \\\n  ".join([*lines, line])
