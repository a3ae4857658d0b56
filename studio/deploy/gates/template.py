"""Template: the server makes the same prompt of a conversation as training did, text and tokens.

What a server shows differs: TGI the text and its tokens, vLLM the tokens, an OpenAI-compatible one only their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from studio.deploy.client import Prompt, ServerClient
from studio.deploy.gates.asking import ask_all
from studio.deploy.gates.port import NO_GOLDEN, Finding, Round
from studio.deploy.gates.recorded import GoldenPrompt, digest

SHOWN = 4000
OTHER_TEXT = "The server makes another prompt of a conversation than training did. Serve the exported chat template."
OTHER_TOKENS = (
    "The server reads the same prompt as other tokens: {served} where training had {trained}. Its tokenizer is another "
    "one, or adds or drops a special token. Serve the exported tokenizer files."
)
UNSEEN = "This server does not show the prompts it makes; the golden answers stand in for them."


@dataclass(frozen=True)
class Seen:
    """What can be compared of one prompt."""

    prompt: GoldenPrompt
    shown: Prompt
    count: int | None = None

    @property
    def by(self) -> str:
        """The strongest evidence there is: text, tokens, their number, or none."""
        if self.shown.text is not None and self.prompt.text:
            return "text and tokens" if self.shown.ids and self.prompt.prompt_digest else "text"
        if self.shown.ids is not None and self.prompt.prompt_digest:
            return "tokens"
        return "number of tokens" if self.count is not None and self.prompt.prompt_tokens is not None else ""

    @property
    def other_text(self) -> bool:
        """Whether the rendered text is another one."""
        return "text" in self.by and self.shown.text != self.prompt.text

    @property
    def other_tokens(self) -> bool:
        """Whether the tokens, or at least their number, are others."""
        if self.by in ("tokens", "text and tokens"):
            return digest(self.shown.ids or []) != self.prompt.prompt_digest
        return self.by == "number of tokens" and self.count != self.prompt.prompt_tokens

    @property
    def tokens(self) -> int | None:
        """How many tokens the server reads."""
        return len(self.shown.ids) if self.shown.ids is not None else self.count


def template(judged: Round) -> Finding:
    """Compare every golden prompt; show the first that differs as a diff."""
    prompts = judged.subject.golden
    if not prompts:
        return False, {"why": NO_GOLDEN}
    shown = ask_all(prompts, lambda prompt: judged.client.shown_prompt(prompt.messages), judged.step)
    counts = [said.prompt_tokens for said in judged.said] or [None] * len(prompts)
    seen = [Seen(*each) for each in zip(prompts, shown, counts, strict=True)]
    compared = [each for each in seen if each.by]
    if not compared:
        return True, {"checked": 0, "note": UNSEEN}
    evidence = {"checked": len(compared), "compared_by": compared[0].by}
    wrong = next((each for each in compared if each.other_text or each.other_tokens), None)
    return (True, evidence) if wrong is None else (False, evidence | _told(judged.client, wrong))


def rendered_diff(trained: str, served: str) -> str:
    """What differs between two prompts, line by line, as plain text."""
    lines = unified_diff(_lines(trained), _lines(served), "trained", "served", lineterm="")
    return "\n".join(lines)[:SHOWN]


def _told(client: ServerClient, wrong: Seen) -> dict[str, Any]:
    served = wrong.shown.text
    if served is None and wrong.shown.ids is not None:
        served = client.text_of(wrong.shown.ids)
    shown = {"prompt": wrong.prompt.asked_text, "trained": wrong.prompt.text[:SHOWN], "served": (served or "")[:SHOWN]}
    diff = rendered_diff(wrong.prompt.text, served) if served is not None else ""
    counts = {"trained_tokens": wrong.prompt.prompt_tokens, "served_tokens": wrong.tokens}
    why = OTHER_TEXT if wrong.other_text or (diff and not wrong.other_text) else _other_tokens(wrong)
    return {**shown, "diff": diff, **counts, "why": why}


def _other_tokens(wrong: Seen) -> str:
    trained = wrong.prompt.prompt_tokens
    same = f"{trained} others" if wrong.tokens == trained else str(trained)
    return OTHER_TOKENS.format(served=wrong.tokens, trained=same)


def _lines(text: str) -> list[str]:
    return list(_visible(text))


def _visible(text: str) -> Iterator[str]:
    """Lines whose end can be seen: a missing line break is a usual difference between templates."""
    lines = text.split("\n")
    yield from (f"{line}⏎" for line in lines[:-1])
    yield lines[-1]
